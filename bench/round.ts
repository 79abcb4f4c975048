import { execFile } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import pg from 'pg';
import { startState } from '../test/state/support.ts';
import { embeddedBinaries, installedBinaries } from '../test/support/postgres-binaries.ts';
import { startServer } from '../test/support/postgres-server.ts';
import { fillBenchmarkDatabase } from './database.ts';
import type { RoundStep, RoundStepResult } from './round-step.ts';

const execute = promisify(execFile);

const STEP = fileURLToPath(new URL('./round-step.ts', import.meta.url));
const SCALE = 0.02;
const PAUSE_MS = 300;
/** What is read every five minutes is read in every tenth round at 30 s between them. */
const RARELY = 10;

/** Measures what one round of the sampler takes of Lambda, DynamoDB and the log: infra/costs/usage.ts has the figures that count. */
export async function benchmarkRound({ rounds, output }: { rounds: number; output: string }): Promise<void> {
  const binaries =
    (await installedBinaries()).filter(({ statements }) => statements).at(-1) ?? (await embeddedBinaries());
  const { server, stop } = await startServer(binaries, { max_connections: '50' });
  const state = await startState();
  try {
    const { host, port, user, password } = server;
    const client = new pg.Client({ host, port, user, password, database: 'postgres' });
    await client.connect();
    await client.query('CREATE EXTENSION IF NOT EXISTS pg_stat_statements').catch(() => undefined);
    await fillBenchmarkDatabase(client, SCALE);
    await client.end();
    const step: RoundStep = {
      server: { host, port, user, password, database: 'postgres' },
      rounds,
      pauseMs: PAUSE_MS,
      rarely: RARELY,
    };
    const env = { ...process.env, ...state.services.environment(), ROUND_STEP: JSON.stringify(step) };
    const { stdout } = await execute(process.execPath, [STEP], { env });
    const result = {
      at: new Date().toISOString(),
      server: server.label,
      rounds,
      ofARound: JSON.parse(stdout) as RoundStepResult,
    };
    console.log(JSON.stringify(result, null, 2));
    mkdirSync(dirname(output), { recursive: true });
    writeFileSync(output, `${JSON.stringify(result, null, 2)}\n`);
  } finally {
    await state.close();
    await stop();
  }
}
