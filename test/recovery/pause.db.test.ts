import { afterAll, beforeAll, expect, test } from 'vitest';
import { listAlerts } from '../../shared/alerts/alert-store.ts';
import { turnOff } from '../../shared/changes/setup/turn-on.ts';
import { readAges } from '../../shared/health/ages.ts';
import { captureDatabase } from '../../shared/recovery/capture-database.ts';
import { turnRecoveryOff, turnRecoveryOn } from '../../shared/recovery/change-recovery.ts';
import { chooseBase } from '../../shared/recovery/choose-base.ts';
import { describeRecovery } from '../../shared/recovery/describe-window.ts';
import { incrementObstacle } from '../../shared/recovery/increment-possible.ts';
import { pauseRecovery } from '../../shared/recovery/pause-recovery.ts';
import { planOnBase } from '../../shared/recovery/plan-on-base.ts';
import { replayOf } from '../../shared/recovery/replay.ts';
import { readRecovery, recordPausing, writeRecovery } from '../../shared/state/recovery.ts';
import type { StateTable } from '../../shared/state/table.ts';
import { DATABASE_ID, useBackupHarness } from '../backup/support/harness.ts';
import { createStateTable } from '../state/support.ts';
import { allServers, createScratchDatabase, databaseOf, type ScratchDatabase, targetFor } from '../support/servers.ts';
import { parseStatements } from '../support/sql-parser.ts';
import { takeListedBackup } from './support/list-backup.ts';

const harness = useBackupHarness();
const signal = new AbortController().signal;
/** From the oldest version that is there to the newest, as a major upgrade goes. */
const versions = allServers.toSorted((a, b) => a.version - b.version);
const [oldServer = versions[0], newServer = versions[0]] = [versions.at(0), versions.at(-1)];
if (!oldServer || !newServer) throw new Error('No server was started');

/** Where the configured address leads: to the old server, and after the upgrade to the new one. */
let live: ScratchDatabase;
let upgraded: ScratchDatabase | undefined;
let table: StateTable;
beforeAll(async () => {
  live = await createScratchDatabase(oldServer);
  table = (await createStateTable(harness.services)).table;
  await run('CREATE TABLE kept (id int PRIMARY KEY)');
});
afterAll(async () => {
  for (const database of [live, upgraded]) {
    if (database) await turnOff(DATABASE_ID, { target: database.target() }).catch(() => undefined);
    await database?.drop();
  }
});

async function run(sql: string): Promise<Record<string, unknown>[]> {
  const client = await live.connect();
  try {
    return (await client.query(sql)).rows ?? [];
  } finally {
    await client.end();
  }
}

const dependencies = (more: object = {}) => ({
  target: live.target(),
  store: harness.store,
  table,
  configuration: { alert_emails: [] },
  limits: { mostRetainedBytes: 10 * 1_073_741_824, warnAt: 0.5 },
  captureMinutes: 1,
  compressionLevel: 1,
  timeMs: 120_000,
  waitMs: 60_000,
  startBase: async () => undefined,
  signal,
  ...more,
});
const describe = () => describeRecovery(DATABASE_ID, dependencies());
const capture = () => captureDatabase(DATABASE_ID, dependencies());
const pause = (more: object = {}) => pauseRecovery(DATABASE_ID, 'alice', dependencies(more));
const resume = () => turnRecoveryOn(DATABASE_ID, 'bob', dependencies());
const recovery = async () => {
  const known = await readRecovery(table, DATABASE_ID);
  if (!known) throw new Error('It is off');
  return known;
};
/** More than a pause captures at once. */
const writeMuchLog = () => run("SELECT pg_logical_emit_message(true, 'other', repeat('x', 40000000))");
const dropSlots = () =>
  run('SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE database = current_database()');
/** What keeps the server from being upgraded, as the prechecks of RDS look for it; and the event triggers. */
const leftOnServer = () =>
  run(`SELECT slot_name AS name FROM pg_replication_slots WHERE slot_type = 'logical' AND database = current_database()
       UNION ALL SELECT evtname FROM pg_event_trigger`);
const openAlerts = async () =>
  (await listAlerts(table, { database: DATABASE_ID, limit: 10 })).items
    .filter(({ status }) => status === 'open')
    .map(({ cause, level, title }) => `${cause} ${level}: ${title}`);

const backUp = () => takeListedBackup(harness, table, live);

test('while recovery is off, there is nothing to pause', async () => {
  await expect(pause()).rejects.toMatchObject({ code: 'nothing_to_pause' });
});

test('an upgrade: all is captured, nothing is left on the server, the window can be restored, and a new one begins afterwards', async () => {
  await resume();
  const base = await backUp();
  await capture();
  // A window covers moments from a second after its base on.
  await run('SELECT pg_sleep(1.2)');
  await run('INSERT INTO kept SELECT generate_series(1, 40)');
  const [last] = await run('INSERT INTO kept VALUES (41) RETURNING pg_current_xact_id()::text AS transaction');
  await pause();
  expect(await leftOnServer()).toEqual([]);
  const paused = await describe();
  expect(paused).toMatchObject({
    ...{ status: 'paused', phase: 'paused', base, next: null, next_base: null },
    closed: { code: 'paused', reason: 'Point-in-time recovery was paused for an upgrade by alice' },
    explanation: expect.stringContaining('{"status": "on"}'),
  });
  expect(await openAlerts()).toEqual(['recovery:window WARNING: Point-in-time recovery is paused']);
  expect((await readAges(table, DATABASE_ID)).capture_age_seconds).toBeNull();
  expect((await incrementObstacle(table, DATABASE_ID))?.message).toContain('was paused for an upgrade by alice');
  for (let runs = 0; runs < 2; runs += 1) expect(await capture()).toEqual({ status: 'off' });
  expect(await leftOnServer()).toEqual([]);

  // The server of the other version has what the old one had; it stands for the upgraded one.
  const point = { transaction: String(last?.transaction) };
  const planned = await planOnBase({ id: base, database: DATABASE_ID }, point, { table, store: harness.store, signal });
  const target = targetFor(newServer, 'postgres');
  const restored = await harness.restore({ id: base }, newServer, {
    replay: replayOf(planned, { target, store: harness.store, signal, parse: parseStatements, isPart: false }),
  });
  await live.drop();
  upgraded = databaseOf(newServer, restored.name);
  live = upgraded;
  expect(await run('SELECT count(*)::int AS rows FROM kept')).toEqual([{ rows: 41 }]);

  await resume();
  expect(await describe()).toMatchObject({
    status: 'on',
    next_base: { reason: 'Point-in-time recovery was resumed after it was paused for an upgrade' },
  });
  const after = await backUp();
  await run('INSERT INTO kept VALUES (42)');
  expect(await capture()).toMatchObject({ status: 'captured', changes: 1, base: 'taken' });
  expect(await describe()).toMatchObject({ status: 'on', base: after });
  expect(await openAlerts()).toEqual([]);
  // What was captured before the upgrade can still be restored; what came between cannot, and the reason is told.
  const moment = (time: string) =>
    chooseBase({ database: DATABASE_ID, backupId: undefined }, { point_in_time: time }, dependencies());
  expect(await moment(paused.latest?.time ?? '')).toMatchObject({ backupId: base });
  await expect(moment(new Date(Date.parse(paused.closed?.at ?? '') + 100).toISOString())).rejects.toMatchObject({
    code: 'window_ends',
    message: expect.stringContaining('paused for an upgrade'),
  });
});

test('where more is to be captured than at once, a run of the capture does it, and then it is paused', async () => {
  await run('INSERT INTO kept VALUES (50)');
  await writeMuchLog();
  await pause();
  expect(await describe()).toMatchObject({ status: 'pausing', phase: 'pausing', next: { step: 'pause' } });
  expect(await leftOnServer()).not.toEqual([]);
  expect(await capture()).toEqual({ status: 'paused' });
  expect(await leftOnServer()).toEqual([]);
  expect((await describe()).status).toBe('paused');
  await resume();
});

test('a pause that was not done yet can be taken back, and the window goes on', async () => {
  const { slot } = await recovery();
  await writeMuchLog();
  await pause();
  await resume();
  expect(await recovery()).toMatchObject({ slot, pausing: null, closed: null });
  expect(await capture()).toMatchObject({ status: 'captured' });
});

test('a pause that was ended between the drop and its record is completed by the next run', async () => {
  await recordPausing(table, await recovery(), { since: new Date().toISOString(), by: 'alice' });
  await dropSlots();
  expect(await capture()).toEqual({ status: 'paused' });
  expect((await describe()).closed?.code).toBe('paused');
  await resume();
});

test('a pause keeps a slot that was lost from being made anew during the upgrade', async () => {
  await writeRecovery(table, { ...(await recovery()), timeline: 9 });
  await dropSlots();
  expect(await capture()).toMatchObject({ status: 'closed', code: 'slot_lost' });
  await pause();
  expect(await capture()).toEqual({ status: 'off' });
  expect(await leftOnServer()).toEqual([]);
  expect(await describe()).toMatchObject({ status: 'paused', next: null });
});

test('a pause that was forgotten becomes a critical alert after a day', async () => {
  await resume();
  await backUp();
  await capture();
  await pause();
  const { closed, ...known } = await recovery();
  if (!closed) throw new Error('It is not paused');
  await capture();
  expect(await openAlerts()).toEqual(['recovery:window WARNING: Point-in-time recovery is paused']);
  const at = new Date(Date.now() - 25 * 3_600_000).toISOString();
  await writeRecovery(table, { ...known, closed: { ...closed, at } });
  for (let runs = 0; runs < 2; runs += 1) await capture();
  expect(await openAlerts()).toEqual(['recovery:window CRITICAL: Point-in-time recovery is paused']);
  await turnRecoveryOff(DATABASE_ID, 'alice', dependencies());
  expect(await openAlerts()).toEqual([]);
});
