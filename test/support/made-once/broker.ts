import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { assemblies } from './assemblies.ts';
import { functionBundles } from './bundles.ts';
import { serverPool } from './server-pool.ts';

/** What is made for files that ask for it. */
export interface Source {
  /** @param name - of the one that is wanted, where there are several */
  get(name: string): Promise<unknown>;
  /** Ends what was made, also by a `get` that failed halfway. */
  stop(): Promise<void>;
}

export interface Broker {
  /** Answers `POST <url>/<source>`, with the name as its body, with JSON, or 500 with the reason in words. */
  url: string;
  stop(): Promise<void>;
}

/** Serves what the files of a test run have in common, each made when the first file asks for it. */
export async function startBroker(): Promise<Broker> {
  const bundles = functionBundles();
  const sources: Readonly<Record<string, Source>> = { servers: serverPool(), bundles, assemblies: assemblies(bundles) };
  const forget = await keepCompiledCode();
  const get = async (source: string, name: string): Promise<unknown> => {
    const found = sources[source];
    if (!found) throw new Error(`There is nothing that is called ${source}`);
    return await found.get(name);
  };
  const http = createServer((request, response) => {
    const answer = (status: number, body: unknown): void => {
      response.writeHead(status, { 'content-type': 'application/json', connection: 'close' });
      response.end(JSON.stringify(body));
    };
    const source = (request.url ?? '').slice(1);
    const asked = text(request).then((name) => get(source, name));
    asked.then(
      (made) => answer(200, made),
      (error: unknown) => answer(500, error instanceof Error ? error.message : String(error)),
    );
  });
  await new Promise<void>((ready) => http.listen(0, '127.0.0.1', ready));
  const { port } = http.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    async stop() {
      http.closeAllConnections();
      await new Promise((closed) => http.close(closed));
      await Promise.all(Object.values(sources).map((source) => source.stop()));
      await forget();
    },
  };
}

/** Keeps compiled code of packages, which each worker and each process that tests start would compile for itself. */
async function keepCompiledCode(): Promise<() => Promise<void>> {
  if (process.env.NODE_COMPILE_CACHE) return async () => undefined;
  const folder = await mkdtemp(join(tmpdir(), 'test-compiled-'));
  process.env.NODE_COMPILE_CACHE = folder;
  return async () => {
    delete process.env.NODE_COMPILE_CACHE;
    await rm(folder, { recursive: true, force: true, maxRetries: 5 });
  };
}
