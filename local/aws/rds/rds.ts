import type { RequestListener } from 'node:http';
import { join } from 'node:path';
import type { StateDisk } from '../../state-disk.ts';
import type { FaultList } from '../faults.ts';
import { serveQuery } from '../query-service.ts';
import { openStateFile } from '../state-file.ts';
import { clusterOperations } from './clusters.ts';
import { instanceOperations } from './instances.ts';
import { parameterGroupOperations } from './parameter-groups.ts';
import type { Cluster, Instance, RdsState } from './state.ts';

export type LocalRds = {
  /** Makes or replaces an instance. */
  putInstance(instance: Instance): Promise<void>;
  /** Makes or replaces a cluster. */
  putCluster(cluster: Cluster): Promise<void>;
  listener(faults: FaultList): RequestListener;
  close(): Promise<void>;
};

const empty = (): RdsState => ({
  instances: {},
  snapshots: {},
  clusters: {},
  clusterSnapshots: {},
  parameterGroups: {},
  clusterParameterGroups: {},
});

/** Amazon RDS as far as compliance's mends call it: what is kept of instances, clusters and their parameters. No server is behind them. */
export async function openRds(stateFolder: string, disk: StateDisk): Promise<LocalRds> {
  const file = await openStateFile(join(stateFolder, 'rds.json'), empty(), disk);
  // A file that an earlier version has written knows fewer things.
  Object.assign(file.value, { ...empty(), ...file.value });
  const operations = {
    ...instanceOperations(file),
    ...clusterOperations(file),
    ...parameterGroupOperations(file),
  };
  return {
    putInstance: async (instance) => {
      file.value.instances[instance.DBInstanceIdentifier] = { DBInstanceStatus: 'available', ...instance };
      await file.save();
    },
    putCluster: async (cluster) => {
      file.value.clusters[cluster.DBClusterIdentifier] = { Status: 'available', DBClusterMembers: [], ...cluster };
      await file.save();
    },
    listener: (faults) =>
      serveQuery(
        { name: 'rds', title: 'RDS', namespace: 'http://rds.amazonaws.com/doc/2014-10-31/', operations },
        faults,
      ),
    close: file.close,
  };
}
