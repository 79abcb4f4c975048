import {
  type DBCluster,
  type DBInstance,
  DescribeDBClustersCommand,
  DescribeDBInstancesCommand,
  type DescribeDBInstancesCommandInput,
  type RDSClient,
} from '@aws-sdk/client-rds';
import type { RdsNames } from '../../aws/rds-names.ts';

/** An instance, by itself or of a cluster. */
export interface DescribedInstance {
  id: string;
  class: string;
  public: boolean;
  minorUpgrades: boolean;
  /** Of a cluster, the one that takes writes; true of an instance by itself. */
  isWriter: boolean;
  /** Its own endpoint; null while it is created. */
  address: string | null;
  /** `db-...`: in the policies of logins by IAM. */
  resourceId: string | null;
  /** Certificate authority that signs the server's certificate, such as `rds-ca-rsa2048-g1`. */
  authority: string | null;
  /** When the server's certificate expires: milliseconds since the epoch. */
  certificateEnds: number | null;
  /** Its own group of parameters; of a member of a cluster, beside the cluster's. */
  parameterGroup: string | null;
  storage: DescribedStorage | null;
}

/** The disk that was given to an instance; Aurora has none. Bytes. */
export interface DescribedStorage {
  allocatedBytes: number;
  /** Up to which storage autoscaling enlarges it; null: it does not. */
  autoscalesToBytes: number | null;
}

/** Capacity of Aurora Serverless v2, in ACU. */
export interface DescribedCapacity {
  min: number;
  max: number;
  /** Seconds without connections after which instances pause; null: they do not. */
  pauseAfterSeconds: number | null;
}

/** How AWS keeps a server: an instance by itself, or a cluster of Aurora or Multi-AZ. */
export interface ServerDescription {
  /** Identifier of the instance or the cluster. */
  id: string;
  isCluster: boolean;
  /** As AWS says it: `available`, `stopped`, `upgrading`, `storage-optimization`... */
  status: string | null;
  /** Of a cluster, the writer first. */
  instances: DescribedInstance[];
  /** Endpoints of a cluster. */
  endpoints: { writer: string | null; reader: string | null; custom: string[] };
  engine: string;
  /** Such as `16.4`. */
  engineVersion: string | null;
  /** `db-...` or `cluster-...`. */
  resourceId: string | null;
  masterUser: string | null;
  encrypted: boolean;
  retentionDays: number;
  deletionProtection: boolean;
  exportsLog: boolean;
  /** Where the settings are: the group of the instance or of the cluster. */
  parameterGroup: string | null;
  /** What a copy of the server needs to have as well. */
  placement: {
    subnetGroup: string | null;
    securityGroups: string[];
    isMultiAz: boolean;
    port: number | null;
    storageType: string | null;
    isByIam: boolean;
  };
  capacity: DescribedCapacity | null;
  /** What makes a cluster one that this system does not work with; null: nothing. */
  unsupported: string | null;
}

/**
 * How RDS keeps an instance or a cluster.
 *
 * @throws the SDK's errors, or Error when there is nothing by these names
 */
export async function describeServer(rds: RDSClient, names: RdsNames, signal: AbortSignal): Promise<ServerDescription> {
  const instances = async (input: DescribeDBInstancesCommandInput): Promise<DBInstance[]> =>
    (await rds.send(new DescribeDBInstancesCommand(input), { abortSignal: signal })).DBInstances ?? [];
  let { cluster } = names;
  if (cluster === null) {
    if (names.instance === null)
      throw new Error('The address names no instance and no cluster of RDS: set instance_id');
    const [found] = await instances({ DBInstanceIdentifier: names.instance });
    if (!found) throw new Error(`RDS knows no instance ${names.instance}`);
    if (!found.DBClusterIdentifier) return ofInstance(names.instance, found);
    cluster = found.DBClusterIdentifier;
  }
  const [{ DBClusters: [found] = [] }, members] = await Promise.all([
    rds.send(new DescribeDBClustersCommand({ DBClusterIdentifier: cluster }), { abortSignal: signal }),
    instances({ Filters: [{ Name: 'db-cluster-id', Values: [cluster] }] }),
  ]);
  if (!found) throw new Error(`RDS knows no cluster ${cluster}`);
  return ofCluster(cluster, found, members);
}

function ofInstance(id: string, found: DBInstance): ServerDescription {
  return {
    id,
    isCluster: false,
    status: found.DBInstanceStatus ?? null,
    instances: [memberOf(found, true)],
    endpoints: { writer: null, reader: null, custom: [] },
    resourceId: found.DbiResourceId ?? null,
    parameterGroup: found.DBParameterGroups?.[0]?.DBParameterGroupName ?? null,
    capacity: null,
    unsupported: null,
    placement: {
      ...placementOf(found),
      subnetGroup: found.DBSubnetGroup?.DBSubnetGroupName ?? null,
      port: found.Endpoint?.Port ?? null,
    },
    ...protectionOf(found),
  };
}

function ofCluster(id: string, found: DBCluster, members: readonly DBInstance[]): ServerDescription {
  const writer = found.DBClusterMembers?.find(({ IsClusterWriter }) => IsClusterWriter)?.DBInstanceIdentifier;
  const isWriter = ({ DBInstanceIdentifier }: DBInstance): boolean => DBInstanceIdentifier === writer;
  return {
    id,
    isCluster: true,
    status: found.Status ?? null,
    instances: [...members]
      .sort((a, b) => Number(isWriter(b)) - Number(isWriter(a)))
      .map((each) => memberOf(each, isWriter(each))),
    endpoints: {
      writer: found.Endpoint ?? null,
      reader: found.ReaderEndpoint ?? null,
      custom: found.CustomEndpoints ?? [],
    },
    resourceId: found.DbClusterResourceId ?? null,
    parameterGroup: found.DBClusterParameterGroup ?? null,
    capacity: capacityOf(found),
    unsupported: found.ClusterScalabilityType === 'limitless' ? 'Aurora PostgreSQL Limitless Database' : null,
    placement: { ...placementOf(found), subnetGroup: found.DBSubnetGroup ?? null, port: found.Port ?? null },
    ...protectionOf(found),
  };
}

function memberOf(found: DBInstance, isWriter: boolean): DescribedInstance {
  return {
    id: found.DBInstanceIdentifier ?? '',
    class: found.DBInstanceClass ?? '',
    public: found.PubliclyAccessible === true,
    minorUpgrades: found.AutoMinorVersionUpgrade === true,
    isWriter,
    address: found.Endpoint?.Address ?? null,
    resourceId: found.DbiResourceId ?? null,
    authority: found.CACertificateIdentifier ?? null,
    certificateEnds: found.CertificateDetails?.ValidTill?.getTime() ?? null,
    parameterGroup: found.DBParameterGroups?.[0]?.DBParameterGroupName ?? null,
    storage: storageOf(found),
  };
}

const GIBIBYTE = 1_073_741_824;

/** Instances of Aurora say 1 GiB, which is none. */
function storageOf({ AllocatedStorage, MaxAllocatedStorage, Engine }: DBInstance): DescribedStorage | null {
  if (!AllocatedStorage || Engine?.startsWith('aurora')) return null;
  const autoscales = MaxAllocatedStorage !== undefined && MaxAllocatedStorage > AllocatedStorage;
  return {
    allocatedBytes: AllocatedStorage * GIBIBYTE,
    autoscalesToBytes: autoscales ? MaxAllocatedStorage * GIBIBYTE : null,
  };
}

function capacityOf({ ServerlessV2ScalingConfiguration: scaling }: DBCluster): DescribedCapacity | null {
  if (scaling?.MinCapacity === undefined || scaling.MaxCapacity === undefined) return null;
  const pauseAfterSeconds = scaling.MinCapacity === 0 ? (scaling.SecondsUntilAutoPause ?? PAUSE_AFTER_SECONDS) : null;
  return { min: scaling.MinCapacity, max: scaling.MaxCapacity, pauseAfterSeconds };
}

/** The default of `SecondsUntilAutoPause` (Amazon RDS API Reference, ServerlessV2ScalingConfigurationInfo). */
const PAUSE_AFTER_SECONDS = 300;

/** What instances and clusters name alike. */
const placementOf = (found: DBInstance | DBCluster) => ({
  securityGroups: (found.VpcSecurityGroups ?? []).flatMap(({ VpcSecurityGroupId: id }) => id ?? []),
  isMultiAz: found.MultiAZ === true,
  storageType: found.StorageType ?? null,
  isByIam: found.IAMDatabaseAuthenticationEnabled === true,
});

const protectionOf = (found: DBInstance | DBCluster) => ({
  engine: found.Engine ?? 'postgres',
  engineVersion: found.EngineVersion ?? null,
  masterUser: found.MasterUsername ?? null,
  encrypted: found.StorageEncrypted === true,
  retentionDays: found.BackupRetentionPeriod ?? 0,
  deletionProtection: found.DeletionProtection === true,
  exportsLog: (found.EnabledCloudwatchLogsExports ?? []).includes('postgresql'),
});
