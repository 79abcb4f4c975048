import { afterAll, beforeAll, expect, test } from 'vitest';
import { listAlerts } from '../../shared/alerts/alert-store.ts';
import { listKeys } from '../../shared/backup/listing.ts';
import type { RestoreDependencies } from '../../shared/backup/restore/run-restore.ts';
import { changesPrefix } from '../../shared/changes/segments/layout.ts';
import { listSlots } from '../../shared/changes/segments/stored-segments.ts';
import { turnOff } from '../../shared/changes/setup/turn-on.ts';
import { OperationError } from '../../shared/errors.ts';
import { readAges } from '../../shared/health/ages.ts';
import { listBases } from '../../shared/recovery/bases.ts';
import { captureDatabase } from '../../shared/recovery/capture-database.ts';
import { turnRecoveryOff, turnRecoveryOn } from '../../shared/recovery/change-recovery.ts';
import { chooseBase } from '../../shared/recovery/choose-base.ts';
import { describeRecovery } from '../../shared/recovery/describe-window.ts';
import { expireChanges } from '../../shared/recovery/expire-changes.ts';
import { planOnBase } from '../../shared/recovery/plan-on-base.ts';
import { replayOf } from '../../shared/recovery/replay.ts';
import { createBackupCatalog } from '../../shared/state/backups.ts';
import { newBackupId, newJobId } from '../../shared/state/ids.ts';
import { readRecovery, writeRecovery } from '../../shared/state/recovery.ts';
import type { StateTable } from '../../shared/state/table.ts';
import { DATABASE_ID, useBackupHarness } from '../backup/support/harness.ts';
import { createStateTable } from '../state/support.ts';
import { anyServer, createScratchDatabase, type ScratchDatabase, targetFor } from '../support/servers.ts';
import { parseStatements } from '../support/sql-parser.ts';
import { takeListedBackup } from './support/list-backup.ts';

const harness = useBackupHarness();
const signal = new AbortController().signal;

let source: ScratchDatabase;
let table: StateTable;
beforeAll(async () => {
  source = await createScratchDatabase(anyServer());
  table = (await createStateTable(harness.services)).table;
  await run('CREATE TABLE kept (id int PRIMARY KEY, note text); CREATE TABLE loose (id int)');
});
afterAll(async () => {
  if (source) await turnOff(DATABASE_ID, { target: source.target() });
  await source?.drop();
});

async function run(sql: string): Promise<Record<string, unknown>[]> {
  const client = await source.connect();
  try {
    return (await client.query(sql)).rows ?? [];
  } finally {
    await client.end();
  }
}

/** How many full backups were asked for. */
let begun = 0;

const dependencies = (more: object = {}) => ({
  target: source.target(),
  store: harness.store,
  table,
  configuration: { alert_emails: ['dba@example.com'] },
  limits: { mostRetainedBytes: 10 * 1_073_741_824, warnAt: 0.5 },
  captureMinutes: 1,
  compressionLevel: 1,
  timeMs: 120_000,
  waitMs: 60_000,
  startBase: async () => {
    begun += 1;
  },
  signal,
  ...more,
});
const describe = () => describeRecovery(DATABASE_ID, dependencies());
const capture = (more: object = {}) => captureDatabase(DATABASE_ID, dependencies(more));
const turnOn = () => turnRecoveryOn(DATABASE_ID, 'alice', dependencies());

const leftOnServer = () =>
  run(`SELECT slot_name AS name FROM pg_replication_slots WHERE database = current_database()
       UNION ALL SELECT evtname FROM pg_event_trigger`);

const backUp = () => takeListedBackup(harness, table, source);

/** Until all that has been committed is covered: a moment is a second after it. */
async function captureUntilCovered(more: object = {}): ReturnType<typeof describe> {
  const [clock] = await run(
    `SELECT to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS now`,
  );
  for (;;) {
    const window = await describe();
    if (window.latest !== null && window.latest.time > String(clock?.now)) return window;
    await run('INSERT INTO kept VALUES (-1); DELETE FROM kept WHERE id = -1');
    await capture(more);
  }
}

/** As if the last try were long ago. */
async function forgetTries(): Promise<void> {
  const recovery = await readRecovery(table, DATABASE_ID);
  if (recovery) await writeRecovery(table, { ...recovery, base_tried_at: null, base_attempts: 0 });
}

/** Why this moment cannot be restored. */
const refusalNow = (): Promise<OperationError> =>
  chooseBase(
    { database: DATABASE_ID, backupId: undefined },
    { point_in_time: new Date().toISOString() },
    { table, store: harness.store, signal },
  ).then(
    ({ backupId }) => Promise.reject(new Error(`It can be, from ${backupId}`)),
    (error) => error,
  );

async function alerts(): Promise<string[]> {
  const { items } = await listAlerts(table, { database: DATABASE_ID, limit: 10 });
  return items.map(({ cause, level, status }) => `${cause} ${level} ${status}`);
}

test('while it is off, it says what is not covered, and captures nothing', async () => {
  const { not_covered, ...window } = await describe();
  expect(window).toMatchObject({ status: 'off', earliest: null, latest: null, slot: null, problems: [] });
  expect(not_covered.map(({ table: name, reason }) => [name, reason])).toEqual([['loose', 'no_replica_identity']]);
  expect(await capture()).toEqual({ status: 'off' });
});

test('a transaction that does not end keeps it from being turned on, and nothing is left', async () => {
  const client = await source.connect();
  await client.query('BEGIN; INSERT INTO kept VALUES (0)');
  await expect(turnRecoveryOn(DATABASE_ID, 'alice', dependencies({ waitMs: 500 }))).rejects.toMatchObject({
    code: 'transactions_running',
  });
  await client.query('ROLLBACK');
  await client.end();
  expect(await leftOnServer()).toEqual([]);
  expect(await readRecovery(table, DATABASE_ID)).toBeNull();
});

test('the window begins with the next full backup and ends with the last capture', async () => {
  await turnOn();
  const slot = (await readRecovery(table, DATABASE_ID))?.slot;
  await turnOn();
  expect((await readRecovery(table, DATABASE_ID))?.slot).toBe(slot);
  expect(await describe()).toMatchObject({ status: 'on', base: null, lag_seconds: null, slot: { name: slot } });
  expect((await describe()).next_base).toMatchObject({
    ...{ reason: 'Point-in-time recovery was turned on', attempts: 0 },
    explanation: expect.stringContaining('No moment can be restored yet'),
  });
  // Once, and not over and over.
  expect(await capture()).toMatchObject({ base: 'begun' });
  expect(await capture()).toMatchObject({ base: 'waiting' });
  expect([begun, (await describe()).next_base?.attempts]).toEqual([1, 1]);

  const base = await backUp();
  await run(`INSERT INTO kept VALUES (1, 'one')`);
  expect(await capture()).toMatchObject({
    ...{ status: 'captured', changes: 1, caughtUp: true },
    base: 'taken',
  });
  expect(await capture()).toMatchObject({ base: null });
  const window = await captureUntilCovered();
  expect(window).toMatchObject({ status: 'on', base, follows_definitions: true, closed: null, next_base: null });
  expect(window.earliest && window.latest && window.earliest <= window.latest.time).toBe(true);
  expect(window.slot).toMatchObject({ state: 'reserved', limit_bytes: 10 * 1_073_741_824 });
  expect((await readAges(table, DATABASE_ID)).capture_age_seconds).toBeLessThan(600);
});

test('changes of definitions are told, with who made them and how, before they are stored', async () => {
  await run('CREATE VIEW seen AS SELECT id FROM kept');
  const unheard = async () => {
    throw new OperationError('audit_unavailable', 'Nothing was done', 'Try again.');
  };
  await expect(capture({ onDefinitions: unheard })).rejects.toMatchObject({ code: 'audit_unavailable' });
  const told: unknown[] = [];
  const onDefinitions = async (commands: readonly unknown[]) => void told.push(...commands);
  await capture({ onDefinitions });
  await capture({ onDefinitions });
  const [{ role } = {}] = await run('SELECT current_user AS role');
  expect(told).toEqual([
    {
      ...{ tag: 'CREATE VIEW', role, query: 'CREATE VIEW seen AS SELECT id FROM kept' },
      ...{ lsn: expect.any(String), committed_at: expect.any(String) },
    },
  ]);
  await run('DROP VIEW seen');
});

test('a change of definitions that cannot be repeated ends the window until the next full backup, which is begun by itself', async () => {
  const asked = begun;
  const { base } = await describe();
  await run('DO $$BEGIN CREATE TABLE made_by_block (id int PRIMARY KEY); END$$');
  await run('INSERT INTO made_by_block VALUES (1)');
  const [after] = await run('SELECT pg_current_wal_insert_lsn()::text AS lsn');
  // The backup after recovery was turned on was asked for a moment ago.
  expect(await capture()).toMatchObject({ base: 'waiting' });
  await forgetTries();
  expect(await capture()).toMatchObject({ base: 'begun' });
  expect(await capture()).toMatchObject({ base: 'waiting' });
  expect(begun).toBe(asked + 1);

  const ended = await describe();
  const [obstacle] = ended.obstacles;
  expect(obstacle?.reason).toEqual(expect.any(String));
  expect(ended).toMatchObject({ base, obstacles: [obstacle], ended_by: obstacle });
  expect(ended.next_base?.reason).toContain(obstacle?.reason);
  expect(ended.latest && obstacle && ended.latest.time < obstacle.at).toBe(true);
  const plan = (id: string, lsn: string) =>
    planOnBase({ id, database: DATABASE_ID }, { lsn }, { table, store: harness.store, signal });
  // What it says is what a restore finds.
  expect((await plan(base ?? '', ended.latest?.lsn ?? '')).plan.lastCommit).not.toBeNull();
  await expect(plan(base ?? '', String(after?.lsn))).rejects.toMatchObject({ code: 'window_ends' });

  await backUp();
  expect(await capture()).toMatchObject({ base: 'taken' });
  expect(await describe()).toMatchObject({ base, obstacles: [obstacle], ended_by: null, next_base: null });
  expect(begun).toBe(asked + 1);
});

/** What nobody captures: the server writes this much log, and keeps it for the slot. */
async function writeLog(bytes: number): Promise<void> {
  const [before] = await run('SELECT pg_current_wal_insert_lsn()::text AS lsn');
  for (;;) {
    const [{ kept } = { kept: 0 }] = await run(
      `INSERT INTO kept SELECT n, repeat('x', 1000) FROM generate_series(1000, 3000) AS n ON CONFLICT (id) DO UPDATE SET note = kept.note || 'y'
       RETURNING (pg_current_wal_insert_lsn() - '${before?.lsn}')::float8 AS kept`,
    );
    if (Number(kept) > bytes) return;
  }
}

test('a consumer that stands still never fills the disk: there is a warning, then the slot is dropped', async () => {
  const MEBIBYTE = 1_048_576;
  await capture();
  const before = (await describe()).slot?.retained_bytes ?? 0;
  const limits = {
    mostRetainedBytes: before + 16 * MEBIBYTE,
    warnAt: (before + 2 * MEBIBYTE) / (before + 16 * MEBIBYTE),
  };
  await writeLog(4 * MEBIBYTE);
  expect(await capture({ limits })).toMatchObject({ status: 'captured', warning: expect.stringContaining('are kept') });
  expect(await alerts()).toEqual(['recovery:slot WARNING open']);
  await writeLog(20 * MEBIBYTE);
  expect(await capture({ limits })).toMatchObject({
    status: 'closed',
    reason: expect.stringContaining('of log are kept'),
  });
  await run('DELETE FROM kept WHERE id >= 1000');
  expect(await leftOnServer()).toEqual([]);
  expect(await describe()).toMatchObject({ status: 'closed', slot: null, closed: { reason: expect.any(String) } });
  expect(await alerts()).toEqual(['recovery:window CRITICAL open', 'recovery:slot WARNING resolved']);
  expect(await capture()).toEqual({ status: 'off' });

  await turnOn();
  expect(await describe()).toMatchObject({ status: 'on', phase: 'waiting_for_backup', closed: null });
  expect(await alerts()).toEqual(['recovery:window CRITICAL resolved', 'recovery:slot WARNING resolved']);
  expect(await refusalNow()).toMatchObject({
    code: 'window_ends',
    message: expect.stringMatching(
      /^Changes are stored until .+ They were captured until .+ of log are kept for the slot/,
    ),
  });
});

const dropSlots = () =>
  run('SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE database = current_database()');

test('a slot that somebody has dropped stays dropped until an administrator turns it on again', async () => {
  const before = await readRecovery(table, DATABASE_ID);
  await dropSlots();
  expect(await capture()).toMatchObject({
    ...{ status: 'closed', code: 'slot_dropped_by_others' },
    reason: expect.stringContaining('somebody has dropped it'),
  });
  for (let runs = 0; runs < 3; runs += 1) expect(await capture()).toEqual({ status: 'off' });
  expect(await leftOnServer()).toEqual([]);
  expect(await alerts()).toContain('recovery:window CRITICAL open');
  expect(await describe()).toMatchObject({
    ...{ status: 'closed', phase: 'closed', next: null },
    closed: { code: 'slot_dropped_by_others' },
    explanation: expect.stringContaining('may have been dropped on purpose'),
  });

  await turnOn();
  expect((await readRecovery(table, DATABASE_ID))?.slot).not.toBe(before?.slot);
  expect((await describe()).status).toBe('on');
  expect((await alerts()).filter((text) => text.endsWith('open'))).toEqual([]);
});

/** As if the slot had been made on the server before a failover, which has not brought it along. */
async function failOver(): Promise<void> {
  const recovery = await readRecovery(table, DATABASE_ID);
  if (recovery) await writeRecovery(table, { ...recovery, timeline: 9 });
  await dropSlots();
}

test('a slot that was lost in a failover is made anew, with a full backup, and turning it off leaves nothing', async () => {
  await failOver();
  expect(await capture()).toMatchObject({
    status: 'closed',
    code: 'slot_lost',
    reason: expect.stringContaining('timeline 1, not 9'),
  });
  const lost = await readRecovery(table, DATABASE_ID);
  expect(await capture()).toEqual({ status: 'renewed' });
  expect(await describe()).toMatchObject({
    ...{ status: 'on', phase: 'waiting_for_backup' },
    next_base: { reason: expect.stringContaining('The slot was lost') },
  });
  expect((await readRecovery(table, DATABASE_ID))?.slot).not.toBe(lost?.slot);
  expect(await alerts()).toContain('recovery:window CRITICAL open');
  expect(await capture()).toMatchObject({ base: 'begun' });
  await backUp();
  expect(await capture()).toMatchObject({ base: 'taken' });
  expect((await alerts()).filter((text) => text.endsWith('open'))).toEqual([]);

  // Lost again soon, it is made anew after a while only.
  await failOver();
  expect(await capture()).toMatchObject({ status: 'closed' });
  expect(await capture()).toEqual({ status: 'off' });
  expect(await leftOnServer()).toEqual([]);
  expect((await refusalNow()).message).toContain('not on the server');
  await turnOn();
  await turnRecoveryOff(DATABASE_ID, 'alice', dependencies());
  expect(await leftOnServer()).toEqual([]);
  expect((await describe()).status).toBe('off');
  expect((await alerts()).filter((text) => text.endsWith('open'))).toEqual([]);
  expect((await readAges(table, DATABASE_ID)).capture_age_seconds).toBeNull();
});

test('where the login may not make event triggers, a change that no row shows ends the window as well', async () => {
  await run(`CREATE ROLE watching LOGIN REPLICATION PASSWORD 'w'`);
  const credentials = async () => ({ user: 'watching', password: 'w' });
  const plain = { target: source.target({ credentials }) };
  await turnRecoveryOn(DATABASE_ID, 'alice', dependencies(plain));
  const asked = begun;
  await run(`INSERT INTO kept VALUES (30, 'first')`);
  expect(await capture(plain)).toMatchObject({ status: 'captured', base: 'begun' });
  const base = await backUp();
  await capture(plain);
  const before = await captureUntilCovered(plain);
  expect(before).toMatchObject({ follows_definitions: false, base, ended_by: null, next_base: null });

  await run('ALTER TABLE kept ADD COLUMN unseen int');
  const [altered] = await run(
    `SELECT to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS at`,
  );
  await forgetTries();
  expect(await capture(plain)).toMatchObject({ segments: 1, changes: 0, base: 'begun' });
  const ended = await describe();
  const [obstacle] = ended.obstacles;
  expect(ended).toMatchObject({
    base,
    ended_by: obstacle,
    obstacles: [{ reason: expect.stringContaining('public.kept') }],
  });
  const plan = (id: string, recovery: { lsn: string } | { point_in_time: string }) =>
    planOnBase({ id, database: DATABASE_ID }, recovery, { table, store: harness.store, signal });
  expect(obstacle && before.latest && obstacle.at >= before.latest.time).toBe(true);
  await plan(base, { point_in_time: ended.latest?.time ?? '' });
  expect((await plan(base, { lsn: ended.latest?.lsn ?? '' })).plan.lastCommit).not.toBeNull();

  const newer = await backUp();
  expect(await capture(plain)).toMatchObject({ base: 'taken' });
  expect(begun).toBe(asked + 2);
  const after = await captureUntilCovered(plain);
  expect(after).toMatchObject({ base, obstacles: [obstacle], ended_by: null, next_base: null });
  const time = after.latest?.time ?? '';
  const lsn = after.latest?.lsn ?? '';
  // No row was changed until then.
  await expect(plan(base, { lsn: obstacle?.lsn ?? '' })).rejects.toMatchObject({ code: 'window_ends' });
  await expect(plan(base, { point_in_time: String(altered?.at) })).rejects.toMatchObject({
    code: 'window_ends',
  });
  await expect(plan(base, { lsn })).rejects.toMatchObject({ code: 'window_ends' });
  expect((await plan(newer, { lsn })).plan.lastCommit).not.toBeNull();
  await plan(newer, { point_in_time: time });
  await turnRecoveryOff(DATABASE_ID, 'alice', dependencies(plain));
  expect((await refusalNow()).message).toContain('was turned off');
  await run('ALTER TABLE kept DROP COLUMN unseen; DROP ROLE watching');
});

test('a full backup that fails is followed by another, after a wait that grows', async () => {
  await turnOn();
  const failing = async () => {
    const catalog = createBackupCatalog(table);
    const id = newBackupId();
    await catalog.create({
      ...{ id, database: DATABASE_ID, backup_type: 'full', custom_name: null },
      ...{ job_id: 'job', requested_by: 'test' },
    });
    await catalog.markFailed(id, 'The disk is full');
  };
  const minutes: number[] = [];
  for (let attempts = 1; attempts <= 4; attempts += 1) {
    expect(await capture({ startBase: failing })).toMatchObject({ base: 'begun' });
    expect(await capture({ startBase: failing })).toMatchObject({ base: 'waiting' });
    const { next_base: next } = await describe();
    expect(next).toMatchObject({ attempts });
    const recovery = await readRecovery(table, DATABASE_ID);
    const wait = Date.parse(next?.next_try_at ?? '') - Date.parse(recovery?.base_tried_at ?? '');
    minutes.push(wait / 60_000);
    // As if it had passed.
    if (recovery) {
      await writeRecovery(table, { ...recovery, base_tried_at: new Date(Date.now() - wait).toISOString() });
    }
  }
  expect(minutes).toEqual([5, 10, 20, 40]);
});

test('messages that anybody may have written are an alert and a warning, until there were none for a day', async () => {
  await turnOn();
  const heard: unknown[] = [];
  await run(`SELECT pg_logical_emit_message(true, 'dbms_changes', '{}')`);
  const report = await capture({ onUnauthenticated: async (messages: unknown) => void heard.push(messages) });
  expect(report).toMatchObject({
    unauthenticated: 1,
    warning: expect.stringMatching(/^1 messages in the log claimed/),
  });
  expect(heard).toMatchObject([{ count: 1, claims: [{ claimed: null }] }]);
  expect(await alerts()).toContain('recovery:unauthenticated ERROR open');
  const { warnings, obstacles } = await describe();
  expect(warnings.map(({ code }) => code)).toContain('definitions_not_authenticated');
  expect(obstacles.filter(({ reason }) => reason.includes('sign'))).toEqual([]);
  const recovery = await readRecovery(table, DATABASE_ID);
  if (!recovery?.unauthenticated) throw new Error('It is not noted');
  const long = new Date(Date.now() - 2 * 86_400_000).toISOString();
  await writeRecovery(table, { ...recovery, unauthenticated: { ...recovery.unauthenticated, last_at: long } });
  await capture();
  expect(await alerts()).toContain('recovery:unauthenticated ERROR resolved');
  expect((await describe()).warnings.map(({ code }) => code)).not.toContain('definitions_not_authenticated');
});

test('a backup that is restored alone is without what writes definitions into the log', async () => {
  await turnOn();
  const id = await backUp();
  const { connect, summary } = await harness.restore({ id }, source.server);
  expect(summary.warnings).toEqual([]);
  const sql = `SELECT nspname::text AS name FROM pg_namespace WHERE nspname LIKE 'dbms\\_%'
               UNION ALL SELECT evtname FROM pg_event_trigger ORDER BY 1`;
  expect((await run(sql)).length).toBeGreaterThan(1);
  const client = await connect();
  expect((await client.query(sql)).rows).toEqual([]);
  await client.end();
});

test('chosen tables come back as of a moment, in another database and beside the live ones', async () => {
  await run(`CREATE TABLE other (id int PRIMARY KEY, of int REFERENCES kept); CREATE TABLE third (id int PRIMARY KEY)`);
  await run(`DELETE FROM kept`);
  const id = await backUp();
  for (const sql of [
    `INSERT INTO kept VALUES (20, 'twenty'), (21, 'gone'), (22, 'old')`,
    'INSERT INTO other VALUES (1, 20)',
    'ALTER TABLE other ADD COLUMN note text',
    'ALTER TABLE kept ADD COLUMN since int DEFAULT 7',
    `UPDATE kept SET note = 'new' WHERE id = 22; INSERT INTO third VALUES (1); DELETE FROM kept WHERE id = 21`,
    'DROP TABLE third',
    'TRUNCATE other, loose',
  ]) {
    await run(sql);
  }
  const [last] = await run(
    `UPDATE kept SET note = 'newer' WHERE id = 22 RETURNING pg_current_xact_id()::text AS transaction`,
  );
  await run('DELETE FROM kept');
  await captureUntilCovered();
  const recovery = { transaction: String(last?.transaction) };
  const planned = await planOnBase({ id, database: DATABASE_ID }, recovery, { table, store: harness.store, signal });
  const target = targetFor(source.server, 'postgres');
  const restored = await harness.restore({ id }, source.server, {
    request: { selection: { schemas: [], tables: [{ schema: 'public', table: 'kept' }] } },
    replay: replayOf(planned, { target, store: harness.store, signal, parse: parseStatements, isPart: true }),
  });
  expect(restored.summary.warnings).toEqual([]);
  const client = await restored.connect();
  const { rows } = await client.query(
    `SELECT array(SELECT k::text FROM kept AS k ORDER BY id) AS kept,
            array(SELECT relname::text FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace) AS tables`,
  );
  await client.end();
  expect(rows).toEqual([{ kept: ['(20,twenty,7)', '(22,newer,7)'], tables: ['kept'] }]);

  // Into the live database, under another name.
  await harness.restore({ id }, source.server, {
    name: source.name,
    request: { mode: 'beside', selection: { schemas: [], tables: [{ schema: 'public', table: 'kept' }] } },
    replay: replayOf(planned, { target, store: harness.store, signal, parse: parseStatements, isPart: true }),
  });
  expect(await run('SELECT k::text AS row FROM kept_restored AS k ORDER BY id')).toEqual([
    { row: '(20,twenty,7)' },
    { row: '(22,newer,7)' },
  ]);
  expect(await run('SELECT FROM kept')).toEqual([]);
});

test('a replay that is ended early goes on, and repeats nothing', async () => {
  await turnOn();
  const id = await backUp();
  await run(`INSERT INTO loose VALUES (1); INSERT INTO kept VALUES (10, 'ten'), (11, 'eleven')`);
  const [last] = await run(`INSERT INTO loose VALUES (2) RETURNING pg_current_xact_id()::text AS transaction`);
  await run('INSERT INTO loose VALUES (3)');
  await captureUntilCovered();
  const planned = await planOnBase(
    { id, database: DATABASE_ID },
    { transaction: String(last?.transaction) },
    { table, store: harness.store, signal },
  );
  const target = targetFor(source.server, 'postgres');
  const replay = replayOf(planned, { target, store: harness.store, signal, parse: parseStatements, isPart: false });
  const jobId = newJobId();
  const lost = new OperationError('connection_lost', 'The server is gone', 'Wait.');
  const attempt = (of: RestoreDependencies['replay']) =>
    harness.restore({ id }, source.server, { jobId, name: jobId, request: { resumable: true }, replay: of });
  // All but the last transaction of the replay is committed then.
  await expect(attempt((database) => replay(database, () => Promise.reject(lost), []))).rejects.toMatchObject({
    name: 'UnfinishedRestore',
  });
  const { summary, connect } = await attempt(replay);
  expect(summary.warnings).toEqual([]);
  const client = await connect();
  const { rows } = await client.query(
    `SELECT array(SELECT id FROM loose ORDER BY id) AS loose, array(SELECT id FROM kept WHERE id >= 10 ORDER BY id) AS kept,
            array(SELECT nspname::text FROM pg_namespace WHERE nspname LIKE 'dbms\\_%' ORDER BY 1) AS left`,
  );
  await client.end();
  expect(rows).toEqual([{ loose: [1, 2], kept: [10, 11], left: [] }]);
});

test('changes go when no backup needs them any more, and only then', async () => {
  const stored = async () => (await listKeys(harness.store, changesPrefix(DATABASE_ID))).length;
  const expire = () => expireChanges(DATABASE_ID, { table, store: harness.store, signal });
  const slot = (await readRecovery(table, DATABASE_ID))?.slot ?? '';
  // The first slots' changes are needed by the first backup; those of the slot that never had one are not.
  await expire();
  const [first] = await listBases(table, DATABASE_ID);
  for (const note of ['a', 'b', 'c']) await run(`UPDATE kept SET note = '${note}' WHERE id = 10`).then(() => capture());
  const before = await stored();
  await expire();
  expect(await stored()).toBe(before);

  const id = await backUp();
  const catalog = createBackupCatalog(table);
  for (const { id: older } of (await listBases(table, DATABASE_ID)).filter((base) => base.id !== id)) {
    await catalog.markDeleting(older);
    await catalog.remove(older);
  }
  expect(first?.id).not.toBe(id);
  const removed = await expire();
  expect(removed[slot]).toBeGreaterThan(0);
  expect(Object.entries(removed).every(([, count]) => count > 0)).toBe(true);
  expect(await listSlots(harness.store, DATABASE_ID)).toEqual([slot]);
  expect(await captureUntilCovered()).toMatchObject({ status: 'on', base: id });
});
