import type { CloudWatchClient } from '@aws-sdk/client-cloudwatch';
import { rdsNamesOf } from '../../aws/rds-names.ts';
import type { NamedDatabase, PlacedDatabase, PlatformValues } from '../platform.ts';
import { type AskedMetrics, readNewest } from './cloudwatch.ts';

const GIBIBYTE = 1_073_741_824;
/** What an Aurora volume grows to: 128 TiB ("Amazon Aurora size limits" in its guide). */
const AURORA_VOLUME_BYTES = 128 * 1024 * GIBIBYTE;

type Metric = 'CPUUtilization' | 'FreeableMemory' | 'FreeStorageSpace' | 'VolumeBytesUsed';

/** The bytes of disk that the configuration says a database has; null when it does not say. */
export function configuredStorage({ storage_gigabytes }: Pick<PlacedDatabase, 'storage_gigabytes'>): number | null {
  return storage_gigabytes === undefined ? null : storage_gigabytes * GIBIBYTE;
}

/** An instance by its endpoint or by its configured identifier: processor, memory, and the disk of its own. */
export async function readInstanceMetrics(
  client: CloudWatchClient,
  database: PlacedDatabase,
  now = Date.now(),
): Promise<PlatformValues> {
  const { instance } = rdsNamesOf(database);
  if (instance === null) return {};
  const server = [{ Name: 'DBInstanceIdentifier', Value: instance }];
  const asked = { CPUUtilization: server, FreeableMemory: server, FreeStorageSpace: server };
  const newest = await readNewest<Metric>(client, asked, now);
  const free = newest('FreeStorageSpace');
  const whole = configuredStorage(database);
  return {
    ...ofServer(newest),
    disk_free_bytes: free,
    disk_usage: free === null || whole === null ? null : Math.max(0, 1 - free / whole),
  };
}

/** The writer or the readers of a cluster, or an instance of it; the volume is known by the cluster alone. */
export async function readClusterMetrics(
  client: CloudWatchClient,
  database: PlacedDatabase,
  now = Date.now(),
): Promise<PlatformValues> {
  const asked = clusterDimensions(database);
  if (Object.keys(asked).length === 0) return {};
  const newest = await readNewest<Metric>(client, asked, now);
  const used = newest('VolumeBytesUsed');
  return { ...ofServer(newest), disk_usage: used === null ? null : used / AURORA_VOLUME_BYTES };
}

/** See "Amazon CloudWatch dimensions for Aurora" in its guide. */
function clusterDimensions(database: NamedDatabase): AskedMetrics<Metric> {
  const { instance, cluster } = rdsNamesOf(database);
  const isReader = /\.cluster-ro-/i.test(database.direct?.host ?? database.host);
  const volume = cluster === null ? null : [{ Name: 'DBClusterIdentifier', Value: cluster }];
  const role = volume && [...volume, { Name: 'Role', Value: isReader ? 'READER' : 'WRITER' }];
  const server = instance === null ? role : [{ Name: 'DBInstanceIdentifier', Value: instance }];
  return {
    ...(server && { CPUUtilization: server, FreeableMemory: server }),
    ...(volume && { VolumeBytesUsed: volume }),
  };
}

function ofServer(newest: (metric: Metric) => number | null): PlatformValues {
  const processor = newest('CPUUtilization');
  return { cpu_usage: processor === null ? null : processor / 100, memory_free_bytes: newest('FreeableMemory') };
}
