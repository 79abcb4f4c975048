import type { Parameter } from './parameters/catalogue.ts';
import type { Cluster, Described, Instance, ParameterGroup, RdsStore } from './state.ts';

export type Kind = 'DBParameterGroup' | 'DBClusterParameterGroup';

/** A change of a parameter; null resets it. */
export type Change = { readonly name: string; readonly value: string | null; readonly method: string };

/**
 * Changes a group, and what uses it: what is dynamic and immediate takes effect at once, all else waits for a restart, as the status of
 * the group at each instance then says.
 */
export async function applyGroup(
  store: RdsStore,
  kind: Kind,
  name: string,
  group: ParameterGroup,
  changes: readonly Change[],
  catalogue: ReadonlyMap<string, Parameter> | null,
): Promise<void> {
  const pending = { ...group.pending };
  for (const change of changes) {
    const waits = change.method !== 'immediate' || catalogue?.get(change.name)?.isStatic === true;
    if (waits && !(change.name in pending)) pending[change.name] = group.parameters[change.name] ?? null;
    if (!waits) delete pending[change.name];
    if (change.value === null) delete group.parameters[change.name];
    else group.parameters[change.name] = change.value;
  }
  group.pending = pending;
  const users = usersOf(store, kind, name);
  if (Object.keys(pending).length > 0) for (const each of users) setStatus(store, kind, each, 'pending-reboot');
  await store.save();
  for (const each of users) await store.serverOf(each.DBInstanceIdentifier)?.setParameters(inEffect(store, each));
}

/** The parameters of an instance that are in effect: of its cluster's group, then of its own. */
export function inEffect(store: RdsStore, instance: Instance, afterRestart = false): Record<string, string> {
  const values: Record<string, string> = {};
  for (const group of groupsOf(store, instance)) {
    Object.assign(values, group.parameters);
    if (afterRestart) continue;
    for (const [name, value] of Object.entries(group.pending ?? {})) {
      // A static one waits in the server, too; a dynamic one that was put off waits here.
      if (value === null) delete values[name];
      else values[name] = value;
    }
  }
  return values;
}

/** Restarts the server behind an instance with what its groups say. */
export async function restart(store: RdsStore, instance: Instance): Promise<void> {
  const server = store.serverOf(instance.DBInstanceIdentifier);
  await server?.setParameters(inEffect(store, instance, true));
  await server?.restart();
  setStatus(store, 'DBParameterGroup', instance, 'in-sync');
  setStatus(store, 'DBClusterParameterGroup', instance, 'in-sync');
  for (const group of groupsOf(store, instance)) {
    const [kind, name] = nameOf(store, group);
    // Others that use the group still wait; what they wait for is kept until the last has restarted.
    if (usersOf(store, kind, name).every((each) => statusOf(store, each) === 'in-sync')) group.pending = {};
  }
  await store.save();
}

function nameOf({ value }: RdsStore, group: ParameterGroup): [Kind, string] {
  const ofInstances = Object.entries(value.parameterGroups).find(([, each]) => each === group);
  if (ofInstances) return ['DBParameterGroup', ofInstances[0]];
  return [
    'DBClusterParameterGroup',
    Object.entries(value.clusterParameterGroups).find(([, each]) => each === group)?.[0] ?? '',
  ];
}

const clusterOf = ({ value }: RdsStore, { DBClusterIdentifier: id }: Instance): Cluster | undefined =>
  typeof id === 'string' ? value.clusters[id] : undefined;

function groupsOf(store: RdsStore, instance: Instance): ParameterGroup[] {
  const ofCluster = clusterOf(store, instance)?.DBClusterParameterGroup;
  const [own] = (instance.DBParameterGroups ?? []) as { DBParameterGroupName: string }[];
  return [
    typeof ofCluster === 'string' ? store.value.clusterParameterGroups[ofCluster] : undefined,
    own ? store.value.parameterGroups[own.DBParameterGroupName] : undefined,
  ].filter((each) => each !== undefined);
}

function usersOf(store: RdsStore, kind: Kind, name: string): Instance[] {
  return Object.values(store.value.instances).filter((instance) => {
    if (kind === 'DBClusterParameterGroup') return clusterOf(store, instance)?.DBClusterParameterGroup === name;
    return ((instance.DBParameterGroups ?? []) as Described[]).some((each) => each.DBParameterGroupName === name);
  });
}

const memberOf = (store: RdsStore, instance: Instance): Described | undefined =>
  ((clusterOf(store, instance)?.DBClusterMembers ?? []) as Described[]).find(
    (each) => each.DBInstanceIdentifier === instance.DBInstanceIdentifier,
  );

function setStatus(store: RdsStore, kind: Kind, instance: Instance, status: 'in-sync' | 'pending-reboot'): void {
  if (kind === 'DBParameterGroup') {
    for (const each of (instance.DBParameterGroups ?? []) as Described[]) each.ParameterApplyStatus = status;
    return;
  }
  const member = memberOf(store, instance);
  if (member) member.DBClusterParameterGroupStatus = status;
}

function statusOf(store: RdsStore, instance: Instance): string {
  const [own] = (instance.DBParameterGroups ?? []) as Described[];
  const all = [own?.ParameterApplyStatus, memberOf(store, instance)?.DBClusterParameterGroupStatus];
  return all.includes('pending-reboot') ? 'pending-reboot' : 'in-sync';
}
