import type { QueryOperation } from '../query-service.ts';
import { describe } from './describe.ts';
import { add, type Cluster, find, modify, type RdsStore } from './state.ts';

const MODIFIABLE = /^(?:BackupRetentionPeriod|DeletionProtection|EngineVersion)$/;

/** Clusters of Aurora, described, modified, and restored from snapshots. */
export function clusterOperations({ value, save }: RdsStore): Record<string, QueryOperation> {
  const { clusters, clusterSnapshots } = value;
  const clusterIn = (form: URLSearchParams) => find('DBCluster', clusters, form.get('DBClusterIdentifier'));
  const put = async (cluster: Cluster): Promise<string> => {
    clusters[cluster.DBClusterIdentifier] = cluster;
    await save();
    return describe('DBCluster', cluster);
  };
  const describeSnapshot = (name: string): string =>
    describe('DBClusterSnapshot', { DBClusterSnapshotIdentifier: name, Status: 'available' });

  return {
    DescribeDBClusters: (form) => {
      const found = form.has('DBClusterIdentifier') ? [clusterIn(form)] : Object.values(clusters);
      return `<DBClusters>${found.map((each) => describe('DBCluster', each)).join('')}</DBClusters>`;
    },
    ModifyDBCluster: async (form) => {
      const cluster = clusterIn(form);
      modify(cluster, form, MODIFIABLE);
      const group = form.get('DBClusterParameterGroupName');
      if (group) {
        find('DBClusterParameterGroup', value.clusterParameterGroups, group);
        cluster.DBClusterParameterGroup = group;
        for (const member of cluster.DBClusterMembers as Record<string, string>[])
          member.DBClusterParameterGroupStatus = 'pending-reboot';
      }
      const renamed = form.get('NewDBClusterIdentifier');
      if (renamed) {
        for (const instance of Object.values(value.instances)) {
          if (instance.DBClusterIdentifier === cluster.DBClusterIdentifier) instance.DBClusterIdentifier = renamed;
        }
        delete clusters[cluster.DBClusterIdentifier];
        cluster.DBClusterIdentifier = renamed;
      }
      return put(cluster);
    },
    CreateDBClusterSnapshot: async (form) => {
      const name = form.get('DBClusterSnapshotIdentifier');
      const source = clusterIn(form);
      add('DBClusterSnapshot', clusterSnapshots, name, { source, encrypted: source.StorageEncrypted === true });
      await save();
      return describeSnapshot(name ?? '');
    },
    DescribeDBClusterSnapshots: (form) => {
      const name = form.get('DBClusterSnapshotIdentifier') ?? '';
      find('DBClusterSnapshot', clusterSnapshots, name);
      return `<DBClusterSnapshots>${describeSnapshot(name)}</DBClusterSnapshots>`;
    },
    RestoreDBClusterFromSnapshot: (form) => {
      const { source, encrypted } = find('DBClusterSnapshot', clusterSnapshots, form.get('SnapshotIdentifier'));
      return put({
        ...source,
        DBClusterIdentifier: form.get('DBClusterIdentifier') ?? '',
        DBClusterMembers: [],
        StorageEncrypted: encrypted || form.has('KmsKeyId'),
      });
    },
  };
}
