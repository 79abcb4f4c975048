import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { chown, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { reachablePrograms, serverOwner } from '../../../local/postgres/programs.ts';
import type { ConnectionTarget } from '../../../shared/postgres/connect.ts';
import type { PostgresBinaries } from '../../support/postgres-binaries.ts';
import { freePort, guardFolder } from '../../support/postgres-server.ts';
import { certificate, privateKey } from './localhost-certificate.ts';

/** A server of a test's own, which it may stop, restart and reconfigure. Its superuser is `postgres`. */
export interface OwnServer {
  port: number;
  /** Its data folder. */
  data: string;
  target(changes?: Partial<ConnectionTarget>): ConnectionTarget;
  stop(): Promise<void>;
  start(): Promise<void>;
  /** A standby that streams from it. The server is stopped meanwhile, as its files are copied. */
  standby(): Promise<OwnServer>;
  /** Stops it and removes its data. */
  remove(): Promise<void>;
}

export const PASSWORD = 'the super secret';

const run = promisify(execFile);

/**
 * Starts a server with TLS. Its roles `trusted` and `hashed` (md5) log in as their names say, `only_tls` over TLS alone, `only_plain`
 * without it, `certified` by a certificate; and on a socket, if `settings` open one, whom the operating system knows by that name.
 *
 * @param settings - of the server, beside those that keep it private and quick; null leaves one of those to its file
 */
export async function ownServer(
  binaries: PostgresBinaries,
  settings: Record<string, string | null> = {},
): Promise<OwnServer> {
  const { folder, data, owner, give, guard } = await ownFolder(binaries);
  const passwordFile = join(folder, 'password');
  await writeFile(passwordFile, PASSWORD);
  await give(passwordFile);
  const programs = await reachablePrograms(binaries.folder, folder, owner);
  const initdb = ['-D', data, '-U', 'postgres', '-E', 'UTF8', '--locale=C', '--auth=scram-sha-256', '--no-sync'];
  await run(join(programs, 'initdb'), [...initdb, `--pwfile=${passwordFile}`], { ...owner, cwd: folder });
  for (const [name, text] of [
    ['server.crt', certificate],
    ['server.key', privateKey],
  ] as const) {
    await writeFile(join(data, name), text, { mode: 0o600 });
    await give(join(data, name));
  }
  const hba = [
    'host all trusted 127.0.0.1/32 trust',
    'host all hashed 127.0.0.1/32 md5',
    'hostssl all only_tls all scram-sha-256',
    'host all only_tls all reject',
    'hostnossl all only_plain all scram-sha-256',
    'host all only_plain all reject',
    'hostssl all certified all cert',
    'local all all peer',
    'host all all all scram-sha-256',
    'host replication postgres 127.0.0.1/32 scram-sha-256',
  ];
  await writeFile(join(data, 'pg_hba.conf'), `${hba.join('\n')}\n`);
  const server = await serverOn({ folder, data, owner, give, guard }, binaries, programs, settings);
  await server.start();
  return server;
}

interface OwnFolder {
  folder: string;
  data: string;
  owner: Awaited<ReturnType<typeof serverOwner>>;
  /** Gives a file to who runs the server. */
  give(path: string): Promise<void>;
  guard: ChildProcess;
}

async function ownFolder({ version }: PostgresBinaries): Promise<OwnFolder> {
  const folder = await mkdtemp(join(tmpdir(), `own-server-${version}-`));
  const owner = await serverOwner();
  const give = async (path: string): Promise<void> => (owner ? chown(path, owner.uid, owner.gid) : undefined);
  await give(folder);
  return { folder, data: join(folder, 'data'), owner, give, guard: guardFolder(folder) };
}

/** A server that is not started yet, on files that are there. */
async function serverOn(
  { folder, data, owner, guard }: OwnFolder,
  binaries: PostgresBinaries,
  programs: string,
  settings: Record<string, string | null>,
): Promise<OwnServer> {
  const port = await freePort();
  const flags = Object.entries({
    port: String(port),
    listen_addresses: 'localhost',
    unix_socket_directories: '',
    fsync: 'off',
    ssl: 'on',
    ssl_ca_file: 'server.crt',
    ...settings,
  }).flatMap(([name, value]) => (value === null ? [] : [`--${name}=${value}`]));

  let running: ChildProcess | undefined;
  const server: OwnServer = {
    port,
    data,
    target: (changes = {}) => ({
      host: '127.0.0.1',
      port,
      database: 'postgres',
      tls: { mode: 'disable' },
      applicationName: 'test',
      credentials: async () => ({ user: 'postgres', password: PASSWORD }),
      limits: {
        pool_size: 2,
        pool_overflow: 1,
        pool_timeout_seconds: 5,
        pool_recycle_seconds: 3600,
        connect_timeout_ms: 10_000,
        statement_timeout_ms: 30_000,
        lock_timeout_ms: 10_000,
        idle_in_transaction_timeout_ms: 60_000,
      },
      ...changes,
    }),
    async start() {
      const child = spawn(join(programs, 'postgres'), ['-D', data, ...flags], {
        ...owner,
        cwd: folder,
        stdio: ['ignore', 'ignore', 'pipe'],
      });
      running = child;
      await new Promise<void>((resolve, reject) => {
        let log = '';
        child.stderr.setEncoding('utf8').on('data', (text: string) => {
          log = (log + text).slice(-4096);
          // Beyond the second, it writes into a file, and says nothing more here.
          if (/ready to accept (?:read[ -]only )?connections|redirecting log output/.test(text)) resolve();
        });
        child.once('exit', () => reject(new Error(`The server ended:\n${log}`)));
      });
    },
    async stop() {
      const child = running;
      running = undefined;
      if (!child || child.exitCode !== null) return;
      const exited = new Promise((resolve) => child.once('exit', resolve));
      child.kill('SIGINT');
      await exited;
    },
    async standby() {
      await server.stop();
      const place = await ownFolder(binaries);
      // As its owner, to whom the copies are to belong.
      await run('cp', ['-r', data, place.data], { ...owner, cwd: folder });
      const signal = join(place.data, 'standby.signal');
      await writeFile(signal, '');
      await place.give(signal);
      await server.start();
      const primary = `host=127.0.0.1 port=${port} user=postgres password='${PASSWORD}'`;
      const standby = await serverOn(place, binaries, programs, { ...settings, primary_conninfo: primary });
      await standby.start();
      return standby;
    },
    async remove() {
      await server.stop();
      guard.kill();
      await rm(folder, { recursive: true, force: true });
    },
  };
  return server;
}
