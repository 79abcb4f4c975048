import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { setTimeout } from 'node:timers/promises';
import { S3Client } from '@aws-sdk/client-s3';
import type pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { captureChanges } from '../../shared/changes/capture/capture.ts';
import type { ObstacleChange } from '../../shared/changes/capture/capture-once.ts';
import type { LinesRead } from '../../shared/changes/capture/read-changes.ts';
import { captureDefaults } from '../../shared/changes/capture/settings.ts';
import { enforceGuard, readSlotHealth } from '../../shared/changes/guard/guard.ts';
import { readTransactions } from '../../shared/changes/replay/transactions.ts';
import {
  type ChangesOf,
  listSegments,
  listSlots,
  readDescription,
  readSlotRecord,
} from '../../shared/changes/segments/stored-segments.ts';
import { checkSetup, listCoverageGaps } from '../../shared/changes/setup/check-setup.ts';
import { createSlot, dropSlot } from '../../shared/changes/setup/slot.ts';
import { turnOff, turnOn } from '../../shared/changes/setup/turn-on.ts';
import { followSegments } from '../../shared/changes/window/chain.ts';
import { planReplay } from '../../shared/changes/window/plan-replay.ts';
import { quoteIdentifier } from '../../shared/postgres/identifiers.ts';
import { DATABASE_ID, useBackupHarness } from '../backup/support/harness.ts';
import { clientOptions } from '../local/aws/support.ts';
import { ownServer } from '../postgres/support/own-server.ts';
import { plainSession } from '../support/plain-session.ts';
import { anyBinaries } from '../support/postgres-binaries.ts';
import { createScratchDatabase, forEachServer, type ScratchDatabase, withClient } from '../support/servers.ts';
import { type Protected, protect } from './support/recovery.ts';

const harness = useBackupHarness();
const signal = new AbortController().signal;

/** Ids that the stored changes insert, in their order, over segments that follow each other from the slot's beginning. */
async function storedIds(of: ChangesOf): Promise<number[]> {
  const record = await readSlotRecord(harness.store, of, signal);
  const segments = [];
  for (const range of followSegments(await listSegments(harness.store, of), record.lsn)) {
    segments.push(await readDescription(harness.store, of, range, signal));
  }
  const lastCommit = segments.at(-1)?.last_lsn ?? null;
  const ids: number[] = [];
  const request = { segments, after: record.lsn, lastCommit, isSeen: () => false };
  for await (const items of readTransactions(harness.store, request, signal)) {
    for (const item of items) if (item.kind === 'insert') ids.push(Number(item.row.values[0]));
  }
  return ids;
}

const upTo = (last: number): number[] => Array.from({ length: last }, (_, index) => index + 1);

forEachServer((server) => {
  let database: ScratchDatabase;
  let client: pg.Client;
  let guarded: Protected;
  let last = 0;
  beforeAll(async () => {
    database = await createScratchDatabase(server);
    client = await database.connect();
    await client.query('CREATE TABLE t (id serial PRIMARY KEY, note text)');
    guarded = await protect(harness, database, { followsDefinitions: false });
  });
  afterAll(async () => {
    await guarded?.end();
    await client?.end();
    await database?.drop();
  });
  /** In transactions of `each` rows, with text that does not compress. */
  const insert = async (rows: number, each = rows): Promise<void> => {
    for (let done = 0; done < rows; done += each) {
      await client.query(
        `INSERT INTO t (note) SELECT md5(random()::text) || md5(random()::text) FROM generate_series(1, ${each})`,
      );
    }
    last += rows;
  };

  /** The server notices only after a while that the client of a run is gone. */
  const untilFree = async (): Promise<void> => {
    const busy = `SELECT FROM pg_locks WHERE locktype = 'advisory' AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`;
    while ((await client.query(busy)).rows.length > 0) await setTimeout(20);
  };

  test('each change is stored once, in segments that follow each other', async () => {
    await insert(300, 10);
    const first = await guarded.capture({ segmentBytes: 10_000, linesPerRead: 100 });
    expect(first).toMatchObject({ status: 'captured', changes: 300, caughtUp: true });
    expect(first.segments).toBeGreaterThan(2);
    // Had the run ended after any of them, no later moment would have been known to be whole.
    const ranges = await listSegments(harness.store, guarded.of);
    const stored = await Promise.all(ranges.map((range) => readDescription(harness.store, guarded.of, range, signal)));
    const claims = stored.map(({ captured_at: at, last_commit_at: commit }) => at === commit);
    expect(claims).toEqual(stored.map((_, index) => index < stored.length - 1));
    await insert(1);
    expect(await guarded.capture()).toMatchObject({ segments: 1, changes: 1 });
    const newest = (await listSegments(harness.store, guarded.of)).at(-1);
    expect(newest && (await readDescription(harness.store, guarded.of, newest, signal))).toMatchObject({
      transactions: 1,
      changes: 1,
      tables: [{ table: 'public.t', inserts: 1, updates: 0, deletes: 0, truncates: 0 }],
      sequences: [{ schema: 'public', name: 't_id_seq', last_value: '301' }],
    });
    expect(await storedIds(guarded.of)).toEqual(upTo(last));
  });

  test('log without changes is passed over in steps, and changes nothing that is stored', async () => {
    const { position } = await guarded.capture();
    // Of another database.
    await withClient(server, 'postgres', (on) => on.query("SELECT pg_logical_emit_message(true, 'other', 'database')"));
    expect(await guarded.capture({ emptyAfterBytes: 1_000_000 })).toMatchObject({ segments: 0, position });
    expect(await guarded.capture()).toMatchObject({ segments: 1, changes: 0 });
    expect(await storedIds(guarded.of)).toEqual(upTo(last));
  });

  test('an idle server that writes no log is covered up to now, when a segment is due', async () => {
    let before = await guarded.capture();
    // Until nothing else has written any.
    for (;;) {
      const { position } = await guarded.capture({ emptyAfterBytes: 1_000_000 });
      const { rows } = await client.query('SELECT pg_current_wal_insert_lsn() = $1::pg_lsn AS idle', [position]);
      if (rows[0].idle) break;
      before = await guarded.capture();
    }
    expect(await guarded.capture({ emptyAfterBytes: 1_000_000 })).toMatchObject({ segments: 0, caughtUp: true });
    expect(await guarded.capture()).toMatchObject({ segments: 1, changes: 0, caughtUp: true });
    const [earlier, newest] = await Promise.all(
      (await listSegments(harness.store, guarded.of))
        .slice(-2)
        .map((range) => readDescription(harness.store, guarded.of, range, signal)),
    );
    expect(earlier?.last_lsn).toBe(before.position);
    expect(earlier && newest && earlier.captured_at < newest.captured_at).toBe(true);
    expect(await storedIds(guarded.of)).toEqual(upTo(last));
  });

  test.each([
    ['by the SQL function', captureDefaults.streamAfterBytes],
    ['over the replication protocol', 0],
  ])(
    'a transaction that is too large to be held passes, after what came before it, %s',
    async (_, streamAfterBytes) => {
      await insert(20, 1);
      await insert(20_000);
      await insert(20, 1);
      const refusals: string[] = [];
      const onStreamRefused = (cause: Error): void => void refusals.push(cause.message);
      const read = { bytes: 0, changes: 0, calls: 0 };
      const onRead = ({ bytes, changes }: LinesRead): void => {
        read.bytes += bytes;
        read.changes += changes;
        read.calls += 1;
      };
      const summary = await guarded.capture({ mostHeldBytes: 200_000, streamAfterBytes }, { onStreamRefused, onRead });
      expect(summary).toMatchObject({ segments: 3, changes: 20_040, caughtUp: true });
      expect([read.bytes, read.changes]).toEqual([summary.bytes, summary.changes]);
      expect(read.calls).toBeGreaterThan(summary.segments);
      expect(refusals).toEqual([]);
      expect(await storedIds(guarded.of)).toEqual(upTo(last));
    },
  );

  test('a server that lets a session spool too little is told by what to raise, and nothing is lost', async () => {
    await insert(20_000);
    const settings = { temp_file_limit: '1MB', work_mem: '64kB' };
    const alter = `ALTER DATABASE ${quoteIdentifier(database.name)}`;
    for (const [name, value] of Object.entries(settings)) await client.query(`${alter} SET ${name} = '${value}'`);
    await expect(guarded.capture()).rejects.toMatchObject({
      code: 'capture_failed',
      nextStep: expect.stringContaining('temp_file_limit'),
    });
    for (const name of Object.keys(settings)) await client.query(`${alter} RESET ${name}`);
    expect(await guarded.capture()).toMatchObject({ changes: 20_000, caughtUp: true });
    expect(await storedIds(guarded.of)).toEqual(upTo(last));
  });

  test('two runs at a time do not meet', async () => {
    await insert(20_000);
    const [one, other] = await Promise.all([guarded.capture(), guarded.capture()]);
    expect([one.status, other.status].sort()).toEqual(['busy', 'captured']);
    expect(await storedIds(guarded.of)).toEqual(upTo(last));
  });

  test('a run that is killed at any step loses nothing, and the next repeats nothing', async () => {
    let killed = 0;
    // More than one part of an upload.
    await insert(150_000);
    for (let step = 0; ; step += 1) {
      await insert(1);
      const kill = new AbortController();
      const s3 = new S3Client({ ...clientOptions(harness.services.endpoints.s3), maxAttempts: 1 });
      let calls = 0;
      const dieAt = (): void => {
        calls += 1;
        if (calls - 1 !== step) return;
        kill.abort(new Error('killed'));
        throw new Error('killed');
      };
      s3.middlewareStack.add(
        (next) => async (args) => {
          dieAt();
          const answer = await next(args);
          // Where it dies now, nobody reads the answer.
          (answer.output as { Body?: Readable }).Body?.on('error', () => undefined);
          dieAt();
          return answer;
        },
        { step: 'initialize' },
      );
      const dependencies = {
        target: database.target(),
        store: { ...harness.store, s3 },
        // One way of reading and the other, in turn.
        settings: { ...captureDefaults, ...(step % 2 === 0 ? { streamAfterBytes: 0 } : {}) },
        signal: kill.signal,
      };
      const outcome = await captureChanges(guarded.of, dependencies).catch((error: Error) => error);
      s3.destroy();
      if (!kill.signal.aborted) break;
      expect(outcome).toMatchObject({ message: 'killed' });
      killed += 1;
      await untilFree();
    }
    expect(killed).toBeGreaterThan(8);
    await guarded.capture();
    expect(await storedIds(guarded.of)).toEqual(upTo(last));
  });

  test('the guard drops the slot of a reader that has stopped, before the log is more than it may', async () => {
    const limits = { mostRetainedBytes: 4_000_000, warnAt: 0.5 };
    await guarded.capture();
    const stopped = await createSlot(
      client,
      harness.store,
      { database: DATABASE_ID, slot: `stopped_${database.name}`, followsDefinitions: false },
      signal,
    );
    expect(await enforceGuard(client, stopped.slot, limits)).toMatchObject({ action: 'keep' });
    await insert(30_000);
    expect(await enforceGuard(client, stopped.slot, limits)).toMatchObject({ action: 'drop' });
    expect(await readSlotHealth(client, stopped.slot)).toMatchObject({ walStatus: null });
    const lost = captureChanges(
      { database: DATABASE_ID, slot: stopped.slot },
      { target: database.target(), store: harness.store, settings: captureDefaults, signal },
    );
    await expect(lost).rejects.toMatchObject({ code: 'slot_missing' });
  });

  test('without event triggers, the catalog tells that definitions were changed, and nothing else does', async () => {
    const other = await createScratchDatabase(server);
    const on = await other.connect();
    await on.query(`
      CREATE TABLE t (id int PRIMARY KEY, n int); CREATE TABLE many (id int) PARTITION BY LIST (id);
      CREATE TYPE mood AS ENUM ('sad'); INSERT INTO t SELECT n, n FROM generate_series(1, 10) AS n`);
    const slot = `drifting_${other.name}`;
    const record = await createSlot(
      on,
      harness.store,
      { database: DATABASE_ID, slot, followsDefinitions: false },
      signal,
    );
    let { definitions } = record;
    const tellAfter = async (sql: string) => {
      const told: ObstacleChange[] = [];
      await on.query(sql);
      const summary = await captureChanges(
        { database: DATABASE_ID, slot },
        {
          ...{ target: other.target(), store: harness.store, signal, definitions },
          // Only what has to be written is.
          settings: { ...captureDefaults, emptyAfterBytes: 1_000_000_000 },
          onObstacle: async (change) => void told.push(change),
        },
      );
      expect(summary.caughtUp).toBe(true);
      definitions = summary.definitions;
      return told.map(({ obstacle }) => /definitions of (.+) were/.exec(obstacle)?.[1]);
    };
    for (const [sql, ...names] of [
      ['SELECT'],
      ['INSERT INTO t VALUES (0, 0); UPDATE t SET n = 2; DELETE FROM t WHERE id = 0'],
      ['CREATE TABLE other (id int PRIMARY KEY)', 'public.other'],
      ['ALTER TABLE t ADD COLUMN note text', 'public.t'],
      ['ALTER TABLE t DROP COLUMN note', 'public.t'],
      ['ALTER TABLE t ALTER COLUMN n SET DEFAULT 7; ALTER TABLE other ADD UNIQUE (id)', 'public.other, public.t'],
      // Rows are other ones then, and the log has none of it.
      ['ALTER TABLE t ALTER COLUMN n TYPE int USING n * 2', 'public.t'],
      ['ALTER TABLE t RENAME TO "T"', 'public."T"'],
      ['CREATE TABLE one PARTITION OF many FOR VALUES IN (1)', 'public.one'],
      ['ALTER TABLE "T" REPLICA IDENTITY FULL', 'tables or types'],
      [`ALTER TYPE mood ADD VALUE 'gay'`, 'tables or types'],
      ['DROP TABLE other', 'tables or types'],
      ['DROP TABLE one; CREATE TABLE one PARTITION OF many FOR VALUES IN (1)', 'public.one'],
      ['TRUNCATE "T"; CREATE INDEX ON "T" (n); CREATE VIEW v AS SELECT 1; CREATE TEMP TABLE passing (id int)'],
      ['VACUUM FULL "T"'],
      ['REINDEX TABLE "T"; ANALYZE; GRANT SELECT ON "T" TO PUBLIC'],
    ]) {
      expect([sql, ...(await tellAfter(sql ?? ''))]).toEqual([sql, ...names]);
    }

    // While a run reads, after it has asked for the next number: a base from right before the run has not seen the change.
    await on.query('INSERT INTO "T" VALUES (1, 1)');
    const { rows } = await on.query(
      `SELECT pg_current_snapshot()::text AS transactions, to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS taken_at`,
    );
    const s3 = new S3Client(clientOptions(harness.services.endpoints.s3));
    let isChanged = false;
    s3.middlewareStack.add(
      (next, { commandName }) =>
        async (args) => {
          const isFirst = !isChanged && commandName !== 'ListObjectsV2Command';
          isChanged ||= isFirst;
          if (isFirst) await on.query('ALTER TABLE "T" ADD COLUMN late int');
          return next(args);
        },
      { step: 'initialize' },
    );
    const of = { database: DATABASE_ID, slot };
    const run = { target: other.target(), store: { ...harness.store, s3 }, settings: captureDefaults, signal };
    const { position, segments } = await captureChanges(of, { ...run, definitions });
    s3.destroy();
    expect(segments).toBe(1);
    const plan = planReplay(harness.store, of, rows[0], { lsn: position }, signal, { settledMs: 0 });
    await expect(plan).rejects.toMatchObject({ code: 'window_ends' });
    await dropSlot(on, slot);
    await on.end();
    await other.drop();
  });

  test('turning on makes what is needed, and turning off leaves nothing', async () => {
    const other = await createScratchDatabase(server);
    const dependencies = { target: other.target(), store: harness.store, signal };
    const before = await leftovers(other);
    const record = await turnOn('set-up', dependencies);
    expect(record).toMatchObject({ database: 'set-up', follows_definitions: true });
    expect(await listSlots(harness.store, 'set-up')).toContain(record.slot);
    expect(await leftovers(other)).toMatchObject({ slots: '1', triggers: '4', schemas: '1' });
    const again = await turnOn('set-up', dependencies);
    expect(again.slot > record.slot).toBe(true);
    expect(await turnOff('set-up', dependencies)).toEqual({ slots: [again.slot], left: [] });
    expect(await leftovers(other)).toEqual(before);
    await other.drop();
  });

  test('what is not covered is named', async () => {
    const other = await createScratchDatabase(server);
    const on = await other.connect();
    await on.query(`
      CREATE TABLE bare (n int); CREATE TABLE nothing (n int PRIMARY KEY); ALTER TABLE nothing REPLICA IDENTITY NOTHING;
      CREATE TABLE keyed (n int PRIMARY KEY); CREATE TABLE whole (n int); ALTER TABLE whole REPLICA IDENTITY FULL;
      CREATE UNLOGGED TABLE passing (n int PRIMARY KEY); SELECT lo_create(0)`);
    expect((await listCoverageGaps(on)).map(({ table, reason }) => [table?.name, reason])).toEqual([
      ['bare', 'no_replica_identity'],
      ['nothing', 'no_replica_identity'],
      ['passing', 'unlogged'],
      [undefined, 'large_objects'],
    ]);
    await on.end();
    await other.drop();
  });
});

async function leftovers(database: ScratchDatabase): Promise<unknown> {
  const client = await database.connect();
  const { rows } = await client.query(`
    SELECT (SELECT count(*) FROM pg_replication_slots WHERE database = current_database()) AS slots,
           (SELECT count(*) FROM pg_event_trigger) AS triggers,
           (SELECT count(*) FROM pg_namespace WHERE nspname LIKE 'dbms%') AS schemas`);
  await client.end();
  return rows[0];
}

describe('a server of its own', () => {
  test('that cannot give changes is told by all that is missing', async () => {
    const server = await ownServer(await anyBinaries(), { wal_level: 'replica', max_replication_slots: '1' });
    try {
      const client = await plainSession(server.target());
      await client.query(
        `CREATE ROLE plain LOGIN; SELECT pg_create_physical_replication_slot('taken'); SET ROLE plain`,
      );
      const { problems, warnings, followsDefinitions } = await checkSetup(client);
      expect(problems.map(({ code }) => code)).toEqual(['wal_level_too_low', 'no_free_slot', 'replication_refused']);
      expect(warnings.map(({ code }) => code)).toEqual(['definitions_not_followed', 'log_not_limited']);
      expect(followsDefinitions).toBe(false);
      await client.end();
      const refused = turnOn('x', { target: server.target(), store: harness.store, signal });
      await expect(refused).rejects.toMatchObject({ code: 'recovery_impossible' });
    } finally {
      await server.remove();
    }
  });

  test('that crashes after a run gives nothing twice, though it may have forgotten where the slot was', async () => {
    const server = await ownServer(await anyBinaries(), { wal_level: 'logical' });
    const of = { database: DATABASE_ID, slot: 'crashing' };
    const capture = () =>
      captureChanges(of, { target: server.target(), store: harness.store, settings: captureDefaults, signal });
    try {
      const client = await plainSession(server.target());
      await client.query('CREATE TABLE t (id serial PRIMARY KEY, note text)');
      await createSlot(client, harness.store, { ...of, followsDefinitions: false }, signal);
      await client.query('CHECKPOINT');
      await client.query('INSERT INTO t SELECT FROM generate_series(1, 100)');
      await capture();
      await client.query('INSERT INTO t SELECT FROM generate_series(1, 100)');
      await capture();
      const { rows } = await client.query('SHOW data_directory');
      const [pid] = (await readFile(join(rows[0].data_directory, 'postmaster.pid'), 'utf8')).split('\n');
      process.kill(Number(pid), 'SIGQUIT');
      await client.end().catch(() => undefined);
      await server.stop();
      await server.start();
      const after = await plainSession(server.target());
      await after.query('INSERT INTO t SELECT FROM generate_series(1, 100)');
      await after.end();
      await capture();
      expect((await storedIds(of)).length).toBe(300);
      expect(new Set(await storedIds(of)).size).toBe(300);
    } finally {
      await server.remove();
    }
  });
});
