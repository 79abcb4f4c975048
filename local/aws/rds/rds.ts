import type { RequestListener } from 'node:http';
import { join } from 'node:path';
import type { Access } from '../../iam/access.ts';
import type { AccessRequest } from '../../iam/evaluate.ts';
import type { StateDisk } from '../../state-disk.ts';
import { localArn } from '../account.ts';
import type { FaultList } from '../faults.ts';
import { serveQuery } from '../query-service.ts';
import { openStateFile } from '../state-file.ts';
import { inEffect } from './apply.ts';
import type { AttachedServer } from './attached-server.ts';
import { blueGreenOperations } from './blue-green.ts';
import { clusterOperations, clusterWithDefaults } from './clusters.ts';
import { instanceOperations, withDefaults } from './instances.ts';
import { logFileOperations } from './log-files.ts';
import { parameterGroupOperations } from './parameter-groups.ts';
import type { Cluster, Instance, RdsState, RdsStore } from './state.ts';

export type LocalRds = {
  /** Makes or replaces an instance. */
  putInstance(instance: Instance): Promise<void>;
  /** Makes or replaces a cluster. */
  putCluster(cluster: Cluster): Promise<void>;
  /** Puts a server behind an instance, and gives it what the instance's parameter groups say. */
  attachServer(instance: string, server: AttachedServer): Promise<void>;
  listener(faults: FaultList, access: Access): RequestListener;
  close(): Promise<void>;
};

const empty = (): RdsState => ({
  instances: {},
  snapshots: {},
  clusters: {},
  clusterSnapshots: {},
  parameterGroups: {},
  clusterParameterGroups: {},
  clusterEndpoints: {},
  blueGreen: {},
  events: [],
  logFiles: {},
});

/**
 * Amazon RDS as far as this system and its guides call it: instances, clusters, their parameters, upgrades and logs. Servers may be put
 * behind the instances; what is kept of the others is all there is of them.
 */
export async function openRds(stateFolder: string, disk: StateDisk): Promise<LocalRds> {
  const file = await openStateFile(join(stateFolder, 'rds.json'), empty(), disk);
  // A file that an earlier version has written knows fewer things.
  Object.assign(file.value, { ...empty(), ...file.value });
  const servers = new Map<string, AttachedServer>();
  const store: RdsStore = {
    value: file.value,
    save: file.save,
    serverOf: (instance) => servers.get(instance) ?? null,
    switchOver: (blue, green) => {
      const [old, next] = [servers.get(blue), servers.get(green)];
      servers.delete(green);
      servers.delete(blue);
      if (old) servers.set(`${blue}-old1`, old);
      if (next) servers.set(blue, next);
    },
  };
  const operations = {
    ...instanceOperations(store),
    ...clusterOperations(store),
    ...parameterGroupOperations(store),
    ...blueGreenOperations(store),
    ...logFileOperations(store),
  };
  return {
    putInstance: async (instance) => {
      file.value.instances[instance.DBInstanceIdentifier] = withDefaults(instance);
      await file.save();
    },
    putCluster: async (cluster) => {
      file.value.clusters[cluster.DBClusterIdentifier] = clusterWithDefaults(cluster);
      await file.save();
    },
    attachServer: async (name, server) => {
      servers.set(name, server);
      const instance = file.value.instances[name];
      if (instance) await server.setParameters(inEffect(store, instance));
    },
    listener: (faults, access) =>
      serveQuery(
        { name: 'rds', title: 'RDS', namespace: 'http://rds.amazonaws.com/doc/2014-10-31/', operations, requests },
        faults,
        access,
      ),
    close: file.close,
  };
}

/** Of instances that a call does not name, it asks for the right on all. */
function requests(called: string, form: URLSearchParams): AccessRequest[] {
  const kind = called.includes('DBCluster') ? 'cluster' : 'db';
  const name = form.get(kind === 'cluster' ? 'DBClusterIdentifier' : 'DBInstanceIdentifier');
  return [{ action: `rds:${called}`, resource: localArn('rds', `${kind}:${name ?? '*'}`) }];
}
