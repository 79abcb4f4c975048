import type { QueryOperation } from '../query-service.ts';
import { checkValues } from './allowed-values.ts';
import { restart } from './apply.ts';
import { describe, page } from './describe.ts';
import {
  add,
  type Described,
  find,
  type Instance,
  modify,
  type RdsStore,
  rdsArn,
  resourceId,
  type Snapshot,
} from './state.ts';
import { isMajorUpgrade, upgradeInstance } from './upgrades.ts';

const MODIFIABLE =
  /^(?:PubliclyAccessible|BackupRetentionPeriod|DeletionProtection|AutoMinorVersionUpgrade|AllocatedStorage|MaxAllocatedStorage|DBInstanceClass|CACertificateIdentifier|MultiAZ)$/;

/** Instances, described, modified, restarted, and restored from copies of snapshots. */
export function instanceOperations(store: RdsStore): Record<string, QueryOperation> {
  const { value, save } = store;
  const { instances, snapshots } = value;
  const instanceIn = (form: URLSearchParams) => find('DBInstance', instances, form.get('DBInstanceIdentifier'));
  const put = async (instance: Instance): Promise<string> => {
    instances[instance.DBInstanceIdentifier] = instance;
    await save();
    return describe('DBInstance', instance);
  };
  const snapshot = async (name: string | null, kept: Snapshot): Promise<string> => {
    add('DBSnapshot', snapshots, name, kept);
    await save();
    return describe('DBSnapshot', { DBSnapshotIdentifier: name ?? '', Status: 'available' });
  };

  return {
    DescribeDBInstances: (form) => {
      const cluster = form.get('Filters.Filter.1.Values.Value.1');
      const found = form.has('DBInstanceIdentifier')
        ? [instanceIn(form)]
        : Object.values(instances).filter(({ DBClusterIdentifier }) => !cluster || DBClusterIdentifier === cluster);
      return page(
        'DBInstances',
        found.map((each) => describe('DBInstance', each)),
        form,
      );
    },
    ModifyDBInstance: async (form) => {
      const instance = instanceIn(form);
      checkValues(form, instance);
      modify(instance, form, MODIFIABLE);
      const group = form.get('DBParameterGroupName');
      if (group && !group.startsWith('default.')) find('DBParameterGroup', value.parameterGroups, group);
      if (group && !isMajorUpgrade(form, instance)) {
        instance.DBParameterGroups = [{ DBParameterGroupName: group, ParameterApplyStatus: 'pending-reboot' }];
      }
      const version = form.get('EngineVersion');
      if (version) await upgradeInstance(store, instance, version, form);
      const renamed = form.get('NewDBInstanceIdentifier');
      if (renamed) {
        delete instances[instance.DBInstanceIdentifier];
        instance.DBInstanceIdentifier = renamed;
      }
      return put(instance);
    },
    RebootDBInstance: async (form) => {
      const instance = instanceIn(form);
      await restart(store, instance);
      return put(instance);
    },
    CreateDBInstance: (form) =>
      put(
        withDefaults({
          DBInstanceIdentifier: form.get('DBInstanceIdentifier') ?? '',
          DBClusterIdentifier: form.get('DBClusterIdentifier') ?? '',
          DBInstanceClass: form.get('DBInstanceClass') ?? '',
        }),
      ),
    CreateDBSnapshot: (form) => {
      const source = instanceIn(form);
      return snapshot(form.get('DBSnapshotIdentifier'), { source, encrypted: source.StorageEncrypted === true });
    },
    CopyDBSnapshot: (form) => {
      const { source, encrypted } = find('DBSnapshot', snapshots, form.get('SourceDBSnapshotIdentifier'));
      return snapshot(form.get('TargetDBSnapshotIdentifier'), { source, encrypted: encrypted || form.has('KmsKeyId') });
    },
    DescribeDBSnapshots: (form) => {
      const name = form.get('DBSnapshotIdentifier') ?? '';
      find('DBSnapshot', snapshots, name);
      return `<DBSnapshots>${describe('DBSnapshot', { DBSnapshotIdentifier: name, Status: 'available' })}</DBSnapshots>`;
    },
    RestoreDBInstanceFromDBSnapshot: (form) => {
      const { source, encrypted } = find('DBSnapshot', snapshots, form.get('DBSnapshotIdentifier'));
      const name = form.get('DBInstanceIdentifier') ?? '';
      // What is not named is AWS's own default, and not what the source had.
      const group = form.get('DBParameterGroupName') ?? `default.${familyOf(source)}`;
      return put({
        ...source,
        DBInstanceIdentifier: name,
        ...identityOf(name, true),
        StorageEncrypted: encrypted,
        MultiAZ: form.get('MultiAZ') === 'true',
        DBParameterGroups: [{ DBParameterGroupName: group, ParameterApplyStatus: 'in-sync' }],
        VpcSecurityGroups: securityGroupsOf(form),
      });
    },
  };
}

function securityGroupsOf(form: URLSearchParams): Described[] {
  const given = [...form].filter(([name]) => name.startsWith('VpcSecurityGroupIds.')).map(([, id]) => id);
  return (given.length > 0 ? given : ['sg-default']).map((id) => ({ VpcSecurityGroupId: id, Status: 'active' }));
}

/** Such as `postgres16`, of an instance or a cluster. */
export function familyOf({ Engine = 'postgres', EngineVersion = '16.4' }: Described): string {
  return `${Engine}${String(EngineVersion).split('.')[0]}`;
}

/** What another instance of the same name does not have. */
function identityOf(name: string, isNew = false): Described {
  const of = isNew ? `${name} ${Date.now()} ${Math.random()}` : name;
  return { DbiResourceId: resourceId('db', of), DBInstanceArn: rdsArn('db', name) };
}

/** An instance as AWS describes it, where nothing else is known of it. */
export function withDefaults(instance: Instance): Instance {
  return { DBInstanceStatus: 'available', ...identityOf(instance.DBInstanceIdentifier), ...instance };
}
