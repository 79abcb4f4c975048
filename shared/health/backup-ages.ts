import { type CloudWatchClient, type MetricDatum, PutMetricDataCommand } from '@aws-sdk/client-cloudwatch';
import type { Backup } from '../contract/schemas/backup.ts';
import { createBackupCatalog, isWhole } from '../state/backups.ts';
import type { StateTable } from '../state/table.ts';
import { DATABASE_DIMENSION, publishedName } from './metrics.ts';

/** Ages in seconds; null when there is no such backup. */
export interface BackupAges {
  newest: number | null;
  newestProven: number | null;
}

/**
 * How old the newest complete full backup of a whole database is, and the newest that a drill has restored. An age counts from the
 * moment whose state the backup holds: it is how much would be lost.
 *
 * @param now - milliseconds since the epoch
 */
export function backupAges(backups: readonly Backup[], now: number): BackupAges {
  const ageOf = (some: readonly Backup[]): number | null => {
    const taken = some.map(({ snapshot_at, created_at }) => Date.parse(snapshot_at ?? created_at));
    // The database's clock may be ahead of this one.
    return taken.length === 0 ? null : Math.max(0, Math.round((now - Math.max(...taken)) / 1000));
  };
  const whole = backups.filter(isWhole);
  return { newest: ageOf(whole), newestProven: ageOf(whole.filter(({ proven_at }) => proven_at !== null)) };
}

/**
 * Sends CloudWatch the age of a database's newest proven backup, whose alarm belongs to the drills. Where there is no such backup nothing is
 * sent, which the alarm takes as it is told to. The age of the newest backup is a check of the sampler.
 */
export async function publishBackupAges(
  database: string,
  { table, cloudwatch, namespace }: { table: StateTable; cloudwatch: CloudWatchClient; namespace: string },
  now = new Date(),
): Promise<BackupAges> {
  const entries = await createBackupCatalog(table).entries(database);
  const ages = backupAges(
    entries.map(({ backup }) => backup),
    now.getTime(),
  );
  if (ages.newestProven === null) return ages;
  const MetricData: MetricDatum[] = [
    {
      MetricName: publishedName('proven_backup_age_seconds'),
      Value: ages.newestProven,
      Unit: 'Seconds',
      Timestamp: now,
      Dimensions: [{ Name: DATABASE_DIMENSION, Value: database }],
    },
  ];
  await cloudwatch.send(new PutMetricDataCommand({ Namespace: namespace, MetricData }));
  return ages;
}
