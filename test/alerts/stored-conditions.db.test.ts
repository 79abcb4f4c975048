import { PutMetricDataCommand } from '@aws-sdk/client-cloudwatch';
import { afterEach, beforeAll, expect, test } from 'vitest';
import { effectiveChecks } from '../../shared/alerts/settings.ts';
import { describeHealth } from '../../shared/health/describe-health.ts';
import type { MetricName } from '../../shared/health/metrics.ts';
import { emptyWatch, putRollUp } from '../../shared/health/sample-store.ts';
import type { Watcher } from '../../shared/health/watch-database.ts';
import { createBackupCatalog, runningBackup } from '../../shared/state/backups.ts';
import { writeCopies } from '../../shared/state/copies.ts';
import { newBackupId, newJobId } from '../../shared/state/ids.ts';
import { recordCapture, writeRecovery } from '../../shared/state/recovery.ts';
import { DAY_MS } from '../../shared/time.ts';
import { courseOf } from './support/course.ts';
import { DATABASE } from './support/watched.ts';
import { useWatchedDatabase } from './support/watched-database.ts';

/** Conditions that take days to come about, and those that AWS tells of: made where a sample finds them. */
const { here, conditionIn } = useWatchedDatabase();
let { watched, database } = {} as ReturnType<typeof here>;
beforeAll(() => {
  ({ watched, database } = here());
});

const ago = (days: number): string => new Date(Date.now() - days * DAY_MS).toISOString();

async function takeBackup(days: number, isProven = false): Promise<void> {
  const made = runningBackup({
    ...{ id: newBackupId(), database: DATABASE, backup_type: 'full', custom_name: null },
    ...{ job_id: newJobId(), requested_by: 'test' },
  });
  const times = { snapshot_at: ago(days), ended_at: ago(days), proven_at: isProven ? ago(0) : null };
  await createBackupCatalog(watched.table).addMissing({ ...made, status: 'available', ...times });
}

test.each([
  ['backup_age', false],
  ['proven_backup_age', true],
] as const)('the newest backup is old (%s)', (check, isProven) =>
  conditionIn({
    check,
    levels: { ERROR: 15 * 86_400 },
    async make() {
      await takeBackup(20, isProven);
      return () => takeBackup(1, isProven);
    },
  }),
);

test('a backup is damaged', () =>
  conditionIn({
    check: 'damaged_backups',
    levels: { ERROR: 1 },
    async make() {
      const id = newBackupId();
      const made = runningBackup({
        ...{ id, database: DATABASE, backup_type: 'full', custom_name: null },
        ...{ job_id: newJobId(), requested_by: 'test' },
      });
      const catalog = createBackupCatalog(watched.table);
      await catalog.addMissing({ ...made, status: 'available', snapshot_at: ago(0), ended_at: ago(0) });
      const found = { job_id: newJobId(), level: 'integrity', ended_at: ago(0) } as const;
      const error = { code: 'backup_damaged', message: 'An object is gone', next_step: 'Take another.' };
      await catalog.recordValidation(id, { ...found, outcome: 'failed', error });
      return () => catalog.recordValidation(id, { ...found, outcome: 'passed', error: null });
    },
  }));

test('changes are not captured', () =>
  conditionIn({
    check: 'capture_age',
    levels: { WARNING: 900 },
    async make() {
      const of = { database: DATABASE, slot: 'dbms_tested' };
      await writeRecovery(watched.table, {
        ...{ ...of, follows_definitions: true, turned_on_at: ago(2), turned_on_by: 'test', captured_at: ago(0.1) },
        ...{
          covered: null,
          stored_at: null,
          definitions: null,
          catalog: null,
          proven: null,
          closed: null,
          unauthenticated: null,
          pausing: null,
          timeline: null,
          obstacles: [],
          base_wanted: null,
          base_attempts: 0,
        },
        ...{ base_tried_at: null, renewals: 0, renew_at: null },
      });
      return () => recordCapture(watched.table, of, { captured_at: ago(0) });
    },
  }));

test.each([
  ['copies_late', { WARNING: 7200 }, { waiting_since: ago(0.2) }],
  ['copies_failed', { ERROR: 1 }, { failed: ['databases/tested/changes/1'] }],
] as const)('a backup is not in the second region (%s)', (check, levels, trouble) =>
  conditionIn({
    check,
    levels,
    async make() {
      const good = { since: ago(3), checked_at: ago(0), copied: [], waiting_since: null, failed: [] };
      await writeCopies(watched.table, DATABASE, {
        ...good,
        ...trouble,
        failed: [...('failed' in trouble ? trouble.failed : [])],
      });
      return () => writeCopies(watched.table, DATABASE, good);
    },
  }),
);

/** Puts what `valueAt` says into periods of an hour over five days, in place of what is there. */
async function past(metric: MetricName, valueAt: (days: number) => number): Promise<void> {
  for (let hours = 5 * 24; hours > 0; hours -= 3) {
    const at = Math.floor(Date.now() / 3_600_000 - hours) * 3_600_000;
    const value = valueAt(hours / 24);
    await putRollUp(watched.table, DATABASE, 600, { at, metrics: { [metric]: [value, value, value, 1] } }, 1000);
  }
}

test.each([
  ['disk_full_soon', 'disk_usage'],
  ['connections_exhausted_soon', 'connection_usage'],
  ['wraparound_soon', 'transaction_id_usage'],
] as const)('a share that grows towards the whole (%s)', (check, metric) =>
  conditionIn({
    check,
    levels: { ERROR: 3 },
    detail: 'A straight line through 40 points fits with a confidence of 100 %',
    async make() {
      // A tenth is left, of which 0.08 is used in a day.
      await past(metric, (days) => 0.9 - 0.08 * days);
      return () => past(metric, (days) => 0.5 + 0.01 * days);
    },
  }),
);

/** The hour of now on four days before, and a moment ago. */
async function sameHours(metric: MetricName, usual: number, now: number): Promise<void> {
  for (let days = 4; days >= 0; days--) {
    const value = days === 0 ? now : usual;
    const rollUp = { at: Date.now() - days * DAY_MS - 1, metrics: { [metric]: [value, value, value, 1] } };
    await putRollUp(watched.table, DATABASE, 600, rollUp as Parameters<typeof putRollUp>[3], 1000);
  }
}

test.each([
  ['response_time_unusual', 'response_time_ms', 900],
  ['query_rate_unusual', 'queries_per_second', 2],
] as const)('what is unlike the same hour of past days (%s)', (check, metric, now) =>
  conditionIn({
    check,
    levels: { WARNING: 8 },
    async make() {
      await sameHours(metric, 100, now);
      return () => sameHours(metric, 100, 101);
    },
  }),
);

/** A watcher of the same server, which takes it for one of RDS. */
let managed: Watcher | undefined;
afterEach(() => managed?.close());

const rds = { kind: 'rds', host: 'orders.c1abcdefghij.eu-west-1.rds.amazonaws.com' } as const;
const aurora = { kind: 'aurora', host: 'orders.cluster-c1abcdefghij.eu-west-1.rds.amazonaws.com' } as const;

test.each([
  ['processor', 'CPUUtilization', rds, 97, 12],
  ['disk', 'FreeStorageSpace', rds, 2 ** 30, 60 * 2 ** 30],
  ['disk_free', 'FreeStorageSpace', { ...rds, host: rds.host.replace('orders', 'bills') }, 2 ** 30, 60 * 2 ** 30],
  ['disk', 'VolumeBytesUsed', aurora, 127 * 2 ** 40, 2 ** 40],
] as const)('what CloudWatch tells of a managed database (%s, %s)', async (check, MetricName, kind, bad, good) => {
  await watched.services.putInstance({ DBInstanceIdentifier: 'orders', Engine: 'postgres', AllocatedStorage: 100 });
  managed = watched.watcher(database.target({ applicationName: 'dbms sample' }), kind);
  const publish = async (minutes: number, Value: number): Promise<void> => {
    const Name = kind === aurora ? 'DBClusterIdentifier' : 'DBInstanceIdentifier';
    const Timestamp = new Date(Date.now() - minutes * 60_000);
    const MetricData = [{ MetricName, Dimensions: [{ Name, Value: kind.host.split('.')[0] }], Value, Timestamp }];
    await watched.cloudwatch.send(new PutMetricDataCommand({ Namespace: 'AWS/RDS', MetricData }));
  };
  await courseOf(
    { watched, first: managed },
    {
      check,
      levels: { CRITICAL: check === 'disk_free' ? 2 ** 31 : 0.95 },
      async make() {
        await publish(6, bad);
        return () => publish(3, good);
      },
    },
  );
});

test('what CloudWatch does not tell of a managed database is unknown, with the reason where it does not answer', async () => {
  managed = watched.watcher(database.target({ applicationName: 'dbms sample' }), {
    ...aurora,
    host: 'other.cluster-c1abcdefghij.eu-west-1.rds.amazonaws.com',
  });
  await watched.services.putCluster({ DBClusterIdentifier: 'other' });
  const health = async () => {
    const state = await managed?.sample();
    const checks = effectiveChecks({ checks: {} }, watched.configuration.thresholds);
    const context = {
      database: { id: DATABASE, kind: aurora.kind },
      checks,
      standings: {},
      intervalSeconds: 30,
      doctor: null,
    };
    const { unread, ...described } = describeHealth(state ?? emptyWatch, context);
    const stateOf = (name: string) => described.checks.find(({ check }) => check === name)?.state;
    const memory = described.metrics.find(({ metric }) => metric === 'memory_free_bytes')?.value;
    expect([stateOf('availability'), stateOf('processor'), stateOf('disk'), memory]).toEqual([
      ...['ok', 'unknown', 'unknown'],
      null,
    ]);
    return unread;
  };
  expect(await health()).toEqual([]);
  const fault = {
    service: 'cloudwatch',
    operation: 'GetMetricData',
    status: 400,
    code: 'AccessDeniedException',
  } as const;
  await watched.services.faults.set({ ...fault, message: 'not allowed', times: 1 });
  expect(await health()).toEqual([{ part: 'cloudwatch', reason: 'not allowed' }]);
});
