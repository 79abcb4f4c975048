/**
 * What runs in the worker: PostgreSQL as WebAssembly, which takes messages of PostgreSQL's protocol and answers them. It is given as text,
 * as it is no module of a bundle; the packages that it loads are in a layer.
 */
export const WORKER_SOURCE = `
const { parentPort, workerData } = require('node:worker_threads');
const { pathToFileURL } = require('node:url');
const load = (path) => import(pathToFileURL(path).href);
const extensions = async () => {
  const found = {};
  for (const { name, path } of workerData.extensions) found[name] = (await load(path))[name];
  return found;
};
(async () => {
  const { PGlite } = await load(workerData.path);
  const server = await PGlite.create({ extensions: await extensions() });
  parentPort.on('message', async (bytes) => {
    try {
      const answer = await server.execProtocolRaw(bytes);
      parentPort.postMessage({ answer });
    } catch (error) {
      parentPort.postMessage({ failure: String(error && error.message) });
    }
  });
  parentPort.postMessage({ answer: new Uint8Array() });
})().catch((error) => parentPort.postMessage({ failure: String(error && error.stack) }));
`;
