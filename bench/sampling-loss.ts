import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import pg from 'pg';
import { noDetails, readDetails } from '../shared/health/sample/read-details.ts';
import { takeReading } from '../shared/health/sample/take-reading.ts';
import type { TestServer } from '../test/support/postgres-server.ts';

/** Of PostgreSQL, where it is installed. */
export const LOAD_GENERATOR = 'pgbench';
export const EVERY_MS = 5000;

/** Of 95 % of a normal distribution. */
const STANDARD_ERRORS = 1.96;

export interface LossOptions {
  pairs: number;
  /** Of each half of a pair. */
  seconds: number;
}

/**
 * What pgbench loses to a sample every 5 s: one long run, in which sampling is turned on and off. Two neighbouring stretches of the
 * same run are a pair, whose order changes from pair to pair: a run of its own for each would differ by more than a sample costs.
 */
export async function measureLoss(server: TestServer, { pairs, seconds }: LossOptions) {
  await pgbench(server, ['-i', '-s', '20', '-q'], () => undefined);
  return {
    ...{ pairs, secondsEach: seconds },
    readWrite: await lossOf(server, [], { pairs, seconds }),
    readOnly: await lossOf(server, ['-S'], { pairs, seconds }),
  };
}

async function lossOf(server: TestServer, kind: string[], { pairs, seconds }: LossOptions) {
  const warmUp = seconds;
  const stretches: number[][] = Array.from({ length: pairs * 2 }, () => []);
  const isSampled = (stretch: number) => stretch % 4 === 1 || stretch % 4 === 2;
  const sampler = await openSampler(server);
  try {
    await pgbench(
      server,
      [...kind, '-c', '2', '-P', '1', '-T', String(warmUp + pairs * 2 * seconds)],
      (second, tps) => {
        const at = second - warmUp;
        if (at > 0) stretches[Math.floor((at - 1) / seconds)]?.push(tps);
        if (at >= 0) sampler.turn(isSampled(Math.floor(at / seconds)));
      },
    );
  } finally {
    await sampler.close();
  }
  const rates = stretches.map(mean);
  const losses = Array.from({ length: pairs }, (_, pair) => {
    const [first = 0, second = 0] = rates.slice(pair * 2, pair * 2 + 2);
    const [sampled, without] = isSampled(pair * 2) ? [first, second] : [second, first];
    return 1 - sampled / without;
  });
  const middle = mean(losses);
  const spread = Math.sqrt(mean(losses.map((loss) => (loss - middle) ** 2)) / Math.max(1, pairs - 1));
  return {
    tps: Math.round(mean(rates)),
    samples: sampler.taken(),
    loss: middle,
    between: [middle - STANDARD_ERRORS * spread, middle + STANDARD_ERRORS * spread],
    median: losses.sort((a, b) => a - b)[Math.floor(pairs / 2)],
  };
}

/** Takes what a sample takes, with the details that are due, every 5 s while it is turned on. */
async function openSampler({ host, port, user, password }: TestServer) {
  const client = new pg.Client({ host, port, user, password, database: 'postgres', application_name: 'dbms sample' });
  client.on('error', () => undefined);
  await client.connect();
  let details = noDetails;
  let taken = 0;
  let running: Promise<void> = Promise.resolve();
  let timer: NodeJS.Timeout | undefined;
  const sample = async () => {
    await takeReading(client, { slowQuerySeconds: 1, poolLimit: 30 });
    details = await readDetails(client, details, { storageBytes: null, everyMs: 300_000, budgetMs: 50 });
    taken++;
  };
  const next = () => {
    running = running.then(sample);
  };
  return {
    taken: () => taken,
    turn(on: boolean): void {
      if (on === (timer !== undefined)) return;
      clearInterval(timer);
      timer = on ? setInterval(next, EVERY_MS) : undefined;
      if (on) next();
    },
    async close(): Promise<void> {
      clearInterval(timer);
      await running;
      await client.end();
    },
  };
}

/** Runs pgbench and tells each second's transactions, where it was asked to print them. */
async function pgbench(
  { host, port, user, password }: TestServer,
  args: string[],
  each: (second: number, tps: number) => void,
): Promise<void> {
  const child = spawn(LOAD_GENERATOR, ['-h', host, '-p', String(port), '-U', user, '-n', ...args, 'postgres'], {
    env: { ...process.env, PGPASSWORD: password },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const said: string[] = [];
  let second = 0;
  createInterface({ input: child.stderr }).on('line', (line) => {
    const tps = /^progress: [\d.]+ s, ([\d.]+) tps/.exec(line)?.[1];
    if (tps === undefined) said.splice(0, Math.max(0, said.push(line) - 20));
    else each(++second, Number(tps));
  });
  const code = await new Promise<number | null>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', resolve);
  });
  if (code !== 0) throw new Error(`pgbench ended with ${code}: ${said.join('\n')}`);
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / Math.max(1, values.length);
}
