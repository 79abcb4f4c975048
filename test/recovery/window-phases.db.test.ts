import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { turnOff } from '../../shared/changes/setup/turn-on.ts';
import { OperationError } from '../../shared/errors.ts';
import { failJob } from '../../shared/jobs/end.ts';
import { registerBackup } from '../../shared/jobs/start.ts';
import { captureDatabase } from '../../shared/recovery/capture-database.ts';
import { turnRecoveryOff, turnRecoveryOn } from '../../shared/recovery/change-recovery.ts';
import { chooseBase } from '../../shared/recovery/choose-base.ts';
import { describeRecovery } from '../../shared/recovery/describe-window.ts';
import { incrementObstacle } from '../../shared/recovery/increment-possible.ts';
import { planOnBase } from '../../shared/recovery/plan-on-base.ts';
import { createBackupCatalog } from '../../shared/state/backups.ts';
import { createJobStore } from '../../shared/state/jobs.ts';
import { readRecovery, writeRecovery } from '../../shared/state/recovery.ts';
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
  await run('CREATE TABLE kept (id int PRIMARY KEY)');
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

/** The job of the full backup that was begun last. */
let job = { id: '', backup_id: '' };

const dependencies = () => ({
  target: source.target(),
  store: harness.store,
  table,
  configuration: { alert_emails: [] },
  limits: { mostRetainedBytes: 10 * 1_073_741_824, warnAt: 0.5 },
  captureMinutes: 1,
  compressionLevel: 1,
  timeMs: 120_000,
  waitMs: 60_000,
  startBase: async (database: string) => {
    const request = { database, requestedBy: 'recovery', backupType: 'full' as const, customName: null };
    const begun = await registerBackup(table, request);
    job = { id: begun.job.id, backup_id: begun.job.backup_id ?? '' };
  },
  signal,
});
let describedAt = 0;
const describe = () => {
  describedAt = Date.now();
  return describeRecovery(DATABASE_ID, dependencies());
};
const capture = () => captureDatabase(DATABASE_ID, dependencies());

/** What a check of a restore to a moment says: null, or the code of its refusal. */
async function checkedAt(time: string): Promise<string | null> {
  const request = { database: DATABASE_ID, backupId: undefined };
  try {
    await chooseBase(request, { point_in_time: time }, { table, store: harness.store, signal });
    return null;
  } catch (error) {
    if (error instanceof OperationError) return error.code;
    throw error;
  }
}

const moved = (time: string, milliseconds: number): string =>
  new Date(Date.parse(time) + milliseconds).toISOString().replace('Z', `${time.slice(23, 26)}Z`);

/** Judges moments around every time that the window shows, by the window and by a check. */
async function judgedAlike(): Promise<Awaited<ReturnType<typeof describe>>> {
  const window = await describe();
  const { earliest, latest, captured_at } = window;
  const shown = [earliest, latest?.time, captured_at, new Date().toISOString()].flatMap((time) => time ?? []);
  const moments = new Set(shown.flatMap((time) => [time, moved(time, -1), moved(time, 1), moved(time, 3_600_000)]));
  for (const moment of moments) {
    const isInside = earliest !== null && latest !== null && earliest <= micro(moment) && micro(moment) <= latest.time;
    expect({ moment, restorable: (await checkedAt(moment)) === null }, window.explanation).toEqual({
      moment,
      restorable: isInside,
    });
  }
  expect(window.explanation).not.toBe('');
  return window;
}
const micro = (time: string): string => time.replace(/\.(\d{3})Z$/, '.$1000Z');

/** Ends the backup that was begun, with what a real one has stored. */
async function backUp(): Promise<string> {
  const { id, snapshot, server_version, ended_at } = await harness.backUp(source.target());
  const catalog = createBackupCatalog(table);
  await catalog.create({
    ...{ id, database: DATABASE_ID, backup_type: 'full', custom_name: null },
    ...{ job_id: job.id, requested_by: 'test' },
  });
  const counts = { tables: 1, rows: 1, bytes: 1, stored_bytes: 1, objects: 1 };
  const snapshot_at = new Date(snapshot.taken_at).toISOString();
  await catalog.markAvailable(id, { snapshot_at, ended_at, expires_at: null, server_version, ...counts });
  return id;
}

/** Of when the window was described, whatever time the checks took since. */
const withinAMinute = (at: string | null | undefined): boolean =>
  at != null && Date.parse(at) > describedAt - 5000 && Date.parse(at) <= Date.now() + 60_000;

test('each phase until moments can be restored says what is under way and what comes next, and is judged as a check judges it', async () => {
  expect(await judgedAlike()).toMatchObject({
    ...{ status: 'off', phase: 'off', earliest: null, latest: null, captured_at: null, next: null, base_job: null },
    explanation: expect.stringContaining('PUT recovery with {"enabled": true}'),
  });

  await turnRecoveryOn(DATABASE_ID, 'alice', dependencies());
  const made = await judgedAlike();
  expect(made).toMatchObject({
    ...{ status: 'on', phase: 'waiting_for_backup', earliest: null, latest: null, next: { step: 'full_backup' } },
    explanation: expect.stringMatching(
      /^The replication slot is there since .+ No moment can be restored yet, .+ A full backup is begun by itself by the next run of the capture, within a minute \(Point-in-time recovery was turned on\)\.$/,
    ),
  });
  expect(withinAMinute(made.next?.due_at)).toBe(true);

  expect(await capture()).toMatchObject({ base: 'begun' });
  expect(await judgedAlike()).toMatchObject({
    ...{ phase: 'backup_running', earliest: null, base_job: { job_id: job.id, status: 'queued', progress: null } },
    ...{
      next: { step: 'capture', due_at: null },
      explanation: expect.stringContaining(`is about to run: job ${job.id}`),
    },
  });
  const jobs = createJobStore(table);
  await jobs.start(job.id);
  const [tables, rows] = [
    { done: 0, total: 1 },
    { done: 4, total: 9 },
  ];
  const bytes = { done: 450, total: 1000 };
  const updated_at = new Date().toISOString();
  const progress = { phase: 'data', tables, rows, bytes, bytes_per_second: 10, seconds_left: 55, updated_at };
  await jobs.reportProgress(job.id, progress);
  const running = await judgedAlike();
  expect(running).toMatchObject({
    ...{ phase: 'backup_running', base_job: { backup_id: job.backup_id, status: 'running', progress: { bytes } } },
    explanation: expect.stringContaining('is running, 45 % of its bytes'),
  });
  expect(Date.parse(running.next?.due_at ?? '')).toBeGreaterThan(describedAt + 100_000);

  const reason = { code: 'database_unreachable', message: 'No connection to shop', next_step: 'Check it.' };
  await failJob(table, job.id, reason);
  const failed = await judgedAlike();
  expect(failed).toMatchObject({
    ...{
      phase: 'waiting_for_backup',
      base_job: null,
      next: { step: 'full_backup', due_at: failed.next_base?.next_try_at },
    },
    explanation: expect.stringMatching(
      /has failed: .*No connection to shop\. Another full backup is begun by itself at 20/,
    ),
  });
});

test('from the backup on its own moment can be restored, and with each run of the capture those until then, written to or not', async () => {
  const base = await backUp();
  const taken = await judgedAlike();
  expect(taken).toMatchObject({
    ...{ base, phase: 'waiting_for_capture', next: { step: 'capture' }, latest: { time: taken.earliest, lsn: null } },
    explanation: expect.stringContaining('its own moment'),
  });
  expect(withinAMinute(taken.next?.due_at)).toBe(true);

  // A second for transactions that have their time already.
  await new Promise((resolve) => setTimeout(resolve, 1500));
  const summary = await capture();
  expect(summary).toMatchObject({ segments: 0, caughtUp: true, base: 'taken' });
  const idle = await judgedAlike();
  expect(idle).toMatchObject({ phase: 'open', base, next: { step: 'capture' }, captured_at: idle.latest?.time });
  expect(idle.latest && idle.earliest && idle.latest.time > idle.earliest).toBe(true);
  expect(idle.lag_seconds).toBeLessThan(60);

  await run('INSERT INTO kept VALUES (1)');
  await new Promise((resolve) => setTimeout(resolve, 1500));
  await capture();
  const written = await judgedAlike();
  expect(written).toMatchObject({
    phase: 'open',
    latest: { lsn: expect.any(String) },
    captured_at: written.latest?.time,
  });
  // As of before the row, and with it.
  const at = async (time: string) =>
    (
      await planOnBase(
        { id: base, database: DATABASE_ID },
        { point_in_time: time },
        { table, store: harness.store, signal },
      )
    ).plan.lastCommit;
  expect(await at(idle.latest?.time ?? '')).toBeNull();
  expect(await at(written.latest?.time ?? '')).not.toBeNull();
});

test('what was captured last can be restored when the capture has ended, though no segment was written for it', async () => {
  await new Promise((resolve) => setTimeout(resolve, 1500));
  expect(await capture()).toMatchObject({ segments: 0, caughtUp: true });
  const before = await judgedAlike();
  await run('SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE database = current_database()');
  expect(await capture()).toMatchObject({ status: 'closed' });
  const closed = await judgedAlike();
  expect(closed).toMatchObject({
    ...{ status: 'closed', phase: 'closed', latest: before.latest, next: null },
    explanation: expect.stringMatching(
      /not on the server any more: .+ Moments from .+ can still be restored\. It does not begin again by itself/,
    ),
  });
  await turnRecoveryOff(DATABASE_ID, 'alice', dependencies());
  expect(await checkedAt(before.latest?.time ?? '')).toBeNull();
  const off = await judgedAlike();
  expect(off).toMatchObject({
    ...{ phase: 'off', earliest: before.earliest, latest: before.latest, captured_at: before.latest?.time },
    explanation: expect.stringContaining('which were captured before, can be restored'),
  });
});

test('while a new base is made after a lost slot, shows the moments of the window before as a check judges them', async () => {
  const before = await judgedAlike();
  await turnRecoveryOn(DATABASE_ID, 'alice', dependencies());
  const waiting = await judgedAlike();
  expect(waiting).toMatchObject({
    ...{ status: 'on', phase: 'waiting_for_backup', latest: before.latest, captured_at: before.latest?.time },
    windows: [{ earliest: before.earliest, latest: before.latest, base: before.base, exact: true }],
    explanation: expect.stringMatching(
      /No moment from after that can be restored yet.+captured before, can be restored/,
    ),
  });
  expect(await capture()).toMatchObject({ base: 'begun' });
  expect(await judgedAlike()).toMatchObject({ phase: 'backup_running', latest: before.latest });
  const [refused] = await Promise.all([
    chooseBase(
      { database: DATABASE_ID, backupId: undefined },
      { point_in_time: new Date().toISOString() },
      { table, store: harness.store, signal },
    ).catch(({ message }) => message),
  ]);
  expect(refused).toContain(`Changes are stored until ${waiting.captured_at}`);
  const base = await backUp();
  await new Promise((resolve) => setTimeout(resolve, 1500));
  await capture();
  const open = await judgedAlike();
  expect(open).toMatchObject({ phase: 'open', base, windows: [waiting.windows[0], { base, exact: true }] });
  await turnRecoveryOff(DATABASE_ID, 'alice', dependencies());
});

test('judges no moment by comparing clocks: the server is ten minutes behind the functions', async () => {
  vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 600_000, shouldAdvanceTime: true });
  try {
    await turnRecoveryOn(DATABASE_ID, 'alice', dependencies());
    await capture();
    const base = await backUp();
    await new Promise((resolve) => setTimeout(resolve, 1500));
    expect(await capture()).toMatchObject({ base: 'taken' });
    const window = await judgedAlike();
    expect(window).toMatchObject({
      phase: 'open',
      base,
      windows: expect.arrayContaining([expect.objectContaining({ base })]),
    });
    expect(window.lag_seconds).toBeLessThan(60);
    expect(await incrementObstacle(table, DATABASE_ID)).toBeNull();
    await turnRecoveryOff(DATABASE_ID, 'alice', dependencies());
  } finally {
    vi.useRealTimers();
  }
});

test('a capture that has stood still says so', async () => {
  await turnRecoveryOn(DATABASE_ID, 'alice', dependencies());
  await backUp();
  await new Promise((resolve) => setTimeout(resolve, 1500));
  await capture();
  const recovery = await readRecovery(table, DATABASE_ID);
  if (!recovery) throw new Error('It is off');
  const long = new Date(Date.now() - 600_000).toISOString();
  await writeRecovery(table, { ...recovery, captured_at: long });
  expect((await describe()).explanation).toMatch(
    /No run has stored everything since 20.+ the log of capture-changes says why/,
  );
});
