import { type CloudWatchClient, type Dimension, GetMetricDataCommand } from '@aws-sdk/client-cloudwatch';
import type { Database } from '../configuration/runtime.ts';
import type { MetricValues } from './metrics.ts';

const GIBIBYTE = 1_073_741_824;
/** What an Aurora volume grows to: 128 TiB ("Amazon Aurora size limits" in its guide). */
const AURORA_VOLUME_BYTES = 128 * 1024 * GIBIBYTE;
/** RDS publishes each minute; volume sizes of Aurora come less often. */
const LOOK_BACK_MS = 30 * 60_000;
const PERIOD_SECONDS = 60;

type Metric = 'CPUUtilization' | 'FreeableMemory' | 'FreeStorageSpace' | 'VolumeBytesUsed';
type Place = Pick<Database, 'kind' | 'host' | 'direct' | 'instance_id'>;

/**
 * What CloudWatch is asked for, and under which dimensions it knows it ("Amazon CloudWatch dimensions for Aurora" in its guide): the
 * server by its instance, or as the writer or the readers of a cluster, the volume of Aurora by its cluster. Instance and cluster have
 * their names from the configuration or from the endpoint's first label.
 *
 * @returns without what no name leads to, such as a DNS name of one's own
 */
function rdsDimensions({ kind, host: configured, direct, instance_id }: Place): Partial<Record<Metric, Dimension[]>> {
  if (kind === 'self-managed') return {};
  const host = direct?.host ?? configured;
  const [name, cluster] =
    /^([a-z0-9-]+)\.(cluster-(?:ro-)?)?[a-z0-9]+\..*rds\.amazonaws\.com(?:\.cn)?$/.exec(host.toLowerCase())?.slice(1) ??
    [];
  const clusterId = kind === 'aurora' && cluster ? name : undefined;
  const instanceId = instance_id ?? (cluster ? undefined : name);
  const volume = clusterId === undefined ? null : [{ Name: 'DBClusterIdentifier', Value: clusterId }];
  const role = volume && [...volume, { Name: 'Role', Value: cluster === 'cluster-ro-' ? 'READER' : 'WRITER' }];
  const server = instanceId === undefined ? role : [{ Name: 'DBInstanceIdentifier', Value: instanceId }];
  return {
    ...(server && { CPUUtilization: server, FreeableMemory: server }),
    ...(server && kind === 'rds' && { FreeStorageSpace: server }),
    ...(volume && { VolumeBytesUsed: volume }),
  };
}

/** The bytes of disk that the configuration says a database has; null when it does not say. */
export function storageBytes({ storage_gigabytes }: Pick<Database, 'storage_gigabytes'>): number | null {
  return storage_gigabytes === undefined ? null : storage_gigabytes * GIBIBYTE;
}

/**
 * Processor, memory and disk of a managed database, the newest that CloudWatch has; null what it does not have. Nothing for a
 * self-managed one.
 *
 * @throws the SDK's errors
 */
export async function readRdsMetrics(
  client: CloudWatchClient,
  database: Database,
  now = Date.now(),
): Promise<MetricValues> {
  const asked = Object.entries(rdsDimensions(database));
  if (asked.length === 0) return {};
  const { MetricDataResults = [] } = await client.send(
    new GetMetricDataCommand({
      MetricDataQueries: asked.map(([MetricName, Dimensions], index) => ({
        Id: `m${index}`,
        MetricStat: {
          Metric: { Namespace: 'AWS/RDS', MetricName, Dimensions },
          Period: PERIOD_SECONDS,
          Stat: 'Average',
        },
      })),
      StartTime: new Date(now - LOOK_BACK_MS),
      EndTime: new Date(now),
      ScanBy: 'TimestampDescending',
    }),
  );
  const newest = (metric: Metric): number | null => {
    const id = `m${asked.findIndex(([name]) => name === metric)}`;
    return MetricDataResults.find(({ Id }) => Id === id)?.Values?.[0] ?? null;
  };
  const processor = newest('CPUUtilization');
  return {
    cpu_usage: processor === null ? null : processor / 100,
    memory_free_bytes: newest('FreeableMemory'),
    ...diskOf(database, newest(database.kind === 'aurora' ? 'VolumeBytesUsed' : 'FreeStorageSpace')),
  };
}

function diskOf(database: Database, bytes: number | null): MetricValues {
  if (database.kind === 'aurora') return { disk_usage: bytes === null ? null : bytes / AURORA_VOLUME_BYTES };
  const whole = storageBytes(database);
  const usage = bytes === null || whole === null ? null : Math.max(0, 1 - bytes / whole);
  return { disk_free_bytes: bytes, disk_usage: usage };
}
