import { CloudWatchClient, GetMetricDataCommand } from '@aws-sdk/client-cloudwatch';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { backupAges, publishBackupAges } from '../../shared/health/backup-ages.ts';
import { DATABASE_DIMENSION, metricNamespace, publishedName } from '../../shared/health/metrics.ts';
import { createBackupCatalog, runningBackup } from '../../shared/state/backups.ts';
import { newBackupId, newJobId } from '../../shared/state/ids.ts';
import { clientOptions } from '../local/aws/support.ts';
import { type StateService, startState } from '../state/support.ts';

const HOUR_MS = 3_600_000;
const now = Math.floor(Date.now() / 60_000) * 60_000;

/** A complete full backup, so many hours old. */
function backup(hours: number, more: object = {}) {
  const made = runningBackup({
    ...{ id: newBackupId(), database: 'shop', backup_type: 'full', custom_name: null },
    ...{ job_id: newJobId(), requested_by: 'test' },
  });
  const snapshot_at = new Date(now - hours * HOUR_MS).toISOString();
  return { ...made, status: 'available', snapshot_at, ended_at: snapshot_at, ...more } as const;
}
const proven_at = new Date(now).toISOString();

describe('ages', () => {
  test('are those of the newest, and of the newest that a drill has restored, in seconds', () => {
    const backups = [backup(30, { proven_at }), backup(2), backup(20, { proven_at }), backup(9)];
    expect(backupAges(backups, now)).toEqual({ newest: 2 * 3600, newestProven: 20 * 3600, damaged: 0 });
  });

  test('are of complete full backups of a whole database alone', () => {
    const others = [
      backup(1, { status: 'running', proven_at }),
      backup(1, { status: 'failed', proven_at }),
      backup(1, { backup_type: 'schema', proven_at }),
      backup(1, { include: ['sales.*'], proven_at }),
      backup(1, { exclude: ['audit'], proven_at }),
    ];
    expect(backupAges([...others, backup(5)], now)).toEqual({ newest: 5 * 3600, newestProven: null, damaged: 0 });
    expect(backupAges(others, now)).toEqual({ newest: null, newestProven: null, damaged: 0 });
  });

  test('are never below nothing, though the clock of the database is ahead', () => {
    expect(backupAges([backup(-1)], now).newest).toBe(0);
  });

  test('count from when a backup was complete, where the clock of the database was ahead', () => {
    const ended_at = new Date(now - 48 * HOUR_MS).toISOString();
    expect(backupAges([backup(-24, { ended_at, proven_at })], now)).toEqual({
      newest: 48 * 3600,
      newestProven: 48 * 3600,
      damaged: 0,
    });
    const stored_at = new Date(now - 50 * HOUR_MS).toISOString();
    expect(backupAges([backup(-24, { stored_at })], now).newest).toBe(50 * 3600);
  });

  test('are not of a backup that is known to be damaged', () => {
    expect(backupAges([backup(1, { status: 'damaged' }), backup(40)], now)).toEqual({
      newest: 40 * 3600,
      newestProven: null,
      damaged: 1,
    });
  });
});

describe('publishing', () => {
  let state: StateService;
  let cloudwatch: CloudWatchClient;
  beforeAll(async () => {
    state = await startState();
    cloudwatch = new CloudWatchClient(clientOptions(state.services.endpoints.cloudwatch));
  });
  afterAll(async () => {
    cloudwatch?.destroy();
    await state?.close();
  });

  const namespace = metricNamespace('dbms');
  async function published(MetricName: string, Value: string): Promise<number[]> {
    const Metric = { Namespace: namespace, MetricName, Dimensions: [{ Name: DATABASE_DIMENSION, Value }] };
    const { MetricDataResults = [] } = await cloudwatch.send(
      new GetMetricDataCommand({
        StartTime: new Date(now - HOUR_MS),
        EndTime: new Date(now + HOUR_MS),
        MetricDataQueries: [{ Id: 'age', MetricStat: { Metric, Period: 60, Stat: 'Maximum' } }],
      }),
    );
    return MetricDataResults[0]?.Values ?? [];
  }

  test('sends what there is, and nothing for what there is not', async () => {
    const publish = (database: string) =>
      publishBackupAges(database, { table: state.table, cloudwatch, namespace }, new Date(now));
    expect(await publish('crm')).toEqual({ newest: null, newestProven: null, damaged: 0 });
    await createBackupCatalog(state.table).addMissing(backup(3));
    await publish('shop');
    expect(await published(publishedName('proven_backup_age_seconds'), 'shop')).toEqual([]);
    await createBackupCatalog(state.table).addMissing(backup(4, { proven_at }));
    await publish('shop');
    expect(await published(publishedName('proven_backup_age_seconds'), 'shop')).toEqual([4 * 3600]);
    // A check of the sampler watches it: as a metric of its own it would only cost.
    expect(await published(publishedName('backup_age_seconds'), 'shop')).toEqual([]);
  });
});
