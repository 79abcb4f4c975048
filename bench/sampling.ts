import { execFile, spawn } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { build } from 'esbuild';
import pg from 'pg';
import { takeReading } from '../shared/health/sample/take-reading.ts';
import { embeddedBinaries, installedBinaries } from '../test/support/postgres-binaries.ts';
import { startServer, type TestServer } from '../test/support/postgres-server.ts';
import { hasTool } from './peers.ts';
import type { SamplingStep, SamplingStepResult } from './sampling-step.ts';

const execute = promisify(execFile);

export interface SamplingBenchmark {
  sessions: number;
  tables: number;
  pairs: number;
  seconds: number;
  output: string;
}

const STATEMENTS = 5000;
const SAMPLES = 20;
const EVERY_MS = 5000;
const MEGABYTE = 1_000_000;
/** Of PostgreSQL, where it is installed. */
const LOAD_GENERATOR = 'pgbench';

/** Measures what a sample takes on a crowded server, and what sampling every 5 s costs pgbench. */
export async function benchmarkSampling(options: SamplingBenchmark): Promise<void> {
  const binaries =
    (await installedBinaries()).filter(({ statements }) => statements).at(-1) ?? (await embeddedBinaries());
  const { server, stop } = await startServer(binaries, {
    max_connections: String(options.sessions + 100),
    shared_buffers: '64MB',
    'pg_stat_statements.max': String(STATEMENTS),
  });
  try {
    const result = {
      at: new Date().toISOString(),
      server: server.label,
      ...(hasTool(LOAD_GENERATOR, server.version)
        ? await measureLoss(server, options)
        : { pgbench: 'left out: not installed' }),
      ...(await measureCrowd(server, options)),
    };
    console.log(JSON.stringify(result, null, 2));
    mkdirSync(dirname(options.output), { recursive: true });
    writeFileSync(options.output, `${JSON.stringify(result, null, 2)}\n`);
  } finally {
    await stop();
  }
}

async function open({ host, port, user, password }: TestServer): Promise<pg.Client> {
  const client = new pg.Client({ host, port, user, password, database: 'postgres', application_name: 'dbms sample' });
  client.on('error', () => undefined);
  await client.connect();
  return client;
}

const take = (client: pg.Client) => takeReading(client, { slowQuerySeconds: 1, poolLimit: 30 });

/** Database time of samples with many sessions, tables and statements, in milliseconds. */
async function measureCrowd(server: TestServer, { sessions, tables }: SamplingBenchmark) {
  const client = await open(server);
  await client.query('CREATE EXTENSION IF NOT EXISTS pg_stat_statements');
  console.log(`${server.label}; making ${tables} tables, ${STATEMENTS} statements, ${sessions} sessions`);
  for (let from = 0; from < tables; from += 500) {
    const made = Array.from({ length: Math.min(500, tables - from) }, (_, index) => {
      const name = `crowd_${from + index}`;
      return `CREATE TABLE ${name} (id int PRIMARY KEY GENERATED ALWAYS AS IDENTITY, n int)`;
    });
    await client.query(made.join(';'));
  }
  // Each number of columns is another statement.
  for (let columns = 1; columns <= STATEMENTS; columns++) {
    await client.query(
      `SELECT 1 AS c${columns}, ${'1 + '.repeat(columns % 50)}1 AS d${columns % 100}, $1::int LIMIT ${columns}`,
      [1],
    );
  }
  for (let at = 0; at < STATEMENTS; at++)
    await client.query(`SELECT id AS a${at} FROM crowd_${at % tables} WHERE id = $1`, [at]);
  const crowd: pg.Client[] = [];
  while (crowd.length < sessions) crowd.push(...(await Promise.all(Array.from({ length: 20 }, () => open(server)))));
  await client.query('ANALYZE');

  const { host, port, user, password } = server;
  const step: SamplingStep = { server: { host, port, user, password }, samples: SAMPLES };
  const measured = await sampleAlone(step);
  await Promise.all([...crowd, client].map((session) => session.end()));
  const { sample, parts, details, serverCpuMs } = measured;
  return {
    crowd: { sessions: measured.sessions, tables, statements: measured.statements },
    sampleMs: { median: middle(sample), most: Math.max(...sample) },
    detailsOfOneSampleMs: { median: middle(parts), most: Math.max(...parts) },
    allDetailsMs: { median: middle(details), most: Math.max(...details) },
    /** What one sample costs the server, of which one every 5 s takes the given share of a processor. */
    serverCpuMsPerSample: serverCpuMs,
    shareOfOneProcessorEvery5s: serverCpuMs / EVERY_MS,
    /** Of the process that samples. */
    peakMegabytes: Math.round(measured.peakBytes / MEGABYTE),
  };
}

/** As a function has it: in one file. Node's own reading of TypeScript would take memory of its own. */
async function sampleAlone(step: SamplingStep): Promise<SamplingStepResult> {
  const folder = await mkdtemp(join(tmpdir(), 'bench-'));
  try {
    const script = join(folder, 'sampling-step.mjs');
    await build({
      entryPoints: [fileURLToPath(new URL('sampling-step.ts', import.meta.url))],
      outfile: script,
      ...{ bundle: true, platform: 'node', format: 'esm', logLevel: 'error' },
      banner: { js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);" },
    });
    const env = { ...process.env, STEP: JSON.stringify(step) };
    const { stdout } = await execute(process.execPath, ['--max-semi-space-size=4', script], { env });
    return JSON.parse(stdout) as SamplingStepResult;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** pgbench with and without a sample every 5 s, in pairs whose order changes. */
async function measureLoss(server: TestServer, { pairs, seconds }: SamplingBenchmark) {
  await pgbench(server, ['-i', '-s', '20', '-q']);
  await pgbench(server, ['-c', '2', '-T', String(seconds)]);
  const losses: number[] = [];
  for (let pair = 0; pair < pairs; pair++) {
    const run = (): Promise<number> => pgbench(server, ['-c', '2', '-T', String(seconds)]);
    const [first, second] =
      pair % 2 === 0 ? [await sampled(server, run), await run()] : [await run(), await sampled(server, run)];
    const [withSampling, without] = pair % 2 === 0 ? [first, second] : [second, first];
    losses.push(1 - withSampling / without);
    console.log(`  ${Math.round(without)} tps without, ${Math.round(withSampling)} with sampling`);
  }
  const sorted = [...losses].sort((a, b) => a - b);
  return {
    lossOfThroughput: { median: middle(losses), least: sorted[0], most: sorted.at(-1) },
    pairs,
    secondsEach: seconds,
  };
}

async function sampled(server: TestServer, run: () => Promise<number>): Promise<number> {
  const client = await open(server);
  let sampling: Promise<unknown> = take(client);
  const timer = setInterval(() => {
    sampling = take(client);
  }, EVERY_MS);
  try {
    return await run();
  } finally {
    clearInterval(timer);
    await sampling;
    await client.end();
  }
}

/** Transactions per second; 0 for an initialization. */
async function pgbench({ host, port, user, password }: TestServer, args: string[]): Promise<number> {
  const child = spawn(LOAD_GENERATOR, ['-h', host, '-p', String(port), '-U', user, '-n', ...args, 'postgres'], {
    env: { ...process.env, PGPASSWORD: password },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let said = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      said = (said + text).slice(-4000);
    });
  }
  const code = await new Promise<number | null>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', resolve);
  });
  if (code !== 0) throw new Error(`pgbench ended with ${code}: ${said}`);
  return Number(/^tps = ([\d.]+)/m.exec(said)?.[1] ?? 0);
}

function middle(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
}
