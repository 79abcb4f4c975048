import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { chown, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { serverOwner } from '../../../local/postgres/programs.ts';
import { freePort } from '../../support/postgres-server.ts';

const run = promisify(execFile);

/** A PgBouncer in front of a server. */
export interface PgBouncer {
  host: string;
  port: number;
  stop(): Promise<void>;
}

interface Options {
  /** Port of the server on this machine. */
  serverPort: number;
  mode: 'transaction' | 'session' | 'statement';
  /** Logins with their passwords, which clients log in with by SCRAM, and it to the server. */
  users: Readonly<Record<string, string>>;
  /** Sessions of the server for each database and login. One lets every client meet what another has left behind. */
  poolSize?: number;
  settings?: Readonly<Record<string, string | number>>;
}

/** The program of Debian's package `pgbouncer`, or one on the PATH; null where there is none. */
export async function findPgBouncer(): Promise<string | null> {
  for (const program of ['/usr/sbin/pgbouncer', 'pgbouncer']) {
    const found = await run(program, ['--version']).catch(() => null);
    if (found?.stdout.startsWith('PgBouncer')) return program;
  }
  return null;
}

/** The program; null, with one line that says so, where it is not installed. */
export async function pgBouncerOrSkip(): Promise<string | null> {
  const program = await findPgBouncer();
  if (!program) {
    process.stderr.write(
      '\nSKIPPED: the tests of connection poolers, as PgBouncer is not installed (apt-get install pgbouncer)\n\n',
    );
  }
  return program;
}

/** Starts PgBouncer on a free loopback port. Its files are in a temporary folder. */
export async function startPgBouncer(
  program: string,
  { serverPort, mode, users, poolSize = 1, settings = {} }: Options,
): Promise<PgBouncer> {
  const owner = await serverOwner();
  const folder = await mkdtemp(join(tmpdir(), 'pgbouncer-'));
  const port = await freePort();
  const give = async (name: string, text: string): Promise<string> => {
    const path = join(folder, name);
    await writeFile(path, text, { mode: 0o600 });
    if (owner) await chown(path, owner.uid, owner.gid);
    return path;
  };
  if (owner) await chown(folder, owner.uid, owner.gid);
  const quoted = (text: string): string => `"${text.replaceAll('"', '""')}"`;
  const logins = Object.entries(users).map((login) => login.map(quoted).join(' '));
  const given = {
    listen_addr: '127.0.0.1',
    listen_port: port,
    unix_socket_dir: '',
    auth_type: 'scram-sha-256',
    auth_file: await give('users.txt', `${logins.join('\n')}\n`),
    pool_mode: mode,
    default_pool_size: poolSize,
    max_client_conn: 50,
    query_wait_timeout: 20,
    ...settings,
  };
  const lines = Object.entries(given).map(([name, value]) => `${name} = ${value}`);
  const path = await give(
    'pgbouncer.ini',
    `[databases]\n* = host=127.0.0.1 port=${serverPort}\n[pgbouncer]\n${lines.join('\n')}\n`,
  );
  const child = spawn(program, [path], { ...owner, cwd: folder, stdio: ['ignore', 'ignore', 'pipe'] });
  const stop = async (): Promise<void> => {
    await endProcess(child);
    await rm(folder, { recursive: true, force: true });
  };
  try {
    await untilUp(child);
  } catch (error) {
    await stop();
    throw error;
  }
  return { host: '127.0.0.1', port, stop };
}

async function untilUp(child: ChildProcess): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    let log = '';
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      log = (log + text).slice(-4096);
      if (log.includes('process up')) resolve();
    });
    child.once('error', reject);
    child.once('exit', () => reject(new Error(`PgBouncer did not start:\n${log}`)));
  });
}

async function endProcess(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = new Promise((done) => child.once('exit', done));
  child.kill('SIGTERM');
  const timer = setTimeout(() => child.kill('SIGKILL'), 5_000);
  await exited;
  clearTimeout(timer);
}
