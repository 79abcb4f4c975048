import { AwsError } from '../errors.ts';
import { inEffect, restart } from './apply.ts';
import { membersOf } from './clusters.ts';
import { familyOf } from './instances.ts';
import { type Cluster, type Described, type Instance, note, type RdsStore } from './state.ts';

const major = (version: unknown): number => Number(String(version ?? '16').split('.')[0]);

/** Whether a form asks for another major version than there is. */
export const isMajorUpgrade = (form: URLSearchParams, { EngineVersion }: Described): boolean =>
  form.has('EngineVersion') && major(form.get('EngineVersion')) !== major(EngineVersion);

const ownGroupOf = (instance: Instance): unknown =>
  (instance.DBParameterGroups as Described[] | undefined)?.[0]?.DBParameterGroupName;
const isCustom = (group: unknown): boolean => typeof group === 'string' && !group.startsWith('default.');

/** Changes the version of an instance; a major one after the checks that AWS makes. */
export async function upgradeInstance(
  store: RdsStore,
  instance: Instance,
  version: string,
  form: URLSearchParams,
): Promise<void> {
  const { DBInstanceIdentifier: id } = instance;
  const group = ownGroupOf(instance);
  const done = await upgrade(store, instance, id, { version, form, group, asked: form.get('DBParameterGroupName') });
  if (!done) return;
  const DBParameterGroupName = form.get('DBParameterGroupName') ?? `default.${familyOf(instance)}`;
  instance.DBParameterGroups = [{ DBParameterGroupName, ParameterApplyStatus: 'in-sync' }];
  await changeServer(store, instance, version);
}

/** The server behind an instance, on the version that the instance has now, with what its groups say. */
export async function changeServer(store: RdsStore, instance: Instance, version: string): Promise<void> {
  const server = store.serverOf(instance.DBInstanceIdentifier);
  if (!server?.upgrade) return restart(store, instance);
  await server.setParameters(inEffect(store, instance, true));
  await server.upgrade(major(version));
}

/** Likewise of a cluster with all of its members. */
export async function upgradeCluster(
  store: RdsStore,
  cluster: Cluster,
  version: string,
  form: URLSearchParams,
): Promise<void> {
  const writer = membersOf(cluster).find((each) => each.IsClusterWriter === true);
  const id = String(writer?.DBInstanceIdentifier ?? cluster.DBClusterIdentifier);
  const asked = form.get('DBClusterParameterGroupName');
  const group = cluster.DBClusterParameterGroup;
  const ofInstances = form.get('DBInstanceParameterGroupName');
  const members = membersOf(cluster).flatMap((each) => store.value.instances[String(each.DBInstanceIdentifier)] ?? []);
  if (isMajorUpgrade(form, cluster) && ofInstances === null && members.some((each) => isCustom(ownGroupOf(each)))) {
    throw new AwsError(
      'InvalidParameterCombination',
      'The current DB instance parameter group is custom. You must explicitly specify a new DB instance parameter group, either default or custom, for the engine version upgrade.',
    );
  }
  const done = await upgrade(store, cluster, id, { version, form, group, asked });
  if (!done) return;
  for (const instance of members) {
    instance.EngineVersion = version;
    const DBParameterGroupName = ofInstances ?? `default.${familyOf(instance)}`;
    instance.DBParameterGroups = [{ DBParameterGroupName, ParameterApplyStatus: 'in-sync' }];
  }
  cluster.DBClusterParameterGroup = asked ?? `default.${familyOf(cluster)}`;
  for (const instance of members) {
    await changeServer(store, instance, version);
    // "The DB cluster isn't rebooted automatically" for DBInstanceParameterGroupName.
    const [own] = instance.DBParameterGroups as Described[];
    if (own && ofInstances !== null) own.ParameterApplyStatus = 'pending-reboot';
  }
}

/** @returns whether it came to a major upgrade */
async function upgrade(
  store: RdsStore,
  described: Described,
  id: string,
  { version, form, group, asked }: { version: string; form: URLSearchParams; group: unknown; asked: string | null },
): Promise<boolean> {
  const [from, to] = [major(described.EngineVersion), major(version)];
  if (to < from)
    throw new AwsError(
      'InvalidParameterCombination',
      `Cannot upgrade postgres from ${described.EngineVersion} to ${version}`,
    );
  if (to === from) {
    described.EngineVersion = version;
    return false;
  }
  if (form.get('AllowMajorVersionUpgrade') !== 'true')
    throw new AwsError(
      'InvalidParameterCombination',
      'The AllowMajorVersionUpgrade flag must be present when upgrading to a new major version.',
    );
  if (isCustom(group) && asked === null) {
    throw new AwsError(
      'InvalidParameterCombination',
      'The current DB instance parameter group is custom. You must explicitly specify a new DB parameter group, either default or custom, for the engine version upgrade.',
    );
  }
  const refusal = await refusalOf(store, id, from);
  if (refusal !== null) {
    const [date = ''] = new Date().toISOString().split('T');
    const name = from >= 17 ? `error/pg_upgrade_internal.log.${date}` : `error/pg_upgrade_precheck.log.${date}`;
    store.value.logFiles[id] = { ...store.value.logFiles[id], [name]: `${refusal}\n` };
    note(
      store.value,
      'db-instance',
      id,
      `Database instance is in a state that cannot be upgraded: PreUpgrade checks failed: ${refusal}`,
    );
    return false;
  }
  described.EngineVersion = version;
  note(store.value, 'db-instance', id, `The database engine major version has been upgraded to ${version}.`);
  return true;
}

/**
 * Why the server behind an instance cannot be upgraded: before 17 for any logical slot, from 17 on for one with changes that were not
 * consumed, which pg_upgrade finds when the server is offline already.
 */
async function refusalOf(store: RdsStore, id: string, from: number): Promise<string | null> {
  const server = store.serverOf(id);
  const slots = (await server?.logicalSlots()) ?? [];
  if (from < 17) {
    if (slots.length === 0) return null;
    return 'The instance could not be upgraded because one or more databases have logical replication slots. Please drop all logical replication slots and try again.';
  }
  const unconsumed = slots.filter(({ isConsumed }) => !isConsumed).map(({ name }) => name);
  if (unconsumed.length === 0) return null;
  // The server was offline for it.
  await server?.restart();
  return `Your installation contains logical replication slots that cannot be upgraded. The slot "${unconsumed[0]}" has not consumed the WAL yet`;
}
