/**
 * Source of the worker thread that runs the WebAssembly pg_dump.
 *
 * It is a text, not a module of its own: the functions are bundled into one file each, in which no second file can be
 * named. It uses nothing but Node's modules and the tools' folder, so it is the same bundled or not.
 *
 * pg_dump is synchronous, so each of its writes is posted to the thread that has the socket, and this thread sleeps until
 * that one has answered. The package hands out the dump as text only, which cannot hold an archive; so the options object
 * that it gives to its Emscripten module (the only one with `preRun`) is asked, in passing, for the module's file system.
 */
export const WASM_WORKER_SOURCE = `
'use strict';
const { workerData, parentPort, receiveMessageOnPort } = require('node:worker_threads');
const { createRequire } = require('node:module');
const path = require('node:path');
const { toolsPath, args, port, wake } = workerData;
process.argv[1] = 'pg_dump'; // the name in its messages

const answered = new Int32Array(wake);
let seen = 0;
function exchange(bytes) {
  port.postMessage(bytes);
  for (;;) {
    Atomics.wait(answered, 0, seen);
    const received = receiveMessageOnPort(port);
    if (received) {
      seen += 1;
      return received.message;
    }
  }
}

let fileSystem;
const assign = Object.assign;
Object.assign = (target, ...sources) => {
  for (const source of sources) {
    if (Array.isArray(source?.preRun)) source.preRun.push((module) => { fileSystem = module.FS; });
  }
  return assign(target, ...sources);
};

const pg = {
  query: async () => ({ rows: [{ search_path: 'public' }] }),
  exec: async () => [],
  execProtocolRawStream(bytes, { onRawData }) {
    const reply = exchange(bytes.slice());
    if (reply.length > 0) onRawData(reply);
  },
};

(async () => {
  const tools = createRequire(path.join(toolsPath, 'index.cjs'))('@electric-sql/pglite-tools/pg_dump');
  await tools.pgDump({ pg, args });
  if (!fileSystem) throw new Error('this version of @electric-sql/pglite-tools gives no access to the dump');
  return { archive: fileSystem.readFile('/tmp/out.sql') };
})().then(
  (result) => parentPort.postMessage(result),
  (error) => parentPort.postMessage({ failure: String(error?.message ?? error) }),
).finally(() => port.close());
`;
