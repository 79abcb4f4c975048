import { execFile } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { build } from 'esbuild';
import pg from 'pg';
import { embeddedBinaries, installedBinaries } from '../test/support/postgres-binaries.ts';
import { startServer, type TestServer } from '../test/support/postgres-server.ts';
import { hasTool } from './peers.ts';
import { EVERY_MS, LOAD_GENERATOR, measureLoss } from './sampling-loss.ts';
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
const MEGABYTE = 1_000_000;

/** Measures what a sample takes on a crowded server, and what sampling every 5 s costs pgbench. */
export async function benchmarkSampling(options: SamplingBenchmark): Promise<void> {
  const binaries =
    (await installedBinaries()).filter(({ statements }) => statements).at(-1) ?? (await embeddedBinaries());
  const { server, stop } = await startServer(binaries, {
    max_connections: String(options.sessions + 100),
    shared_buffers: '64MB',
    'pg_stat_statements.max': String(STATEMENTS),
    // What the server does by itself at moments of its own would fall on one half of a pair.
    checkpoint_timeout: '1h',
    max_wal_size: '20GB',
    autovacuum: 'off',
  });
  try {
    const result = {
      at: new Date().toISOString(),
      server: server.label,
      ...(options.pairs > 0 && hasTool(LOAD_GENERATOR, server.version)
        ? { lossOfThroughput: await measureLoss(server, options) }
        : { pgbench: 'left out: not installed, or no pairs asked for' }),
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

function middle(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
}
