import { afterAll, beforeAll, expect, test } from 'vitest';
import { listAlerts } from '../../shared/alerts/alert-store.ts';
import { turnOff } from '../../shared/changes/setup/turn-on.ts';
import { readAges } from '../../shared/health/ages.ts';
import { captureDatabase } from '../../shared/recovery/capture-database.ts';
import { turnRecoveryOff, turnRecoveryOn } from '../../shared/recovery/change-recovery.ts';
import { describeRecovery } from '../../shared/recovery/describe-window.ts';
import { createBackupCatalog } from '../../shared/state/backups.ts';
import { readRecovery } from '../../shared/state/recovery.ts';
import type { StateTable } from '../../shared/state/table.ts';
import { DATABASE_ID, useBackupHarness } from '../backup/support/harness.ts';
import { createStateTable } from '../state/support.ts';
import { anyServer, createScratchDatabase, type ScratchDatabase } from '../support/servers.ts';

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

const dependencies = (more: object = {}) => ({
  target: source.target(),
  store: harness.store,
  table,
  configuration: { alert_emails: ['dba@example.com'] },
  limits: { mostRetainedBytes: 10 * 1_073_741_824, warnAt: 0.5 },
  compressionLevel: 1,
  timeMs: 10_000,
  waitMs: 2_000,
  signal,
  ...more,
});
const describe = () => describeRecovery(DATABASE_ID, dependencies());
const capture = (more: object = {}) => captureDatabase(DATABASE_ID, dependencies(more));
const turnOn = () => turnRecoveryOn(DATABASE_ID, 'alice', dependencies());

const leftOnServer = () =>
  run(`SELECT slot_name AS name FROM pg_replication_slots WHERE database = current_database()
       UNION ALL SELECT evtname FROM pg_event_trigger`);

async function backUp(): Promise<string> {
  const { id, snapshot, server_version, ended_at } = await harness.backUp(source.target());
  const catalog = createBackupCatalog(table);
  await catalog.create({
    ...{ id, database: DATABASE_ID, backup_type: 'full', custom_name: null },
    ...{ job_id: 'job', requested_by: 'test' },
  });
  const counts = { tables: 1, rows: 1, bytes: 1, stored_bytes: 1, objects: 1 };
  const snapshot_at = new Date(snapshot.taken_at).toISOString();
  await catalog.markAvailable(id, { snapshot_at, ended_at, expires_at: null, server_version, ...counts });
  return id;
}

/** A moment is covered a second after it. */
async function eventually<Value>(read: () => Promise<Value>, isDone: (value: Value) => Promise<boolean>) {
  for (;;) {
    const value = await read();
    if (await isDone(value)) return value;
  }
}

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

  const base = await backUp();
  await run(`INSERT INTO kept VALUES (1, 'one')`);
  expect(await capture()).toMatchObject({ status: 'captured', changes: 1, caughtUp: true });
  const window = await eventually(describe, async ({ latest }) => {
    if (latest === null) await run('UPDATE kept SET note = note WHERE id = 1').then(() => capture());
    return latest !== null;
  });
  expect(window).toMatchObject({ status: 'on', base, follows_definitions: true, closed: null });
  expect(window.earliest && window.latest && window.earliest <= window.latest.time).toBe(true);
  expect(window.slot).toMatchObject({ state: 'reserved', limit_bytes: 10 * 1_073_741_824 });
  expect((await readAges(table, DATABASE_ID)).capture_age_seconds).toBeLessThan(600);
});

test('a slot that keeps more log than it may is dropped, which closes the window and opens an alert', async () => {
  const limits = { mostRetainedBytes: 1, warnAt: 0.5 };
  await run(`INSERT INTO kept VALUES (2, 'two')`);
  expect(await capture({ limits })).toMatchObject({
    status: 'closed',
    reason: expect.stringContaining('of log are kept'),
  });
  expect(await leftOnServer()).toEqual([]);
  expect(await describe()).toMatchObject({ status: 'closed', slot: null, closed: { reason: expect.any(String) } });
  expect(await alerts()).toEqual(['recovery:window CRITICAL open']);
  expect(await capture()).toEqual({ status: 'off' });

  await turnOn();
  expect(await describe()).toMatchObject({ status: 'on', base: null, closed: null });
  expect(await alerts()).toEqual(['recovery:window CRITICAL resolved']);
});

test('a slot that somebody has dropped is noticed, and turning it off leaves nothing', async () => {
  await run('SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE database = current_database()');
  expect(await capture()).toMatchObject({ status: 'closed', reason: expect.stringContaining('not on the server') });
  await turnOn();
  await turnRecoveryOff(DATABASE_ID, dependencies());
  expect(await leftOnServer()).toEqual([]);
  expect((await describe()).status).toBe('off');
  expect((await alerts()).filter((text) => text.endsWith('open'))).toEqual([]);
  expect((await readAges(table, DATABASE_ID)).capture_age_seconds).toBeNull();
});
