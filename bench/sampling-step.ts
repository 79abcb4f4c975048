import pg from 'pg';
import { noDetails, readDetails } from '../shared/health/sample/read-details.ts';
import { takeReading } from '../shared/health/sample/take-reading.ts';
import type { TestServer } from '../test/support/postgres-server.ts';
import { processCpuSeconds } from './processes.ts';

/**
 * Samples in a process of their own, so that its memory is measured alone. The server comes as JSON in `STEP`; prints what it
 * measured as JSON.
 */
export interface SamplingStep {
  server: Pick<TestServer, 'host' | 'port' | 'user' | 'password'>;
  samples: number;
}

/** Times in milliseconds, one per sample. */
export interface SamplingStepResult {
  sessions: number;
  statements: number;
  sample: number[];
  /** What the details that are due take of one sample. */
  parts: number[];
  /** All details in one go. */
  details: number[];
  serverCpuMs: number;
  peakBytes: number;
}

const { server, samples } = JSON.parse(process.env.STEP ?? '') as SamplingStep;
const client = new pg.Client({ ...server, database: 'postgres', application_name: 'dbms sample' });
await client.connect();
const take = () => takeReading(client, { slowQuerySeconds: 1, poolLimit: 30 });

const { rows } = await client.query(
  'SELECT pg_catalog.pg_backend_pid() AS pid, (SELECT count(*)::int FROM pg_catalog.pg_stat_activity) AS sessions',
);
const [{ pid, sessions }] = rows;
const before = processCpuSeconds(pid);
for (let sample = 0; sample < samples; sample++) await take();
const serverCpuMs = ((processCpuSeconds(pid) - before) / samples) * 1000;

const result: SamplingStepResult = {
  ...{ sessions, serverCpuMs, statements: 0, peakBytes: 0 },
  ...{ sample: [], parts: [], details: [] },
};
let details = noDetails;
for (let sample = 0; sample < samples; sample++) {
  const reading = await take();
  result.sample.push(reading.values.sample_ms ?? 0);
  result.statements = reading.statements?.size ?? 0;
  const began = performance.now();
  await readDetails(client, noDetails, { storageBytes: null, everyMs: 0, budgetMs: Number.POSITIVE_INFINITY });
  result.details.push(performance.now() - began);
  // As the sampler reads them: what is due, until its time is up.
  const spread = performance.now();
  details = await readDetails(client, details, { storageBytes: null, everyMs: 0, budgetMs: 50 });
  result.parts.push(performance.now() - spread);
}
await client.end();
result.peakBytes = process.resourceUsage().maxRSS * 1024;
console.log(JSON.stringify(result));
