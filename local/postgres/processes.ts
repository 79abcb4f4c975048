import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, existsSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Place } from './folder.ts';

const READY_WITHIN_MS = 120_000;
/** For a shutdown with a checkpoint, then for one without; after both the processes are killed. */
const STOP_WITHIN_MS = 60_000;
const QUIT_WITHIN_MS = 5_000;

/** A group of its own, so that a key press in the terminal does not reach it: it is stopped when everything else is. */
export function launch(program: string, flags: string[], { path, owner }: Place, log: string | null): ChildProcess {
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
export async function untilReady(server: ChildProcess, data: string, signal: AbortSignal | undefined): Promise<void> {
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
export async function endServer(server: ChildProcess): Promise<void> {
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
export function guardServer(server: ChildProcess): ChildProcess {
  const guard = spawn('/bin/sh', ['-c', 'cat >/dev/null; kill -INT "$1"', 'postgres-guard', String(server.pid)], {
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  guard.on('error', () => undefined);
  guard.unref();
  return guard;
}

/** One left running by a start that was killed holds the data; it is stopped first, in order where that is possible. */
export async function stopFormer(controller: string, data: string, place: Place): Promise<void> {
  for (const mode of ['fast', 'immediate']) {
    if (!existsSync(join(data, 'postmaster.pid'))) return;
    const stopping = launch(controller, ['stop', '-D', data, '-m', mode, '-w', '-t', '60'], place, null);
    await new Promise((done) => stopping.once('close', done).once('error', done));
  }
}

/** Waits for a program's end. @throws Error with what it said when it fails or is ended by the signal */
export async function finish(child: ChildProcess, signal: AbortSignal | undefined): Promise<void> {
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

function readIfThere(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

const hasEnded = ({ exitCode, signalCode }: ChildProcess): boolean => exitCode !== null || signalCode !== null;
