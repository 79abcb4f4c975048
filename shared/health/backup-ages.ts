import { type CloudWatchClient, type MetricDatum, PutMetricDataCommand } from '@aws-sdk/client-cloudwatch';
import type { Backup } from '../contract/schemas/backup.ts';
import { createBackupCatalog, isWhole } from '../state/backups.ts';
import type { StateTable } from '../state/table.ts';
import { DATABASE_DIMENSION, publishedName } from './metrics.ts';

/** Ages in seconds; null when there is no such backup. */
export interface BackupAges {
  newest: number | null;
  newestProven: number | null;
  /** How many complete backups are known to be damaged. */
  damaged: number;
}

/**
 * How old the newest complete full backup of a whole database is, and the newest that a drill has restored. An age counts from the
 * moment whose state the backup holds: it is how much would be lost.
 *
 * @param now - milliseconds since the epoch
 */
export function backupAges(backups: readonly Backup[], now: number): BackupAges {
  const ageOf = (some: readonly Backup[]): number | null => {
    const taken = some.map(takenAt);
    return taken.length === 0 ? null : Math.max(0, Math.round((now - Math.max(...taken)) / 1000));
  };
  const whole = backups.filter(isWhole);
  return {
    newest: ageOf(whole),
    newestProven: ageOf(whole.filter(({ proven_at }) => proven_at !== null)),
    damaged: backups.filter(({ status }) => status === 'damaged').length,
  };
}

/**
 * The moment whose state a backup holds. The database's clock tells it, which may be ahead: it is never later than when the backup was
 * complete, or one such backup would hide for as long that no other comes.
 */
function takenAt({ snapshot_at, created_at, stored_at, ended_at }: Backup): number {
  const complete = [stored_at, ended_at].flatMap((at) => (at === null ? [] : [Date.parse(at)]));
  return Math.min(Date.parse(snapshot_at ?? created_at), ...complete);
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
