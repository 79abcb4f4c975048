import { DeleteObjectCommand, PutObjectCommand } from '@aws-sdk/client-s3';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { listKeys } from '../../shared/backup/listing.ts';
import { rebuildCatalog } from '../../shared/backup/rebuild-catalog.ts';
import { removeBackup } from '../../shared/backup/remove.ts';
import { START } from '../../shared/backup/validate/check-integrity.ts';
import { drillDatabase, runDrill } from '../../shared/backup/validate/drill.ts';
import { lockSlot } from '../../shared/changes/capture/session.ts';
import { changesPrefix } from '../../shared/changes/segments/layout.ts';
import { turnOff } from '../../shared/changes/setup/turn-on.ts';
import type { Backup } from '../../shared/contract/schemas/backup.ts';
import type { Job } from '../../shared/contract/schemas/job.ts';
import { type Captured, runBackupJob } from '../../shared/jobs/backup-job.ts';
import { failJob, succeedBackup } from '../../shared/jobs/end.ts';
import { backupEventSchema } from '../../shared/jobs/events.ts';
import { scheduledRun } from '../../shared/jobs/scheduled-run.ts';
import { registerBackup } from '../../shared/jobs/start.ts';
import { startDownload } from '../../shared/jobs/start-download.ts';
import { turnRecoveryOff, turnRecoveryOn } from '../../shared/recovery/change-recovery.ts';
import { checkIncrement } from '../../shared/recovery/check-increment.ts';
import { expireChanges } from '../../shared/recovery/expire-changes.ts';
import { incrementObstacle } from '../../shared/recovery/increment-possible.ts';
import { planOnBase } from '../../shared/recovery/plan-on-base.ts';
import { replayOf } from '../../shared/recovery/replay.ts';
import { resolveRestore } from '../../shared/recovery/resolve-restore.ts';
import { storeChanges } from '../../shared/recovery/store-changes.ts';
import { type IncrementRound, takeIncrement } from '../../shared/recovery/take-increment.ts';
import { createBackupCatalog } from '../../shared/state/backups.ts';
import { newJobId } from '../../shared/state/ids.ts';
import { createJobStore } from '../../shared/state/jobs.ts';
import { readRecovery, recordClosed } from '../../shared/state/recovery.ts';
import { createScheduleRunStore } from '../../shared/state/schedule-runs.ts';
import type { StateTable } from '../../shared/state/table.ts';
import { backUpAndRecord, emptyTable } from '../backup/retention/support-catalog.ts';
import { DATABASE_ID, useBackupHarness } from '../backup/support/harness.ts';
import { stepsAtOnce } from '../backup/support/jobs.ts';
import { contentOfDatabase } from '../changes/support/recovery.ts';
import { createStateTable } from '../state/support.ts';
import { anyServer, createScratchDatabase, type ScratchDatabase, targetFor, withClient } from '../support/servers.ts';
import { parseStatements } from '../support/sql-parser.ts';

const harness = useBackupHarness();
const server = anyServer();
const signal = new AbortController().signal;

let source: ScratchDatabase;
let table: StateTable;
let close: () => void;
beforeAll(async () => {
  source = await createScratchDatabase(server);
  const state = await createStateTable(harness.services);
  table = state.table;
  close = () => state.client.destroy();
  await run(`CREATE TABLE kept (id int PRIMARY KEY, note text); CREATE TABLE loose (id int);
             INSERT INTO kept SELECT n, 'base' FROM generate_series(1, 100) AS n`);
});
afterAll(async () => {
  if (source) await turnOff(DATABASE_ID, { target: source.target() });
  close?.();
  await source?.drop();
});

const run = (sql: string, on = source.name) =>
  withClient(server, on, async (client) => (await client.query<Record<string, unknown>>(sql)).rows);
const dependencies = () => ({
  target: source.target(),
  store: harness.store,
  table,
  compressionLevel: 1,
  timeMs: 120_000,
  signal,
});
const turning = () => ({ ...dependencies(), configuration: { alert_emails: [] }, waitMs: 60_000 });
const slotOf = async () => ({ database: DATABASE_ID, slot: (await readRecovery(table, DATABASE_ID))?.slot ?? '' });
const catalog = () => createBackupCatalog(table);

/** Runs the job as its function does; `rounds` are told what those before have captured, and may answer in their place. */
async function increment(
  onWait?: () => Promise<unknown>,
  rounds: (captured: Captured) => IncrementRound | undefined = () => undefined,
): Promise<{ job: Job; backup: Backup; steps: string[] }> {
  const { steps, taken } = stepsAtOnce(onWait);
  const jobs = createJobStore(table);
  const never = () => Promise.reject(new Error('An incremental backup exports nothing'));
  const event = backupEventSchema.parse({ database: DATABASE_ID, backup_type: 'incremental' });
  const ended = await runBackupJob(event, steps, {
    retentionDays: 1,
    register: async () => {
      const request = {
        database: DATABASE_ID,
        requestedBy: 'alice',
        backupType: 'incremental',
        customName: 'six',
      } as const;
      const { job } = await registerBackup(table, request);
      return { jobId: job.id, backupId: job.backup_id ?? '' };
    },
    start: (id) => jobs.start(id),
    report: async (id, progress) => void (await jobs.reportProgress(id, progress)),
    takeBackup: never,
    distributed: never as never,
    takeIncrement: async (_event, { backupId: id }, captured, report) =>
      rounds(captured) ??
      takeIncrement(
        {
          ...{ id, database: DATABASE_ID, customName: 'six', requestedBy: 'alice' },
          createdAt: new Date().toISOString(),
        },
        { ...dependencies(), captured, report },
      ),
    sweep: never,
    succeed: (jobId, backupId, facts, warnings) => succeedBackup(table, { jobId, backupId, facts, warnings }),
    fail: async (id, _backupId, error) => void (await failJob(table, id, error)),
    cancelled: never,
  });
  return { job: await jobs.get(ended.job_id), backup: await catalog().get(ended.backup_id), steps: taken };
}

/** Its base with what is repeated on it, as a restore and a drill have it. */
async function planned({ id }: Backup) {
  const { backupId = '', recovery = {} } = await resolveRestore(
    table,
    DATABASE_ID,
    { backupId: id, recovery: undefined },
    { mode: 'new' },
  );
  const target = targetFor(server, 'postgres');
  const plan = await planOnBase({ id: backupId, database: DATABASE_ID }, recovery, {
    table,
    store: harness.store,
    signal,
  });
  return {
    base: backupId,
    replay: replayOf(plan, { target, store: harness.store, signal, parse: parseStatements, isPart: false }),
  };
}
async function restore(backup: Backup): Promise<ScratchDatabase> {
  const { base, replay } = await planned(backup);
  return harness.restore({ id: base }, server, { replay });
}

let base: string;
let first: Backup;
let second: Backup;
let atFirst: Record<string, string>;
let atSecond: Record<string, string>;

test('it is refused with what to do where nothing is captured, and a run of its schedule passes quietly', async () => {
  const off = await incrementObstacle(table, DATABASE_ID);
  expect(off).toMatchObject({ code: 'recovery_off', nextStep: expect.stringContaining('PUT recovery') });
  const schedule = { database: DATABASE_ID, backup_type: 'incremental' } as const;
  const due = new Date().toISOString();
  const findObstacle = async () => off?.message ?? null;
  expect(await scheduledRun(table, schedule, due, 'arn:execution', findObstacle).admit()).toBe('skipped');
  const runs = await createScheduleRunStore(table).latest({ database: DATABASE_ID, backupType: 'incremental' }, 5);
  expect(runs).toMatchObject([{ outcome: 'skipped', job_id: null, reason: off?.message }]);

  await turnRecoveryOn(DATABASE_ID, 'alice', turning());
  expect(await incrementObstacle(table, DATABASE_ID)).toMatchObject({ code: 'no_base' });
});

test('each holds what was captured since the backup before it, also when nobody has written', async () => {
  base = (await backUpAndRecord(harness, table, source)).id;
  expect(await incrementObstacle(table, DATABASE_ID)).toBeNull();
  await run(`UPDATE kept SET note = 'first' WHERE id <= 10; DELETE FROM kept WHERE id > 90`);
  atFirst = await contentOfDatabase(source);
  const one = await increment();
  expect(one.job).toMatchObject({ status: 'succeeded', error: null, warnings: [] });
  first = one.backup;
  const shared = { status: 'available', backup_type: 'incremental', custom_name: 'six', include: null, rows: null };
  expect(first).toMatchObject({ ...shared, depends_on: [base], tables: 1 });
  expect(first.increment).toMatchObject({
    base,
    follows: base,
    number: 1,
    changes: 20,
    transactions: expect.any(Number),
  });
  expect(first.bytes).toBeGreaterThan(0);
  expect(first.stored_bytes).toBeGreaterThan(0);
  expect(one.job.progress).toMatchObject({
    phase: 'finishing',
    tables: { done: 1, total: 1 },
    rows: { done: 20, total: 20 },
    bytes: { done: first.bytes, total: first.bytes },
  });

  await run(`INSERT INTO loose VALUES (1)`);
  await storeChanges(await slotOf(), false, dependencies());
  await run(`INSERT INTO loose VALUES (2)`);
  atSecond = await contentOfDatabase(source);
  const two = await increment();
  second = two.backup;
  // One of them was captured before.
  expect(two.job.progress).toMatchObject({ rows: { done: 2, total: 2 }, bytes: { done: second.bytes } });
  expect(second).toMatchObject({ ...shared, depends_on: [base, first.id] });
  expect(second.increment).toMatchObject({ base, follows: first.id, number: 2, changes: 2, from: first.snapshot_at });
  expect(second.increment?.first_lsn).toBe(first.increment?.last_lsn);

  const { backup: empty } = await increment();
  expect(empty).toMatchObject({ status: 'available', bytes: expect.any(Number), increment: { number: 3, changes: 0 } });
});

test('it waits while another run has the slot', async () => {
  const { slot } = await slotOf();
  const other = await source.connect();
  expect(await lockSlot(other, slot)).toBe(true);
  const { job, steps } = await increment(() => other.end());
  expect([job.status, job.progress?.rows]).toEqual(['succeeded', { done: 0, total: 0 }]);
  expect(steps).toEqual(['register', 'increment-1-1', 'increment-1-wait', 'increment-2-1', 'record']);
});

test('a round is told what those before have captured, and in the end all is counted once', async () => {
  await run(`UPDATE kept SET note = 'rounds' WHERE id <= 5`);
  const told: Captured[] = [];
  const { job, backup } = await increment(undefined, (captured) => {
    told.push(captured);
    return told.length > 1 ? undefined : { status: 'waiting', reason: 'more', captured: { bytes: 7, changes: 3 } };
  });
  expect(told).toEqual([
    { bytes: 0, changes: 0 },
    { bytes: 7, changes: 3 },
  ]);
  expect(backup.increment?.changes).toBe(5);
  expect(job.progress).toMatchObject({ rows: { done: 5, total: 5 }, bytes: { done: backup.bytes } });
});

test('its restore is the state at its end, and a mode without changes is refused', async () => {
  expect(await contentOfDatabase(await restore(first))).toEqual(atFirst);
  expect(await contentOfDatabase(await restore(second))).toEqual(atSecond);
  const asked = { backupId: second.id, recovery: { point_in_time: '2026-01-01T00:00:00Z' } };
  expect(await resolveRestore(table, DATABASE_ID, asked, { mode: 'new' })).toEqual({ ...asked, backupId: base });
  await expect(resolveRestore(table, DATABASE_ID, asked, { mode: 'swap' })).rejects.toMatchObject({
    code: 'invalid_request',
  });
  await expect(resolveRestore(table, DATABASE_ID, asked, { mode: 'new', masked: true })).rejects.toMatchObject({
    code: 'invalid_request',
    errors: [{ field: 'body.masked' }],
  });
  expect(await resolveRestore(table, 'other', asked, { mode: 'swap' })).toEqual(asked);
});

test('a drill restores it, and drops it', async () => {
  const jobId = newJobId();
  const { base: backupId, replay } = await planned(second);
  const { warnings } = await runDrill(
    { jobId, backupId, database: DATABASE_ID },
    {
      ...{ target: targetFor(server, 'postgres'), store: harness.store, replay, signal },
      settings: {
        retention_days: 1,
        compression_level: 1,
        connections: 2,
        chunk_bytes: 1e6,
        lanes: 1,
        connection_share: 0.5,
      },
      report: async () => undefined,
      hasEnded: async () => false,
    },
  );
  expect(warnings).toEqual([]);
  expect(await run(`SELECT 1 FROM pg_database WHERE datname = '${drillDatabase(jobId)}'`, 'postgres')).toEqual([]);
});

test('its chain stays whole: what it needs is not deleted, and its changes do not expire', async () => {
  const removal = { ...harness.store, table };
  await expect(removeBackup(removal, base)).rejects.toMatchObject({ code: 'backup_needed' });
  await expect(removeBackup(removal, first.id)).rejects.toMatchObject({ code: 'backup_needed' });
  const before = await listKeys(harness.store, changesPrefix(DATABASE_ID));
  await expireChanges(DATABASE_ID, { table, store: harness.store, signal });
  expect(await listKeys(harness.store, changesPrefix(DATABASE_ID))).toEqual(before);
  const wanted = { database: DATABASE_ID, backupId: second.id, format: 'sql.gz', requestedBy: 'alice' } as const;
  const startFunction = async () => undefined;
  await expect(startDownload({ table, startFunction }, wanted)).rejects.toMatchObject({ code: 'not_downloadable' });
});

test('the bucket alone is enough to list them again', async () => {
  const entries = async () =>
    (await catalog().entries(DATABASE_ID)).map(
      ({ backup: { id, depends_on, increment: held, snapshot_at, bytes, objects } }) => ({
        ...{ id, depends_on, held, snapshot_at, bytes, objects },
      }),
    );
  const recovery = await readRecovery(table, DATABASE_ID);
  const before = await entries();
  expect(before.length).toBeGreaterThan(4);
  await emptyTable(table);
  await rebuildCatalog(DATABASE_ID, { store: harness.store, table, signal });
  expect(await entries()).toEqual(before);
  await turnRecoveryOn(DATABASE_ID, 'alice', turning());
  expect(recovery?.slot).not.toBe((await slotOf()).slot);
  expect(await contentOfDatabase(await restore(second))).toEqual(atSecond);
});

test('its integrity is that of its segments', async () => {
  const check = (from = START, timeIsOver = signal) =>
    checkIncrement({ database: DATABASE_ID, backupId: second.id }, from, {
      store: harness.store,
      report: async () => undefined,
      signal,
      timeIsOver,
    });
  const segments = second.increment?.segments ?? 0;
  expect(segments).toBe(2);
  expect(await check()).toEqual({ left: null, objects: 5, damagedObjects: 0, damaged: [] });
  expect(await check(START, AbortSignal.abort())).toMatchObject({ left: { next: 0 }, objects: 1 });

  const prefix = changesPrefix(DATABASE_ID);
  const ofSecond = (await listKeys(harness.store, prefix)).filter((key) => {
    const [, begin = ''] = /\/([0-9A-F]{16})-/.exec(key) ?? [];
    const [high = '', low = ''] = second.increment?.first_lsn.split('/') ?? [];
    return begin === high.padStart(8, '0') + low.padStart(8, '0');
  });
  expect(ofSecond).toHaveLength(2);
  const [description = '', lines = ''] = ofSecond;
  const { bucket, s3 } = harness.store;
  await s3.send(new DeleteObjectCommand({ Bucket: bucket, Key: description }));
  await s3.send(new PutObjectCommand({ Bucket: bucket, Key: lines, Body: 'not it' }));
  const { damaged, damagedObjects } = await check();
  expect(damagedObjects).toBe(2);
  expect(damaged.map(({ path, code }) => [`${prefix}${path.replace('changes/', '')}`, code])).toEqual([
    [description, 'object_missing'],
    [lines, 'object_damaged'],
  ]);
});

test('a change of definitions that cannot be repeated ends the chain, and a new full backup begins one', async () => {
  const { id } = await backUpAndRecord(harness, table, source);
  await run(`DO 'BEGIN CREATE TABLE made (id int PRIMARY KEY); END'`);
  expect((await increment()).job.error).toMatchObject({
    code: 'window_ends',
    next_step: expect.stringContaining('Take a full backup'),
  });
  const next = await backUpAndRecord(harness, table, source);
  const { backup } = await increment();
  expect(backup.increment).toMatchObject({ base: next.id, number: 1 });
  expect(id).not.toBe(next.id);
});

test('once the window has ended, it says why', async () => {
  const of = await slotOf();
  await recordClosed(table, of, {
    ...{ closed: { code: 'log_limit' as const, at: new Date().toISOString(), reason: 'The log was full' } },
    ...{ renewals: 0, renew_at: null },
  });
  const { job, backup } = await increment();
  expect(job.error).toMatchObject({ code: 'recovery_off', message: expect.stringContaining('The log was full') });
  expect(backup).toMatchObject({ status: 'failed', increment: null });
  await turnRecoveryOff(DATABASE_ID, 'alice', turning());
});
