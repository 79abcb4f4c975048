import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, createWriteStream, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3';
import pg from 'pg';
import { bufferMemory } from '../infra/constructs/node-function.ts';
import { startServices } from '../local/aws/services.ts';
import { createSlot, dropSlot } from '../shared/changes/setup/slot.ts';
import { embeddedBinaries, installedBinaries } from '../test/support/postgres-binaries.ts';
import { startServer } from '../test/support/postgres-server.ts';
import type { Step, StepResult } from './changes-step.ts';
import { type BenchServer, hasTool, runTool } from './peers.ts';
import { type Measurement, report } from './report.ts';

export interface ChangesBenchmark {
  /** Row changes in small transactions. */
  changes: number;
  /** Rows of the one large transaction. */
  largeRows: number;
  output: string;
}

const SOURCE = 'bench_changes';
const SLOT = 'bench_changes';
const BUCKET = 'changes';

/** As the benchmark of backups, with what decoding needs. */
const SERVER_SETTINGS = {
  fsync: 'on',
  full_page_writes: 'on',
  max_wal_size: '8GB',
  checkpoint_timeout: '30min',
  wal_level: 'logical',
  autovacuum: 'off',
};

/** Accounts that pay each other: ten changes in each transaction, of every kind. */
const schemaSql = `
CREATE TABLE accounts (id int PRIMARY KEY, balance bigint NOT NULL, note text);
INSERT INTO accounts SELECT n, 1000, md5(n::text) FROM generate_series(1, 100000) AS n;
CREATE TABLE payments (id int PRIMARY KEY, source int NOT NULL REFERENCES accounts, amount numeric(10, 2) NOT NULL, at timestamptz NOT NULL, note text);
CREATE INDEX ON payments (source);
CREATE TABLE events (id bigserial PRIMARY KEY, kind text, payload jsonb);
CREATE TABLE large (id int PRIMARY KEY, a int, note text)`;

const CHANGES_OF_A_TRANSACTION = 10;

function* transactionsSql(changes: number): Generator<string> {
  let seed = 1;
  const random = (below: number): number => {
    seed = (Math.imul(seed, 1_103_515_245) + 12_345) & 0x7fff_ffff;
    return seed % below;
  };
  for (let n = 0; n < changes / CHANGES_OF_A_TRANSACTION; n += 1) {
    const account = () => 1 + random(100_000);
    const payment = (place: number): string =>
      `INSERT INTO payments VALUES (${n * 3 + place}, ${account()}, ${random(9999) / 100}, '2026-01-01', 'payment ${random(1e6)}');`;
    yield `BEGIN;
UPDATE accounts SET balance = balance - 5 WHERE id = ${account()};
UPDATE accounts SET balance = balance + 5, note = 'changed ${n}' WHERE id = ${account()};
UPDATE accounts SET balance = balance + 1 WHERE id = ${account()};
${payment(0)}${payment(1)}${payment(2)}
INSERT INTO events (kind, payload) VALUES ('paid', '{"by": ${n}}');
INSERT INTO events (kind, payload) VALUES ('told', '{"to": [${n}, ${random(100)}]}');
UPDATE payments SET amount = amount + 1 WHERE id = ${n * 3};
DELETE FROM payments WHERE id = ${n * 3 + 1};
COMMIT;
`;
  }
}

/** Measures capture and replay, and psql running the same statements. Everything it starts is stopped and removed. */
export async function benchmarkChanges({ changes, largeRows, output }: ChangesBenchmark): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'bench-'));
  chmodSync(folder, 0o777);
  const binaries = (await installedBinaries()).at(-1) ?? (await embeddedBinaries());
  const { server, stop } = await startServer(binaries, { ...SERVER_SETTINGS, unix_socket_directories: folder });
  const services = await startServices({ stateFolder: join(folder, 'state') });
  Object.assign(process.env, services.environment());
  const store = { s3: new S3Client({ forcePathStyle: true }), bucket: BUCKET, keyArn: await services.createKey() };
  const admin = new pg.Client({ ...server, database: 'postgres' });
  try {
    await admin.connect();
    await store.s3.send(new CreateBucketCommand({ Bucket: BUCKET }));
    await admin.query(`CREATE DATABASE ${SOURCE}`);
    const step = { server, database: SOURCE, slot: SLOT, keyArn: store.keyArn, bucket: BUCKET };
    const measured: Measurement[] = [];
    const rates: string[] = [];
    const add = (name: string, done: number, result: Omit<Measurement, 'name' | 'storedBytes'>): void => {
      measured.push({ name, ...result, storedBytes: null });
      rates.push(`${name}: ${Math.round(done / result.wallSeconds)} changes a second`);
      console.log(`  ${name}: ${result.wallSeconds.toFixed(2)} s, ${Math.round((result.peakBytes ?? 0) / 1e6)} MB`);
    };

    const client = new pg.Client({ ...server, database: SOURCE });
    await client.connect();
    await client.query(schemaSql);
    await client.query('CHECKPOINT');
    const record = { database: 'bench', slot: SLOT, followsDefinitions: false };
    await createSlot(client, store, record, new AbortController().signal);
    const base = await snapshotOf(client);
    await client.end();
    await admin.query(`CREATE DATABASE bench_replayed TEMPLATE ${SOURCE}`);

    const script = join(folder, 'changes.sql');
    const file = createWriteStream(script);
    for (const text of transactionsSql(changes)) if (!file.write(text)) await once(file, 'drain');
    await new Promise<void>((written) => file.end(written));
    const psql = ['-h', server.host, '-p', String(server.port), '-U', server.user, '-q', '-o', '/dev/null'];
    const peer = await runTool('psql, the same statements', 'psql', [...psql, '-f', script, SOURCE], server);
    add(peer.name, changes, peer);

    const captured = await runStep({ ...step, kind: 'capture' });
    add('capture, small transactions', captured.changes, captured);
    const { rows } = await admin.query('SELECT pg_catalog.pg_current_wal_flush_lsn()::text AS lsn');
    await runStep({ ...step, kind: 'capture' });
    const replay: Step = { ...step, kind: 'replay', base, into: 'bench_replayed', lsn: rows[0].lsn };
    const replayed = await runStep(replay);
    add('replay, small transactions', replayed.changes, replayed);

    await withDatabase(server, (on) =>
      on.query(`INSERT INTO large SELECT n, n % 7, md5(n::text) FROM generate_series(1, ${largeRows}) AS n`),
    );
    const large = await runStep({ ...step, kind: 'capture' });
    add('capture, one large transaction', large.changes, large);
    const end = (await admin.query('SELECT pg_catalog.pg_current_wal_flush_lsn()::text AS lsn')).rows[0].lsn;
    await runStep({ ...step, kind: 'capture' });
    await admin.query('DROP DATABASE bench_replayed');
    await admin.query('CREATE DATABASE bench_replayed');
    const again = new pg.Client({ ...server, database: 'bench_replayed' });
    await again.connect();
    await again.query(schemaSql);
    await again.end();
    const both = await runStep({ ...replay, lsn: end });
    add('replay, small and large transactions', both.changes, both);

    if (hasTool('pgbench', server.version)) rates.push(...(await measureLoad(server, step)));
    report(output, `${server.label}, ${changes} changes in small transactions, ${largeRows} in one`, measured, []);
    for (const rate of rates) console.log(rate);
    await withDatabase(server, (on) => dropSlot(on, SLOT));
  } finally {
    await admin.end().catch(() => undefined);
    store.s3.destroy();
    await services.close();
    await stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

async function snapshotOf(client: pg.Client): Promise<{ taken_at: string; transactions: string }> {
  const { rows } = await client.query(
    `SELECT pg_catalog.to_char(pg_catalog.clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS taken_at,
            pg_catalog.pg_current_snapshot()::text AS transactions`,
  );
  return rows[0];
}

async function withDatabase(server: BenchServer, use: (client: pg.Client) => Promise<unknown>): Promise<void> {
  const client = new pg.Client({ ...server, database: SOURCE });
  await client.connect();
  try {
    await use(client);
  } finally {
    await client.end();
  }
}

/** In a process whose memory is set up as that of the deployed functions is: both pass rows. */
async function runStep(step: Step): Promise<StepResult> {
  const child = spawn(process.execPath, [join(import.meta.dirname, 'changes-step.ts')], {
    env: { ...process.env, ...bufferMemory, STEP: JSON.stringify(step) },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let said = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    said += text;
  });
  const [code] = (await once(child, 'close')) as [number | null];
  if (code !== 0) throw new Error(`The step ended with ${code}`);
  return JSON.parse(said) as StepResult;
}

const LOAD_SECONDS = 15;
const ROUNDS = 2;

/** What a pgbench loses while changes are captured every few seconds, in turns with rounds in which nobody reads them. */
async function measureLoad(server: BenchServer, step: Omit<Step, 'kind'>): Promise<string[]> {
  const where = ['-h', server.host, '-p', String(server.port), '-U', server.user];
  await runTool('pgbench, tables', 'pgbench', [...where, '-i', '-q', '-s', '10', SOURCE], server);
  const rates: Record<'without' | 'with', number[]> = { without: [], with: [] };
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const kind of ['without', 'with'] as const) {
      let over = false;
      const load = runTool(
        'pgbench',
        'pgbench',
        [...where, '-n', '-c', '4', '-T', String(LOAD_SECONDS), SOURCE],
        server,
      );
      const ended = load.then(
        () => {
          over = true;
        },
        () => {
          over = true;
        },
      );
      while (kind === 'with' && !over) {
        await Promise.race([ended, setTimeout(5000)]);
        if (!over) await runStep({ ...step, kind: 'capture' });
      }
      rates[kind].push(Number(/tps = ([\d.]+)/.exec((await load).said)?.[1] ?? 0));
      await runStep({ ...step, kind: 'capture' });
    }
  }
  const mean = (all: readonly number[]): number => all.reduce((sum, one) => sum + one, 0) / all.length;
  const [without, with_] = [mean(rates.without), mean(rates.with)];
  return [
    `pgbench: ${Math.round(without)} transactions a second without, ${Math.round(with_)} with a capture every 5 s (${((1 - with_ / without) * 100).toFixed(1)} % fewer)`,
  ];
}
