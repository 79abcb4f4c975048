import { join } from 'node:path';
import { S3Client } from '@aws-sdk/client-s3';
import { captureChanges } from '../shared/changes/capture/capture.ts';
import { captureDefaults } from '../shared/changes/capture/settings.ts';
import { replayChanges } from '../shared/changes/replay/replay.ts';
import { planReplay } from '../shared/changes/window/plan-replay.ts';
import { openParser } from '../shared/postgres/parse-statements.ts';

/**
 * One capture or replay in a process of its own, so that its memory is measured alone. What to do comes as JSON in `STEP`; where the
 * services are, in the environment. Prints what it did as JSON.
 */
export interface Step {
  kind: 'capture' | 'replay';
  server: { host: string; port: number; user: string; password: string };
  database: string;
  slot: string;
  keyArn: string;
  bucket: string;
  /** For a replay: what the base saw, and where it goes. */
  base?: { taken_at: string; transactions: string };
  into?: string;
  /** Until where. */
  lsn?: string;
}

/** What a step says when it is done. */
export interface StepResult {
  changes: number;
  wallSeconds: number;
  cpuSeconds: number;
  peakBytes: number;
}

const step = JSON.parse(process.env.STEP ?? '') as Step;
const { server, database, slot } = step;
const store = { s3: new S3Client({ forcePathStyle: true }), bucket: step.bucket, keyArn: step.keyArn };
const signal = new AbortController().signal;
const parse = openParser(join(import.meta.dirname, '../node_modules'));
const target = {
  ...server,
  database,
  tls: { mode: 'disable' as const },
  applicationName: 'bench',
  credentials: async () => ({ user: server.user, password: server.password }),
  limits: {
    pool_size: 1,
    pool_overflow: 0,
    pool_timeout_seconds: 10,
    pool_recycle_seconds: 3600,
    connect_timeout_ms: 10_000,
    statement_timeout_ms: 0,
    lock_timeout_ms: 10_000,
    idle_in_transaction_timeout_ms: 600_000,
  },
};
const of = { database: 'bench', slot };

const started = performance.now();
const changes = await (step.kind === 'capture' ? capture() : replay());
const { userCPUTime, systemCPUTime, maxRSS } = process.resourceUsage();
const result: StepResult = {
  changes,
  wallSeconds: (performance.now() - started) / 1000,
  cpuSeconds: (userCPUTime + systemCPUTime) / 1e6,
  peakBytes: maxRSS * 1024,
};
console.log(JSON.stringify(result));
store.s3.destroy();

async function capture(): Promise<number> {
  const settings = { ...captureDefaults, timeMs: 600_000, emptyAfterBytes: 0 };
  return (await captureChanges(of, { target, store, settings, signal })).changes;
}

async function replay(): Promise<number> {
  const { base, into, lsn } = step;
  if (!base || !into || !lsn) throw new Error('A replay needs its base, its target and its end');
  const plan = await planReplay(store, of, base, { lsn }, signal, { settledMs: 0 });
  return (await replayChanges(plan, { target, database: into, store, signal, parse })).changes;
}
