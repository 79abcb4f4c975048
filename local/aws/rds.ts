import type { RequestListener } from 'node:http';
import { join } from 'node:path';
import { AwsError } from './errors.ts';
import type { FaultList } from './faults.ts';
import { members, type QueryOperation, serveQuery } from './query-service.ts';
import { openStateFile } from './state-file.ts';
import { escapeXml } from './xml.ts';

/** What is kept of an instance, by RDS's own names. */
type Instance = Record<string, string | number | boolean | string[]> & { DBInstanceIdentifier: string };
type Snapshot = { source: Instance; encrypted: boolean };
type State = { instances: Record<string, Instance>; snapshots: Record<string, Snapshot> };

export type LocalRds = {
  /** Makes or replaces an instance. */
  putInstance(instance: Instance): Promise<void>;
  listener(faults: FaultList): RequestListener;
  close(): Promise<void>;
};

/** Amazon RDS as far as instances are described, modified, and restored from copies of snapshots; no server is behind them. */
export async function openRds(stateFolder: string): Promise<LocalRds> {
  const file = await openStateFile<State>(join(stateFolder, 'rds.json'), { instances: {}, snapshots: {} });
  const { instances, snapshots } = file.value;

  const find = <Value>(kind: string, all: Readonly<Record<string, Value>>, name: string | null): Value => {
    const found = all[name ?? ''];
    if (!found) throw new AwsError(`${kind}NotFound`, `${kind} ${name} not found.`, 404);
    return found;
  };
  const instanceIn = (form: URLSearchParams) => find('DBInstance', instances, form.get('DBInstanceIdentifier'));
  const put = async (instance: Instance): Promise<void> => {
    instances[instance.DBInstanceIdentifier] = instance;
    await file.save();
  };
  const snapshot = async (name: string | null, value: Snapshot): Promise<string> => {
    if (!name || snapshots[name]) throw new AwsError('DBSnapshotAlreadyExists', `There is a snapshot ${name} already.`);
    snapshots[name] = value;
    await file.save();
    return `<DBSnapshot><DBSnapshotIdentifier>${escapeXml(name)}</DBSnapshotIdentifier></DBSnapshot>`;
  };

  const operations: Record<string, QueryOperation> = {
    DescribeDBInstances: (form) =>
      `<DBInstances>${(form.has('DBInstanceIdentifier') ? [instanceIn(form)] : Object.values(instances)).map(describe).join('')}</DBInstances>`,
    ModifyDBInstance: async (form) => {
      const instance = instanceIn(form);
      for (const [name, value] of form) {
        if (!modifiable.test(name)) continue;
        instance[name] = /^\d+$/.test(value)
          ? Number(value)
          : value === 'true' || value === 'false'
            ? value === 'true'
            : value;
      }
      const exported = members(form, 'CloudwatchLogsExportConfiguration.EnableLogTypes');
      if (exported.length > 0) instance.EnabledCloudwatchLogsExports = exported;
      const renamed = form.get('NewDBInstanceIdentifier');
      if (renamed) {
        delete instances[instance.DBInstanceIdentifier];
        instance.DBInstanceIdentifier = renamed;
      }
      await put(instance);
      return describe(instance);
    },
    CreateDBSnapshot: (form) => {
      const source = instanceIn(form);
      return snapshot(form.get('DBSnapshotIdentifier'), { source, encrypted: source.StorageEncrypted === true });
    },
    CopyDBSnapshot: (form) => {
      const { source, encrypted } = find('DBSnapshot', snapshots, form.get('SourceDBSnapshotIdentifier'));
      return snapshot(form.get('TargetDBSnapshotIdentifier'), { source, encrypted: encrypted || form.has('KmsKeyId') });
    },
    RestoreDBInstanceFromDBSnapshot: async (form) => {
      const { source, encrypted } = find('DBSnapshot', snapshots, form.get('DBSnapshotIdentifier'));
      const name = form.get('DBInstanceIdentifier') ?? '';
      const instance = { ...source, DBInstanceIdentifier: name, StorageEncrypted: encrypted };
      await put(instance);
      return describe(instance);
    },
  };

  return {
    putInstance: put,
    listener: (faults) =>
      serveQuery(
        { name: 'rds', title: 'RDS', namespace: 'http://rds.amazonaws.com/doc/2014-10-31/', operations },
        faults,
      ),
    close: file.close,
  };
}

const modifiable = /^(?:PubliclyAccessible|BackupRetentionPeriod|DeletionProtection|AutoMinorVersionUpgrade)$/;

function describe(instance: Instance): string {
  const parts = Object.entries(instance).map(([name, value]) => {
    const inner = Array.isArray(value)
      ? value.map((each) => `<member>${escapeXml(each)}</member>`).join('')
      : escapeXml(String(value));
    return `<${name}>${inner}</${name}>`;
  });
  return `<DBInstance>${parts.join('')}</DBInstance>`;
}
