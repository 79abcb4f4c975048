import { type CloudWatchClient, GetMetricDataCommand, type MetricDataQuery } from '@aws-sdk/client-cloudwatch';
import type { Database } from '../configuration/runtime.ts';
import type { MetricValues } from './metrics.ts';

const GIBIBYTE = 1_073_741_824;
/** What an Aurora volume grows to: 128 TiB ("Amazon Aurora size limits" in its guide). */
const AURORA_VOLUME_BYTES = 128 * 1024 * GIBIBYTE;
/** RDS publishes each minute; volume sizes of Aurora come less often. */
const LOOK_BACK_MS = 30 * 60_000;
const PERIOD_SECONDS = 60;

/** CloudWatch's names of what is asked for, by kind of database. */
const asked = {
  rds: ['CPUUtilization', 'FreeableMemory', 'FreeStorageSpace'],
  aurora: ['CPUUtilization', 'FreeableMemory', 'VolumeBytesUsed'],
} as const;

/**
 * The dimensions under which CloudWatch knows a database: its host's first label is the instance's or the cluster's name.
 *
 * @returns null for a host that RDS has not named, such as one's own DNS name
 */
export function rdsDimensions({
  kind,
  host,
}: Pick<Database, 'kind' | 'host'>): { Name: string; Value: string }[] | null {
  const [name, kindOfEndpoint] = /^([a-z0-9-]+)\.(cluster-(?:ro-)?)?[a-z0-9]+\..*rds\.amazonaws\.com(\.cn)?$/i
    .exec(host)
    ?.slice(1) ?? [undefined, undefined];
  if (kind === 'self-managed' || name === undefined) return null;
  return [{ Name: kind === 'aurora' && kindOfEndpoint ? 'DBClusterIdentifier' : 'DBInstanceIdentifier', Value: name }];
}

/** The bytes of disk that the configuration says a database has; null when it does not say. */
export function storageBytes({ storage_gigabytes }: Pick<Database, 'storage_gigabytes'>): number | null {
  return storage_gigabytes === undefined ? null : storage_gigabytes * GIBIBYTE;
}

/**
 * Processor, memory and disk of a managed database, the newest that CloudWatch has. Nothing for a self-managed one.
 *
 * @throws the SDK's errors
 */
export async function readRdsMetrics(
  client: CloudWatchClient,
  database: Database,
  now = Date.now(),
): Promise<MetricValues> {
  const Dimensions = rdsDimensions(database);
  if (database.kind === 'self-managed' || Dimensions === null) return {};
  const queries = asked[database.kind].map(
    (MetricName, index): MetricDataQuery => ({
      Id: `m${index}`,
      MetricStat: { Metric: { Namespace: 'AWS/RDS', MetricName, Dimensions }, Period: PERIOD_SECONDS, Stat: 'Average' },
    }),
  );
  const { MetricDataResults = [] } = await client.send(
    new GetMetricDataCommand({
      MetricDataQueries: queries,
      StartTime: new Date(now - LOOK_BACK_MS),
      EndTime: new Date(now),
      ScanBy: 'TimestampDescending',
    }),
  );
  const newest = (index: number): number | null =>
    MetricDataResults.find(({ Id }) => Id === `m${index}`)?.Values?.[0] ?? null;
  const [processor, memory, third] = [newest(0), newest(1), newest(2)];
  return {
    cpu_usage: processor === null ? null : processor / 100,
    memory_free_bytes: memory,
    ...(third === null ? {} : diskOf(database, third)),
  };
}

function diskOf(database: Database, bytes: number): MetricValues {
  if (database.kind === 'aurora') return { disk_usage: bytes / AURORA_VOLUME_BYTES };
  const whole = storageBytes(database);
  return { disk_free_bytes: bytes, disk_usage: whole === null ? null : Math.max(0, 1 - bytes / whole) };
}
