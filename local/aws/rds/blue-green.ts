import { AwsError } from '../errors.ts';
import type { QueryOperation } from '../query-service.ts';
import { describe, page } from './describe.ts';
import { familyOf } from './instances.ts';
import {
  type BlueGreen,
  type Described,
  find,
  type Instance,
  note,
  type RdsStore,
  rdsArn,
  resourceId,
} from './state.ts';
import { changeServer, isMajorUpgrade } from './upgrades.ts';

const KIND = 'BlueGreenDeployment';

/**
 * Blue/green deployments of instances. The green instance is a copy with an id of its own and without any replication slot: they are
 * not carried over. At the switchover it takes the name and the endpoint of the blue one, which is called `-old1` from then on.
 */
export function blueGreenOperations(store: RdsStore): Record<string, QueryOperation> {
  const { value, save } = store;
  const deploymentIn = (form: URLSearchParams) =>
    find(KIND, value.blueGreen, form.get('BlueGreenDeploymentIdentifier'));
  const nameOf = (of: unknown): string => String(of).split(':').at(-1) ?? '';
  return {
    CreateBlueGreenDeployment: async (form) => {
      const source = find('DBInstance', value.instances, nameOf(form.get('Source')));
      if (store.serverOf(source.DBInstanceIdentifier) !== null) await requireLogical(store, source);
      const id = resourceId('db', `${source.DBInstanceIdentifier} ${Date.now()}`).slice(3, 21).toLowerCase();
      const name = `${source.DBInstanceIdentifier}-green-${id.slice(0, 6)}`;
      value.instances[name] = {
        ...source,
        DBInstanceIdentifier: name,
        DBInstanceArn: rdsArn('db', name),
        DbiResourceId: resourceId('db', `${name} ${Date.now()}`),
        EngineVersion: form.get('TargetEngineVersion') ?? source.EngineVersion ?? '',
        DBParameterGroups: groupsOfGreen(source, form),
      };
      const deployment: BlueGreen = {
        BlueGreenDeploymentIdentifier: `bgd-${id}`,
        BlueGreenDeploymentName: form.get('BlueGreenDeploymentName') ?? '',
        Source: rdsArn('db', source.DBInstanceIdentifier),
        Target: rdsArn('db', name),
        Status: 'AVAILABLE',
      };
      value.blueGreen[deployment.BlueGreenDeploymentIdentifier] = deployment;
      await save();
      return describe(KIND, deployment);
    },
    DescribeBlueGreenDeployments: (form) => {
      const found = form.has('BlueGreenDeploymentIdentifier') ? [deploymentIn(form)] : Object.values(value.blueGreen);
      return page(
        `${KIND}s`,
        found.map((each) => describe('member', each)),
        form,
      );
    },
    SwitchoverBlueGreenDeployment: async (form) => {
      const deployment = deploymentIn(form);
      const [blue, green] = [nameOf(deployment.Source), nameOf(deployment.Target)];
      const [old, next] = [find('DBInstance', value.instances, blue), find('DBInstance', value.instances, green)];
      delete value.instances[green];
      value.instances[`${blue}-old1`] = renamed(old, `${blue}-old1`);
      const taking = { ...renamed(next, blue), ...(old.Endpoint === undefined ? {} : { Endpoint: old.Endpoint }) };
      value.instances[blue] = taking;
      Object.assign(deployment, {
        Status: 'SWITCHOVER_COMPLETED',
        Source: rdsArn('db', `${blue}-old1`),
        Target: rdsArn('db', blue),
      });
      // Where nobody has put a server behind the green instance, the blue one becomes it: what it holds was replicated until now.
      if (store.serverOf(green) === null) await changeServer(store, taking, String(next.EngineVersion));
      else store.switchOver(blue, green);
      note(value, 'db-instance', blue, 'Switchover from DB instance source to target completed');
      await save();
      return describe(KIND, deployment);
    },
    DeleteBlueGreenDeployment: async (form) => {
      const deployment = deploymentIn(form);
      delete value.blueGreen[deployment.BlueGreenDeploymentIdentifier];
      await save();
      return describe(KIND, { ...deployment, Status: 'DELETING' });
    },
  };
}

/** Of the version of the target: the source's where that is the same, AWS's own, or what is asked for. */
function groupsOfGreen(source: Instance, form: URLSearchParams): Described[] {
  const version = form.get('TargetEngineVersion') ?? source.EngineVersion ?? '';
  const isMajor = isMajorUpgrade(new URLSearchParams({ EngineVersion: String(version) }), source);
  const own = (source.DBParameterGroups ?? []) as Described[];
  const asked = form.get('TargetDBParameterGroupName');
  if (asked === null && !isMajor) return own;
  const DBParameterGroupName = asked ?? `default.${familyOf({ ...source, EngineVersion: version })}`;
  return [{ DBParameterGroupName, ParameterApplyStatus: 'in-sync' }];
}

const renamed = (instance: Instance, name: string): Instance => ({
  ...instance,
  DBInstanceIdentifier: name,
  DBInstanceArn: rdsArn('db', name),
});

/** Major upgrades by blue/green replicate logically. */
async function requireLogical(store: RdsStore, instance: Instance): Promise<void> {
  const groups = (instance.DBParameterGroups ?? []) as { DBParameterGroupName: string }[];
  const isOn = groups.some(
    ({ DBParameterGroupName }) =>
      store.value.parameterGroups[DBParameterGroupName]?.parameters['rds.logical_replication'] === '1',
  );
  if (isOn) return;
  throw new AwsError(
    'InvalidParameterCombination',
    'To create a blue/green deployment with a major version upgrade, set rds.logical_replication to 1 in the parameter group of the source and reboot it.',
  );
}
