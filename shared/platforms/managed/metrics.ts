import type { CloudWatchClient, Dimension } from '@aws-sdk/client-cloudwatch';
import { readEndpoint } from '../../aws/rds-endpoint.ts';
import { rdsNamesOf } from '../../aws/rds-names.ts';
import type { NamedDatabase, PlacedDatabase, PlatformValues, ServerUse } from '../platform.ts';
import { type AskedMetrics, readNewest } from './cloudwatch.ts';
import type { DescribedStorage, ServerDescription } from './describe.ts';
import { roleOfAddress } from './roles-of-servers.ts';

const GIBIBYTE = 1_073_741_824;
/** What an Aurora volume grows to: 128 TiB ("Amazon Aurora size limits" in its guide); the newest versions have more. */
const AURORA_VOLUME_BYTES = 128 * 1024 * GIBIBYTE;

type Metric =
  | 'CPUUtilization'
  | 'FreeableMemory'
  | 'FreeStorageSpace'
  | 'FreeLocalStorage'
  | 'ACUUtilization'
  | 'VolumeBytesUsed';

const ofInstance = (Value: string): Dimension[] => [{ Name: 'DBInstanceIdentifier', Value }];

/** The bytes of disk that the configuration says a database has; null when it does not say. */
export function configuredStorage({ storage_gigabytes }: Pick<PlacedDatabase, 'storage_gigabytes'>): number | null {
  return storage_gigabytes === undefined ? null : storage_gigabytes * GIBIBYTE;
}

/**
 * An instance, or the writer of a Multi-AZ DB cluster: CloudWatch knows the instances alone, and which of them writes only the API does.
 *
 * @param server - null where the API did not say: then by the endpoint's name, and the disk by `storage_gigabytes`
 */
export async function readInstanceMetrics(
  client: CloudWatchClient,
  database: PlacedDatabase,
  server: ServerDescription | null,
  now = Date.now(),
): Promise<PlatformValues> {
  const role = server && roleOfAddress(database, server);
  const described = role?.is === 'instance' ? role.instance : null;
  const id = described?.id ?? rdsNamesOf(database).instance;
  if (id === null) return {};
  const dimensions = ofInstance(id);
  const asked = { CPUUtilization: dimensions, FreeableMemory: dimensions, FreeStorageSpace: dimensions };
  const newest = await readNewest<Metric>(client, asked, now);
  return { ...ofServer(newest), ...ofDisk(newest('FreeStorageSpace'), described?.storage ?? null, database) };
}

/** What RDS says goes before the configuration, which is not changed when storage autoscaling enlarges the disk. */
function ofDisk(free: number | null, storage: DescribedStorage | null, database: PlacedDatabase): PlatformValues {
  const whole = storage?.allocatedBytes ?? configuredStorage(database);
  const ceiling = storage?.autoscalesToBytes ?? null;
  const used = free === null || whole === null ? null : Math.max(0, whole - free);
  return {
    disk_free_bytes: free,
    disk_usage: used === null || whole === null ? null : used / whole,
    disk_ceiling_usage: used === null || ceiling === null ? null : used / ceiling,
  };
}

/** The writer or the readers of a cluster, or an instance of it; the volume is known by the cluster alone. */
export async function readClusterMetrics(
  client: CloudWatchClient,
  database: PlacedDatabase,
  server: ServerDescription | null,
  now = Date.now(),
): Promise<PlatformValues> {
  const asked = clusterDimensions(database, server);
  if (Object.keys(asked).length === 0) return {};
  const newest = await readNewest<Metric>(client, asked, now);
  const used = newest('VolumeBytesUsed');
  const capacity = newest('ACUUtilization');
  return {
    ...ofServer(newest),
    local_storage_free_bytes: newest('FreeLocalStorage'),
    disk_usage: used === null ? null : used / AURORA_VOLUME_BYTES,
    ...(asked.ACUUtilization && { capacity_usage: capacity === null ? null : capacity / 100 }),
  };
}

/** See "Amazon CloudWatch dimensions for Aurora" in its guide. */
function clusterDimensions(database: NamedDatabase, server: ServerDescription | null): AskedMetrics<Metric> {
  const named = rdsNamesOf(database);
  const cluster = server?.isCluster ? server.id : named.cluster;
  const role = server && roleOfAddress(database, server);
  const instance = named.instance ?? (role?.is === 'instance' ? role.instance.id : null);
  const isReader = readEndpoint(database.direct?.host ?? database.host)?.type === 'reader';
  const volume = cluster === null ? null : [{ Name: 'DBClusterIdentifier', Value: cluster }];
  const byRole =
    named.cluster === null ? null : volume && [...volume, { Name: 'Role', Value: isReader ? 'READER' : 'WRITER' }];
  const dimensions = instance === null ? byRole : ofInstance(instance);
  return {
    ...(dimensions && { CPUUtilization: dimensions, FreeableMemory: dimensions, FreeLocalStorage: dimensions }),
    ...(dimensions && server?.capacity && { ACUUtilization: dimensions }),
    ...(volume && { VolumeBytesUsed: volume }),
  };
}

/** "Monitoring auto-pause" in the guide of Aurora: an instance that has paused has a ServerlessDatabaseCapacity of 0. */
export async function readServerlessUse(
  client: CloudWatchClient,
  instance: string,
  now = Date.now(),
): Promise<ServerUse> {
  const dimensions = ofInstance(instance);
  const asked = { ServerlessDatabaseCapacity: dimensions, DatabaseConnections: dimensions };
  const newest = await readNewest<keyof typeof asked>(client, asked, now);
  return { capacity: newest('ServerlessDatabaseCapacity'), connections: newest('DatabaseConnections') };
}

function ofServer(newest: (metric: Metric) => number | null): PlatformValues {
  const processor = newest('CPUUtilization');
  return { cpu_usage: processor === null ? null : processor / 100, memory_free_bytes: newest('FreeableMemory') };
}
