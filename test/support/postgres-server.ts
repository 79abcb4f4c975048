import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { chown, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { ManagedKind } from '../../local/postgres/managed/profile.ts';
import { type Owner, reachablePrograms, serverOwner } from '../../local/postgres/programs.ts';
import type { PostgresBinaries } from './postgres-binaries.ts';

const run = promisify(execFile);

/** A server that the tests may use; its user is a superuser. */
export interface TestServer {
  /** For the names of tests, such as `PostgreSQL 18`. */
  label: string;
  /** Major version. */
  version: number;
  host: string;
  port: number;
  user: string;
  password: string;
  /** A native `pg_dump` of this server's version, where there is one. */
  pgDump?: string;
  /** Of one that is managed: then its user is the owner of an application, and no superuser. */
  managed?: {
    kind: ManagedKind;
    master: { user: string; password: string };
    /** rdsadmin. */
    behind: { user: string; password: string };
    /** Of this system, as the guide has it. */
    login: { user: string; password: string };
  };
}

export interface RunningServer {
  server: TestServer;
  /** Its data folder. */
  data: string;
  /** Stops it and removes its data. */
  stop(): Promise<void>;
}

const PASSWORD = 'the superuser of the tests';

const SETTINGS = {
  listen_addresses: '127.0.0.1',
  unix_socket_directories: '',
  // The data live as long as the tests.
  fsync: 'off',
  full_page_writes: 'off',
  wal_level: 'logical',
  max_connections: '100',
  max_prepared_transactions: '10',
};

/** What many servers of one version are started from: its programs, and the data of a new server, which each gets a copy of. */
export interface ServerTemplate {
  binaries: PostgresBinaries;
  /** Folder of the programs, where the server's user can reach them. */
  programs: string;
  data: string;
  remove(): Promise<void>;
}

/** Makes a new server's data once: a copy of them takes a tenth of the time. */
export async function makeServerTemplate(binaries: PostgresBinaries): Promise<ServerTemplate> {
  const { folder, owner, guard } = await serverFolder(binaries);
  const remove = async (): Promise<void> => {
    guard.kill();
    await rm(folder, { recursive: true, force: true, maxRetries: 5 });
  };
  try {
    const programs = await reachablePrograms(binaries.folder, folder, owner);
    return { binaries, programs, data: await initialize(programs, folder, owner), remove };
  } catch (error) {
    await remove();
    throw error;
  }
}

async function serverFolder({ version }: PostgresBinaries) {
  const owner = await serverOwner();
  const folder = await mkdtemp(join(tmpdir(), `test-postgres-${version}-`));
  if (owner) await chown(folder, owner.uid, owner.gid);
  return { folder, owner, guard: guardFolder(folder) };
}

/**
 * Starts a server on a free loopback port, with its data in a temporary folder. It ends with this process, however that ends.
 *
 * @param changed - settings other than the tests' own
 * @param template - of that version; without it, the server makes its own data
 * @throws Error with the server's last words when it does not start
 */
export async function startServer(
  binaries: PostgresBinaries,
  changed: Readonly<Record<string, string>> = {},
  template?: ServerTemplate,
): Promise<RunningServer> {
  const { folder, owner, guard } = await serverFolder(binaries);
  let child: ChildProcess | undefined;
  const stop = async (): Promise<void> => {
    if (child) await endServer(child);
    guard.kill();
    await rm(folder, { recursive: true, force: true, maxRetries: 5 });
  };
  try {
    const programs = template?.programs ?? (await reachablePrograms(binaries.folder, folder, owner));
    const data = template ? await copyData(template.data, folder, owner) : await initialize(programs, folder, owner);
    const port = await freePort();
    const settings = {
      ...SETTINGS,
      port: String(port),
      ...changed,
      ...(binaries.statements ? { shared_preload_libraries: 'pg_stat_statements' } : {}),
    };
    const flags = Object.entries(settings).map(([name, value]) => `--${name}=${value}`);
    child = spawn(join(programs, 'postgres'), ['-D', data, ...flags], {
      ...owner,
      cwd: folder,
      env: { ...process.env, LC_MESSAGES: 'C' },
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    await untilReady(child);
    const server: TestServer = {
      label: `PostgreSQL ${binaries.version}`,
      version: binaries.version,
      host: '127.0.0.1',
      port,
      user: 'postgres',
      password: PASSWORD,
      ...(binaries.pgDump ? { pgDump: binaries.pgDump } : {}),
    };
    return { server, data, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** As the server's user, to whom the copies are to belong. */
async function copyData(from: string, folder: string, owner: Owner | null): Promise<string> {
  const data = join(folder, 'data');
  await run('cp', ['-R', from, data], { ...owner, cwd: folder });
  return data;
}

async function initialize(programs: string, folder: string, owner: Owner | null): Promise<string> {
  const data = join(folder, 'data');
  const passwordFile = join(folder, 'password');
  await writeFile(passwordFile, PASSWORD, { mode: 0o600 });
  if (owner) await chown(passwordFile, owner.uid, owner.gid);
  const flags = ['--encoding=UTF8', '--locale=C', '--auth=scram-sha-256', '--no-sync'];
  const login = ['--username=postgres', `--pwfile=${passwordFile}`];
  await run(join(programs, 'initdb'), ['-D', data, ...login, ...flags], { ...owner, cwd: folder });
  return data;
}

async function untilReady(child: ChildProcess): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    let log = '';
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      log = (log + text).slice(-4096);
      if (log.includes('ready to accept connections')) resolve();
    });
    child.once('error', reject);
    child.once('exit', () => reject(new Error(`The PostgreSQL server of the tests did not start:\n${log}`)));
  });
}

/** Fast shutdown; where that hangs, an immediate one. */
async function endServer(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = new Promise((done) => child.once('exit', done));
  child.kill('SIGINT');
  const timer = setTimeout(() => child.kill('SIGQUIT'), 20_000);
  await exited;
  clearTimeout(timer);
}

/**
 * A process of its own group that waits for the end of its input, which comes when this process ends, also by SIGKILL;
 * then it stops the folder's server at once and removes the data. A first try may meet processes that still write.
 */
export function guardFolder(folder: string): ChildProcess {
  const script = `cat >/dev/null
for i in 1 2 3 4 5 6 7 8 9 10; do
  pid=$(head -n 1 "$1/data/postmaster.pid" 2>/dev/null) && kill -QUIT "$pid" 2>/dev/null
  sleep 0.5
  rm -rf "$1" 2>/dev/null && exit
done`;
  const guard = spawn('/bin/sh', ['-c', script, 'test-postgres-guard', folder], {
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  guard.on('error', () => undefined);
  guard.unref();
  return guard;
}

/** Below those that the system gives to outgoing connections, which take a port meanwhile when many tests run at once. */
const PORTS = { from: 10_240, to: 32_768 };

/** A port that nothing listens on. */
export async function freePort(): Promise<number> {
  for (let attempt = 0; attempt < 100; attempt += 1) {
    const port = randomInt(PORTS.from, PORTS.to);
    if (await canListen(port)) return port;
  }
  throw new Error(`No port from ${PORTS.from} to ${PORTS.to} is free`);
}

function canListen(port: number): Promise<boolean> {
  const server = createServer();
  return new Promise((resolve) => {
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}
