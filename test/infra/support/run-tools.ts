import { createRequire } from 'node:module';
import { join } from 'node:path';
import { MessageChannel, Worker } from 'node:worker_threads';

/**
 * Uses the tools of the layer as a function finds them, in a process of its own: parses SQL, and runs the worker whose source is
 * given until pg_dump has sent its first message to a server. Tells both on standard output, as JSON.
 */
const [workerSource = ''] = process.argv.slice(2);
const toolsPath = process.env.POSTGRES_TOOLS_PATH ?? '';

const parser = createRequire(join(toolsPath, 'index.cjs'))('libpg-query') as {
  parse(sql: string): Promise<{ version: number; stmts: unknown[] }>;
};
const { version, stmts } = await parser.parse('SELECT 1; TABLE "x y"');

const wake = new SharedArrayBuffer(4);
const channel = new MessageChannel();
const worker = new Worker(workerSource, {
  eval: true,
  env: {},
  execArgv: [],
  workerData: { toolsPath, args: ['--schema-only'], port: channel.port2, wake },
  transferList: [channel.port2],
});
const said = await new Promise<string>((resolve, reject) => {
  channel.port1.once('message', (bytes: Uint8Array) => resolve(Buffer.from(bytes).toString('latin1')));
  worker.once('message', ({ failure }) => resolve(String(failure)));
  worker.once('error', reject);
});
process.stdout.write(JSON.stringify({ version, statements: stmts.length, said }), () => process.exit(0));
