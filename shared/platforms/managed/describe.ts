import {
  type DBCluster,
  type DBInstance,
  DescribeDBClustersCommand,
  DescribeDBInstancesCommand,
  type DescribeDBInstancesCommandInput,
  type RDSClient,
} from '@aws-sdk/client-rds';
import type { RdsNames } from '../../aws/rds-names.ts';

/** How AWS keeps a server: an instance by itself, or a cluster of Aurora or Multi-AZ. */
export interface ServerDescription {
  /** Identifier of the instance or the cluster. */
  id: string;
  isCluster: boolean;
  /** Of a cluster, the writer first. */
  instances: { id: string; class: string; public: boolean; minorUpgrades: boolean }[];
  engine: string;
  encrypted: boolean;
  retentionDays: number;
  deletionProtection: boolean;
  exportsLog: boolean;
  /** Where the settings are: the group of the instance or of the cluster. */
  parameterGroup: string | null;
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
    instances: [memberOf(found)],
    parameterGroup: found.DBParameterGroups?.[0]?.DBParameterGroupName ?? null,
    encrypted: found.StorageEncrypted === true,
    ...protectionOf(found),
  };
}

function ofCluster(id: string, found: DBCluster, members: readonly DBInstance[]): ServerDescription {
  const writer = found.DBClusterMembers?.find(({ IsClusterWriter }) => IsClusterWriter)?.DBInstanceIdentifier;
  const isReader = ({ DBInstanceIdentifier }: DBInstance): number => Number(DBInstanceIdentifier !== writer);
  return {
    id,
    isCluster: true,
    instances: [...members].sort((a, b) => isReader(a) - isReader(b)).map(memberOf),
    parameterGroup: found.DBClusterParameterGroup ?? null,
    encrypted: found.StorageEncrypted === true,
    ...protectionOf(found),
  };
}

const memberOf = (found: DBInstance) => ({
  id: found.DBInstanceIdentifier ?? '',
  class: found.DBInstanceClass ?? '',
  public: found.PubliclyAccessible === true,
  minorUpgrades: found.AutoMinorVersionUpgrade === true,
});

/** What instances and clusters name alike. */
const protectionOf = (found: DBInstance | DBCluster) => ({
  engine: found.Engine ?? 'postgres',
  retentionDays: found.BackupRetentionPeriod ?? 0,
  deletionProtection: found.DeletionProtection === true,
  exportsLog: (found.EnabledCloudwatchLogsExports ?? []).includes('postgresql'),
});
