import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { Duplex } from 'node:stream';
import { Worker } from 'node:worker_threads';
import pg from 'pg';
import { WORKER_SOURCE } from './worker-source.ts';

/** A server of its own, in the memory of this process, with an empty database. Nothing that runs in it reaches anything else. */
export interface WasmServer {
  /** The only session, as a superuser. */
  client: pg.Client;
  /** The extensions that it has of those that were asked for. */
  extensions: readonly string[];
  close(): Promise<void>;
}

export interface WasmServerOptions {
  /** The `node_modules` folder that holds `@electric-sql/pglite`. */
  postgresToolsPath: string;
  /** Extensions that are wanted; of those that it does not have, none is there. */
  extensions: readonly string[];
  /** Ends it, whatever it is at. */
  signal: AbortSignal;
}

/** Megabytes; the server's memory is beside it. */
const MAX_HEAP = 256;

interface Answer {
  answer?: Uint8Array;
  failure?: string;
}

/**
 * Starts PostgreSQL as WebAssembly in a thread, which can be ended also while a statement runs.
 *
 * @throws Error when it cannot be started; the reason of `signal` when that ends it
 */
export async function openWasmServer({
  postgresToolsPath,
  extensions: wanted,
  signal,
}: WasmServerOptions): Promise<WasmServer> {
  signal.throwIfAborted();
  const dist = join(postgresToolsPath, '@electric-sql', 'pglite', 'dist');
  const extensions = wanted
    .map((name) => ({ name: name.replaceAll('-', '_'), original: name }))
    .map((each) => ({ ...each, path: join(dist, 'contrib', `${each.name}.js`) }))
    .filter(({ path }) => existsSync(path));
  const worker = new Worker(WORKER_SOURCE, {
    eval: true,
    workerData: { path: join(dist, 'index.js'), extensions: extensions.map(({ name, path }) => ({ name, path })) },
    resourceLimits: { maxOldGenerationSizeMb: MAX_HEAP },
    stdout: true,
    stderr: true,
  });
  const waiting: ((error: Error | null, answer: Uint8Array) => void)[] = [];
  const settle = (error: Error | null, answer: Uint8Array): void => waiting.shift()?.(error, answer);
  const end = (error: Error): void => {
    while (waiting.length > 0) settle(error, new Uint8Array());
  };
  let ended: Error | null = null;
  worker.on('message', ({ answer, failure }: Answer) =>
    settle(failure === undefined ? null : new Error(failure), answer ?? new Uint8Array()),
  );
  worker.on('error', (error: Error) => {
    ended = error;
    end(error);
  });
  worker.on('exit', () => {
    ended ??= new Error('PostgreSQL as WebAssembly has ended');
    end(ended);
  });
  const abort = (): void => {
    ended = signal.reason instanceof Error ? signal.reason : new Error(String(signal.reason));
    end(ended);
    void worker.terminate();
  };
  signal.addEventListener('abort', abort, { once: true });
  const close = async (): Promise<void> => {
    signal.removeEventListener('abort', abort);
    await worker.terminate();
  };
  try {
    await new Promise<void>((resolve, reject) => waiting.push((error) => (error ? reject(error) : resolve())));
    const ask = (bytes: Uint8Array): Promise<Uint8Array> =>
      new Promise((resolve, reject) => {
        if (ended) return reject(ended);
        waiting.push((error, answer) => (error ? reject(error) : resolve(answer)));
        worker.postMessage(bytes);
      });
    const client = new pg.Client({
      stream: () => protocolStream(ask) as never,
      user: 'postgres',
      database: 'postgres',
    });
    client.on('error', () => undefined);
    await client.connect();
    return { client, extensions: extensions.map(({ original }) => original), close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** A socket to the server, as far as the driver needs one. */
function protocolStream(ask: (bytes: Uint8Array) => Promise<Uint8Array>): Duplex {
  const stream = new Duplex({
    read: () => undefined,
    write(chunk: Buffer, _encoding, done) {
      ask(new Uint8Array(chunk)).then(
        (answer) => {
          if (answer.length > 0) stream.push(Buffer.from(answer));
          done();
        },
        (error: Error) => done(error),
      );
    },
  });
  const nothing = () => stream;
  return Object.assign(stream, {
    connect() {
      process.nextTick(() => stream.emit('connect'));
      return stream;
    },
    setNoDelay: nothing,
    setKeepAlive: nothing,
    ref: nothing,
    unref: nothing,
  });
}
