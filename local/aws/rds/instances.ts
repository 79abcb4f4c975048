import type { QueryOperation } from '../query-service.ts';
import { describe } from './describe.ts';
import { add, find, type Instance, modify, type RdsStore, type Snapshot } from './state.ts';

const MODIFIABLE =
  /^(?:PubliclyAccessible|BackupRetentionPeriod|DeletionProtection|AutoMinorVersionUpgrade|EngineVersion|CACertificateIdentifier)$/;

/** Instances, described, modified, restarted, and restored from copies of snapshots. */
export function instanceOperations({ value, save }: RdsStore): Record<string, QueryOperation> {
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
      return `<DBInstances>${found.map((each) => describe('DBInstance', each)).join('')}</DBInstances>`;
    },
    ModifyDBInstance: async (form) => {
      const instance = instanceIn(form);
      modify(instance, form, MODIFIABLE);
      const group = form.get('DBParameterGroupName');
      if (group) {
        find('DBParameterGroup', value.parameterGroups, group);
        instance.DBParameterGroups = [{ DBParameterGroupName: group, ParameterApplyStatus: 'pending-reboot' }];
      }
      const renamed = form.get('NewDBInstanceIdentifier');
      if (renamed) {
        delete instances[instance.DBInstanceIdentifier];
        instance.DBInstanceIdentifier = renamed;
      }
      return put(instance);
    },
    RebootDBInstance: (form) => {
      const instance = instanceIn(form);
      const [group] = (instance.DBParameterGroups ?? []) as { DBParameterGroupName: string }[];
      if (group) instance.DBParameterGroups = [{ ...group, ParameterApplyStatus: 'in-sync' }];
      for (const cluster of Object.values(value.clusters)) {
        for (const member of cluster.DBClusterMembers as Record<string, string>[]) {
          if (member.DBInstanceIdentifier === instance.DBInstanceIdentifier)
            member.DBClusterParameterGroupStatus = 'in-sync';
        }
      }
      return put(instance);
    },
    CreateDBInstance: (form) =>
      put({
        DBInstanceIdentifier: form.get('DBInstanceIdentifier') ?? '',
        DBClusterIdentifier: form.get('DBClusterIdentifier') ?? '',
        DBInstanceClass: form.get('DBInstanceClass') ?? '',
        DBInstanceStatus: 'available',
      }),
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
      return put({ ...source, DBInstanceIdentifier: name, StorageEncrypted: encrypted });
    },
  };
}
