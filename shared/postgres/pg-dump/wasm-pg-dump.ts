import type { Socket } from 'node:net';
import { MessageChannel, Worker } from 'node:worker_threads';
import type pg from 'pg';
import { type ConnectionTarget, connect } from '../connect.ts';
import { explainDumpFailure } from './dump-failure.ts';
import { WASM_WORKER_SOURCE } from './wasm-worker.ts';
import { type SessionParameters, type WireBridge, wireBridge } from './wire-bridge.ts';

export interface DumpRun {
  target: ConnectionTarget;
  args: readonly string[];
  signal?: AbortSignal | undefined;
}

/** What the driver knows and its types do not tell. */
interface DriverInternals {
  connection: { stream: Socket };
  processID: number;
}

type WorkerResult = { archive: Uint8Array } | { failure: string };

/**
 * Runs the WebAssembly pg_dump over a connection of ours, so logins, TLS and their errors are the same as everywhere else.
 * This thread is never blocked; the worker thread and the connection are gone when the promise settles.
 *
 * @param postgresToolsPath - the `node_modules` folder that holds `@electric-sql/pglite-tools`
 * @returns the archive's bytes
 * @throws OperationError, or the signal's reason
 */
export async function runWasmPgDump({ target, args, signal }: DumpRun, postgresToolsPath: string): Promise<Uint8Array> {
  signal?.throwIfAborted();
  let bridge: WireBridge | undefined;
  const client = await connect(target, { kind: 'exporting', isWaiting: () => bridge?.isWaiting() === true });
  let worker: Worker | undefined;
  const channel = new MessageChannel();
  const { connection, processID } = client as unknown as DriverInternals;
  const { stream } = connection;
  const stop = (): void => void stream.destroy();
  let ended = false;
  client.once('end', () => {
    ended = true;
  });
  try {
    const parameters = await sessionParameters(client);
    signal?.throwIfAborted();
    signal?.addEventListener('abort', stop, { once: true });
    stream.removeAllListeners('data');
    const opened = wireBridge(stream, parameters);
    bridge = opened;

    const wake = new SharedArrayBuffer(4);
    channel.port1.on('message', async (written: Uint8Array) => {
      channel.port1.postMessage(await opened.exchange(written));
      Atomics.add(new Int32Array(wake), 0, 1);
      Atomics.notify(new Int32Array(wake), 0);
    });
    worker = new Worker(WASM_WORKER_SOURCE, {
      eval: true,
      name: 'pg_dump',
      env: {},
      execArgv: [],
      workerData: { toolsPath: postgresToolsPath, args, port: channel.port2, wake },
      transferList: [channel.port2],
    });
    const result = await workerResult(worker, signal);
    if ('archive' in result) return result.archive;
    throw explainDumpFailure(ended ? 'server closed the connection' : result.failure, target);
  } catch (error) {
    throw signal?.aborted ? signal.reason : error;
  } finally {
    signal?.removeEventListener('abort', stop);
    channel.port1.close();
    await worker?.terminate();
    if (signal?.aborted) await endSession(target, processID);
    if (!ended) await client.end().catch(() => undefined);
  }
}

function workerResult(worker: Worker, signal: AbortSignal | undefined): Promise<WorkerResult> {
  return new Promise<WorkerResult>((resolve, reject) => {
    const aborted = (): void => reject(signal?.reason);
    signal?.addEventListener('abort', aborted, { once: true });
    worker.once('message', resolve);
    worker.once('error', reject);
    worker.once('exit', (code) => {
      signal?.removeEventListener('abort', aborted);
      reject(new Error(`The pg_dump thread ended early (${code})`));
    });
  });
}

/** A server that waits for a lock does not notice that its client has gone, so it is told over a second connection. */
async function endSession(target: ConnectionTarget, processId: number): Promise<void> {
  try {
    const other = await connect(target, { kind: 'administering', statementTimeoutMs: 5000 });
    await other.query('SELECT pg_catalog.pg_terminate_backend($1)', [processId]).finally(() => other.end());
  } catch {
    // The session then ends by itself when its lock wait does.
  }
}

/** The parameters that servers of every supported version report on their own, read from the settings. */
async function sessionParameters(client: pg.Client): Promise<SessionParameters> {
  const { rows } = await client.query<{ name: string; setting: string }>(`
    SELECT name, setting FROM pg_catalog.pg_settings
     WHERE name IN ('server_version', 'server_encoding', 'client_encoding', 'is_superuser', 'session_authorization',
                    'standard_conforming_strings', 'integer_datetimes', 'DateStyle', 'IntervalStyle', 'TimeZone',
                    'default_transaction_read_only', 'in_hot_standby')`);
  return Object.fromEntries(rows.map(({ name, setting }) => [name, setting]));
}
