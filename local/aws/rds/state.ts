import { AwsError } from '../errors.ts';
import { members } from '../query-service.ts';

/** A thing of RDS by its own names of what it has. */
export type Described = { [name: string]: string | number | boolean | string[] | Described | Described[] };

/** What is kept of an instance or of a cluster, its identifier among it. */
export type Instance = Described & { DBInstanceIdentifier: string };
export type Cluster = Described & { DBClusterIdentifier: string };
export type Snapshot = { source: Described; encrypted: boolean };
export type ParameterGroup = { family: string; parameters: Record<string, string> };

/** All by their identifiers. */
export type RdsState = {
  instances: Record<string, Instance>;
  snapshots: Record<string, Snapshot>;
  clusters: Record<string, Cluster>;
  clusterSnapshots: Record<string, Snapshot>;
  parameterGroups: Record<string, ParameterGroup>;
  clusterParameterGroups: Record<string, ParameterGroup>;
};

/** What the operations of all parts are made with. */
export type RdsStore = { value: RdsState; save(): Promise<void> };

/** @throws AwsError, `DBInstanceNotFound` and the like */
export function find<Value>(kind: string, all: Readonly<Record<string, Value>>, name: string | null): Value {
  const found = all[name ?? ''];
  if (!found) throw new AwsError(`${kind}NotFound`, `${kind} ${name} not found.`, 404);
  return found;
}

/** @throws AwsError, `DBSnapshotAlreadyExists` and the like */
export function add<Value>(kind: string, all: Record<string, Value>, name: string | null, value: Value): void {
  if (!name || all[name]) throw new AwsError(`${kind}AlreadyExists`, `There is a ${kind} ${name} already.`);
  all[name] = value;
}

/** Takes from a form what is modified: what is named, and the logs that are exported. */
export function modify(described: Described, form: URLSearchParams, names: RegExp): void {
  for (const [name, value] of form) {
    if (!names.test(name)) continue;
    if (/^\d+$/.test(value)) described[name] = Number(value);
    else described[name] = value === 'true' || value === 'false' ? value === 'true' : value;
  }
  const exported = members(form, 'CloudwatchLogsExportConfiguration.EnableLogTypes');
  if (exported.length > 0) described.EnabledCloudwatchLogsExports = exported;
}
