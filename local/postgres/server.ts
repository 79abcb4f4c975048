import { randomBytes } from 'node:crypto';
import { chownSync, existsSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePort, requireFreePort } from '../ports.ts';
import { type Place, prepareFolder } from './folder.ts';
import { endServer, finish, guardServer, launch, stopFormer, untilReady } from './processes.ts';
import { embeddedPrograms, reachablePrograms } from './programs.ts';

/** The local server's connection; its superuser is called `postgres`. */
export type LocalPostgres = {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
  /** Resolves with the server's last words when it ends without having been stopped. */
  readonly lost: Promise<string>;
  readonly stop: () => Promise<void>;
};

/**
 * Starts the PostgreSQL 18 that npm installed, on data below the state folder, made on the first start. As root it runs as
 * the system user `postgres`, which is made when it is missing, since the server refuses to run as root. It ends with this
 * process, however that ends.
 *
 * @param port - 0 takes a free one
 * @param signal - ends the start; what was started by then is stopped
 * @throws Error saying what is missing when the programs were not installed, the server's last log lines when it does not start;
 * PortTaken when the port is another's
 */
export async function startPostgres({
  stateFolder,
  port: wanted,
  signal,
}: {
  stateFolder: string;
  port: number;
  signal?: AbortSignal | undefined;
}): Promise<LocalPostgres> {
  if (wanted !== 0) await requireFreePort(wanted);
  const { password, isNew } = readPassword(join(stateFolder, 'postgres-password'));
  const place = await prepareFolder(stateFolder, isNew);
  const programs = await reachablePrograms(await embeddedPrograms(), place.path, place.owner);
  signal?.throwIfAborted();
  const data = join(place.path, 'data');
  if (!existsSync(join(data, 'PG_VERSION'))) await initialize(join(programs, 'initdb'), data, password, place, signal);
  await stopFormer(join(programs, 'pg_ctl'), data, place);
  const port = wanted || (await freePort());
  const settings: Record<string, string> = {
    port: String(port),
    listen_addresses: '127.0.0.1',
    unix_socket_directories: '',
    shared_preload_libraries: 'pg_stat_statements',
    wal_level: 'logical',
    max_connections: '100',
    // As the guide for a server of one's own advises: a slot that nobody reads does not fill the disk.
    max_slot_wal_keep_size: '4GB',
    log_min_messages: 'warning',
  };
  const log = join(place.path, 'server.log');
  rmSync(log, { force: true });
  const flags = Object.entries(settings).map(([name, value]) => `--${name}=${value}`);
  const server = launch(join(programs, 'postgres'), ['-D', data, ...flags], place, log);
  const guard = guardServer(server);
  let stopping = false;
  const stop = async (): Promise<void> => {
    stopping = true;
    await endServer(server);
    guard.kill();
  };
  const lastLines = () => (existsSync(log) ? readFileSync(log, 'utf8').trim().split('\n').slice(-5).join('\n') : '');
  try {
    await untilReady(server, data, signal);
  } catch (cause) {
    await stop();
    signal?.throwIfAborted();
    throw new Error(`PostgreSQL did not start from ${data}.\n${lastLines()}`, { cause });
  }
  const lost = new Promise<string>((resolve) => {
    server.once('exit', () => {
      if (!stopping) resolve(lastLines());
    });
  });
  return { host: '127.0.0.1', port, user: 'postgres', password, lost, stop };
}

async function initialize(
  initdb: string,
  data: string,
  password: string,
  place: Place,
  signal: AbortSignal | undefined,
): Promise<void> {
  const unfinished = `${data}.unfinished`;
  rmSync(unfinished, { recursive: true, force: true });
  const passwordFile = `${data}.password`;
  const flags = [
    `--pgdata=${unfinished}`,
    '--auth=scram-sha-256',
    '--username=postgres',
    `--pwfile=${passwordFile}`,
    '--encoding=UTF8',
    '--locale=C',
    '--locale-provider=builtin',
    '--builtin-locale=C.UTF-8',
    '--no-sync',
  ];
  try {
    writeFileSync(passwordFile, password, { mode: 0o600 });
    if (place.owner) chownSync(passwordFile, place.owner.uid, place.owner.gid);
    await finish(launch(initdb, flags, place, null), signal);
    // A data folder is there whole or not at all, also when this is ended in the middle.
    renameSync(unfinished, data);
  } catch (cause) {
    rmSync(unfinished, { recursive: true, force: true });
    signal?.throwIfAborted();
    throw new Error(`PostgreSQL could not make its data folder: ${(cause as Error).message}`, { cause });
  } finally {
    rmSync(passwordFile, { force: true });
  }
}

/** The superuser's password; `isNew` when there was none, and so no state. */
function readPassword(path: string): { password: string; isNew: boolean } {
  if (existsSync(path)) return { password: readFileSync(path, 'utf8'), isNew: false };
  const password = randomBytes(24).toString('base64url');
  writeFileSync(path, password, { mode: 0o600 });
  return { password, isNew: true };
}
