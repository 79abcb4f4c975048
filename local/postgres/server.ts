import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { chownSync, closeSync, existsSync, openSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort, requireFreePort } from '../ports.ts';
import { type Place, prepareFolder } from './folder.ts';
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

const READY_WITHIN_MS = 120_000;
/** For a shutdown with a checkpoint, then for one without; after both the processes are killed. */
const STOP_WITHIN_MS = 60_000;
const QUIT_WITHIN_MS = 5_000;

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

/** A group of its own, so that a key press in the terminal does not reach it: it is stopped when everything else is. */
function launch(program: string, flags: string[], { path, owner }: Place, log: string | null): ChildProcess {
  const output = log === null ? 'pipe' : openSync(log, 'a', 0o600);
  try {
    return spawn(program, flags, {
      ...(owner ?? {}),
      cwd: path,
      env: { ...process.env, LC_MESSAGES: 'C' },
      stdio: ['ignore', output, output],
      detached: true,
    });
  } finally {
    if (typeof output === 'number') closeSync(output);
  }
}

/** Waits until the server takes connections, as it says in its `postmaster.pid`. */
async function untilReady(server: ChildProcess, data: string, signal: AbortSignal | undefined): Promise<void> {
  let failure: unknown = null;
  server.once('error', (error) => {
    failure = error;
  });
  for (const until = Date.now() + READY_WITHIN_MS; Date.now() < until; await sleep(50)) {
    signal?.throwIfAborted();
    if (failure) throw failure;
    if (hasEnded(server)) throw new Error(`The server ended (${server.exitCode ?? server.signalCode})`);
    const lines = readIfThere(join(data, 'postmaster.pid')).split('\n');
    if (Number(lines[0]) === server.pid && lines[7]?.trim() === 'ready') return;
  }
  throw new Error(`The server was not ready within ${READY_WITHIN_MS / 1000} s`);
}

/** Fast shutdown, then an immediate one, then an end: whatever keeps the server from stopping, nothing is left running. */
async function endServer(server: ChildProcess): Promise<void> {
  if (server.pid === undefined || hasEnded(server)) return;
  const exited = once(server, 'exit');
  for (const [kill, milliseconds] of [
    [() => server.kill('SIGINT'), STOP_WITHIN_MS],
    [() => server.kill('SIGQUIT'), QUIT_WITHIN_MS],
    [() => process.kill(-(server.pid ?? 0), 'SIGKILL'), QUIT_WITHIN_MS],
  ] as const) {
    kill();
    const ended = await Promise.race([exited.then(() => true), sleep(milliseconds, false, { ref: false })]);
    if (ended) return;
  }
}

/** A process of its own that waits for the end of its input, which comes when this process ends, also by SIGKILL; then it stops the server. */
function guardServer(server: ChildProcess): ChildProcess {
  const guard = spawn('/bin/sh', ['-c', 'cat >/dev/null; kill -INT "$1"', 'postgres-guard', String(server.pid)], {
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  guard.on('error', () => undefined);
  guard.unref();
  return guard;
}

/** One left running by a start that was killed holds the data; it is stopped first, in order where that is possible. */
async function stopFormer(controller: string, data: string, place: Place): Promise<void> {
  for (const mode of ['fast', 'immediate']) {
    if (!existsSync(join(data, 'postmaster.pid'))) return;
    const stopping = launch(controller, ['stop', '-D', data, '-m', mode, '-w', '-t', '60'], place, null);
    await new Promise((done) => stopping.once('close', done).once('error', done));
  }
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

/** Waits for a program's end. @throws Error with what it said when it fails or is ended by the signal */
async function finish(child: ChildProcess, signal: AbortSignal | undefined): Promise<void> {
  let said = '';
  for (const stream of [child.stdout, child.stderr])
    stream?.setEncoding('utf8').on('data', (text: string) => {
      said = (said + text).slice(-4_000);
    });
  const end = () => process.kill(-(child.pid ?? 0), 'SIGKILL');
  if (child.pid !== undefined) signal?.addEventListener('abort', end);
  try {
    if (signal?.aborted && child.pid !== undefined) end();
    const code = await new Promise((resolve, reject) => {
      child.once('error', reject);
      child.once('close', resolve);
    });
    if (code !== 0) throw new Error(said.trim());
  } finally {
    signal?.removeEventListener('abort', end);
  }
}

/** The superuser's password; `isNew` when there was none, and so no state. */
function readPassword(path: string): { password: string; isNew: boolean } {
  if (existsSync(path)) return { password: readFileSync(path, 'utf8'), isNew: false };
  const password = randomBytes(24).toString('base64url');
  writeFileSync(path, password, { mode: 0o600 });
  return { password, isNew: true };
}

function readIfThere(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

const hasEnded = ({ exitCode, signalCode }: ChildProcess): boolean => exitCode !== null || signalCode !== null;
