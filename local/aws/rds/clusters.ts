import { AwsError } from '../errors.ts';
import type { QueryOperation } from '../query-service.ts';
import { checkValues } from './allowed-values.ts';
import { describe, page } from './describe.ts';
import { familyOf } from './instances.ts';
import { add, type Cluster, type Described, find, modify, note, type RdsStore, rdsArn, resourceId } from './state.ts';
import { isMajorUpgrade, upgradeCluster } from './upgrades.ts';

const MODIFIABLE = /^(?:BackupRetentionPeriod|DeletionProtection)$/;

/** Clusters of Aurora, described, modified, failed over, and restored from snapshots. */
export function clusterOperations(store: RdsStore): Record<string, QueryOperation> {
  const { value, save } = store;
  const { clusters, clusterSnapshots, clusterEndpoints } = value;
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
      return page(
        'DBClusters',
        found.map((each) => describe('DBCluster', each)),
        form,
      );
    },
    ModifyDBCluster: async (form) => {
      const cluster = clusterIn(form);
      checkValues(form, cluster);
      modify(cluster, form, MODIFIABLE);
      const scaling = scalingIn(form);
      if (scaling) cluster.ServerlessV2ScalingConfiguration = scaling;
      const group = form.get('DBClusterParameterGroupName');
      if (group && !group.startsWith('default.')) find('DBClusterParameterGroup', value.clusterParameterGroups, group);
      if (group && !isMajorUpgrade(form, cluster)) {
        cluster.DBClusterParameterGroup = group;
        for (const member of membersOf(cluster)) member.DBClusterParameterGroupStatus = 'pending-reboot';
      }
      const version = form.get('EngineVersion');
      if (version) await upgradeCluster(store, cluster, version, form);
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
    FailoverDBCluster: async (form) => {
      const cluster = clusterIn(form);
      await failOver(store, cluster, form.get('TargetDBInstanceIdentifier'));
      return put(cluster);
    },
    DescribeDBClusterEndpoints: (form) => {
      const cluster = form.get('DBClusterIdentifier');
      const own = Object.values(clusters).flatMap(ownEndpoints);
      const found = [...own, ...Object.values(clusterEndpoints)].filter(
        (each) => cluster === null || each.DBClusterIdentifier === cluster,
      );
      return page(
        'DBClusterEndpoints',
        found.map((each) => describe('DBClusterEndpointList', each)),
        form,
      );
    },
    CreateDBClusterEndpoint: async (form) => {
      const cluster = clusterIn(form);
      const id = form.get('DBClusterEndpointIdentifier') ?? '';
      const endpoint = {
        DBClusterEndpointIdentifier: id,
        DBClusterIdentifier: cluster.DBClusterIdentifier,
        Endpoint: hostOf(cluster, `${id}.cluster-custom-`),
        Status: 'available',
        EndpointType: 'CUSTOM',
        CustomEndpointType: form.get('EndpointType') ?? 'ANY',
        StaticMembers: [...form].filter(([name]) => name.startsWith('StaticMembers.')).map(([, member]) => member),
        DBClusterEndpointArn: rdsArn('cluster-endpoint', id),
      };
      add('DBClusterEndpoint', clusterEndpoints, id, endpoint);
      await save();
      return Object.entries(endpoint)
        .filter(([, each]) => !Array.isArray(each))
        .map(([name, each]) => `<${name}>${each}</${name}>`)
        .join('');
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
      const name = form.get('DBClusterIdentifier') ?? '';
      return put({
        ...source,
        DBClusterIdentifier: name,
        DbClusterResourceId: resourceId('cluster', `${name} ${Date.now()} ${Math.random()}`),
        DBClusterMembers: [],
        DBClusterParameterGroup:
          form.get('DBClusterParameterGroupName') ?? `default.${familyOf({ Engine: 'aurora-postgresql', ...source })}`,
        StorageEncrypted: encrypted || form.has('KmsKeyId'),
      });
    },
  };
}

export const membersOf = (cluster: Cluster): Described[] => (cluster.DBClusterMembers ?? []) as Described[];

/** A cluster as AWS describes it, where nothing else is known of it. */
export function clusterWithDefaults(cluster: Cluster): Cluster {
  const { DBClusterIdentifier: id } = cluster;
  return {
    Status: 'available',
    DBClusterMembers: [],
    DbClusterResourceId: resourceId('cluster', id),
    DBClusterArn: rdsArn('cluster', id),
    ...cluster,
  };
}

function scalingIn(form: URLSearchParams): Described | null {
  const prefix = 'ServerlessV2ScalingConfiguration.';
  const parts = [...form].filter(([name]) => name.startsWith(prefix));
  if (parts.length === 0) return null;
  return Object.fromEntries(parts.map(([name, each]) => [name.slice(prefix.length), Number(each)]));
}

/** Another member becomes the writer, as the servers behind the members are told. */
async function failOver(store: RdsStore, cluster: Cluster, target: string | null): Promise<void> {
  const members = membersOf(cluster);
  const chosen = members.find(
    (each) => each.IsClusterWriter !== true && (target === null || each.DBInstanceIdentifier === target),
  );
  if (!chosen) {
    throw new AwsError(
      'InvalidDBClusterStateFault',
      `The DB cluster ${cluster.DBClusterIdentifier} has no reader ${target ?? ''} to fail over to.`,
    );
  }
  for (const each of members) each.IsClusterWriter = each === chosen;
  const places = Object.fromEntries(
    members.map((each) => [String(each.DBInstanceIdentifier), each.IsClusterWriter === true]),
  );
  note(
    store.value,
    'db-cluster',
    cluster.DBClusterIdentifier,
    `Completed failover to DB instance: ${chosen.DBInstanceIdentifier}`,
  );
  for (const instance of Object.keys(places)) await store.serverOf(instance)?.setPlace({ instance, members: places });
}

/** The endpoints that each cluster has without being asked. */
function ownEndpoints(cluster: Cluster): (Described & { DBClusterIdentifier: string })[] {
  const { DBClusterIdentifier } = cluster;
  const of = (EndpointType: string, Endpoint: string) => ({
    DBClusterIdentifier,
    Endpoint,
    Status: 'available',
    EndpointType,
  });
  return [
    of('WRITER', String(cluster.Endpoint ?? hostOf(cluster, `${DBClusterIdentifier}.cluster-`))),
    of('READER', String(cluster.ReaderEndpoint ?? hostOf(cluster, `${DBClusterIdentifier}.cluster-ro-`))),
  ];
}

/** A host with the account's part as the cluster's endpoint has it. */
function hostOf(cluster: Cluster, beginning: string): string {
  const [, rest] = /\.cluster-(.+)$/.exec(String(cluster.Endpoint ?? '')) ?? [];
  return `${beginning}${rest ?? 'c0123456789a.us-east-1.rds.amazonaws.com'}`;
}
