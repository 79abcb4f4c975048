import { createHash } from 'node:crypto';
import { localArn } from '../account.ts';
import { AwsError } from '../errors.ts';
import { members } from '../query-service.ts';
import type { AttachedServer } from './attached-server.ts';

/** A thing of RDS by its own names of what it has. */
export type Described = { [name: string]: string | number | boolean | string[] | Described | Described[] };

/** What is kept of an instance or of a cluster, its identifier among it. */
export type Instance = Described & { DBInstanceIdentifier: string };
export type Cluster = Described & { DBClusterIdentifier: string };
export type Snapshot = { source: Described; encrypted: boolean };
export type ParameterGroup = {
  family: string;
  parameters: Record<string, string>;
  /** Those that wait for a restart, with the value that is in effect; null: the default. */
  pending?: Record<string, string | null>;
};
export type Endpoint = Described & { DBClusterEndpointIdentifier: string; DBClusterIdentifier: string };
export type BlueGreen = Described & { BlueGreenDeploymentIdentifier: string };

/** All by their identifiers. */
export type RdsState = {
  instances: Record<string, Instance>;
  snapshots: Record<string, Snapshot>;
  clusters: Record<string, Cluster>;
  clusterSnapshots: Record<string, Snapshot>;
  parameterGroups: Record<string, ParameterGroup>;
  clusterParameterGroups: Record<string, ParameterGroup>;
  clusterEndpoints: Record<string, Endpoint>;
  blueGreen: Record<string, BlueGreen>;
  /** The newest last. */
  events: { SourceIdentifier: string; SourceType: string; Message: string; Date: string }[];
  /** Log files that AWS writes beside the server's own: text by instance, then by name. */
  logFiles: Record<string, Record<string, string>>;
};

/** What the operations of all parts are made with. */
export type RdsStore = {
  value: RdsState;
  save(): Promise<void>;
  /** The server behind an instance; null: there is none, and what is kept of it is all. */
  serverOf(instance: string): AttachedServer | null;
  /** The server behind the green instance stands behind the blue one from now on. */
  switchOver(blue: string, green: string): void;
};

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

/** An id that does not change with the name, and is another for another instance or cluster. */
export const resourceId = (prefix: 'db' | 'cluster', of: string): string =>
  `${prefix}-${createHash('sha256').update(of).digest('hex').toUpperCase().slice(0, 26)}`;

export const rdsArn = (kind: 'db' | 'cluster' | 'cluster-endpoint', name: string): string =>
  localArn('rds', `${kind}:${name}`);

export function note(value: RdsState, type: 'db-instance' | 'db-cluster', source: string, message: string): void {
  value.events.push({ SourceType: type, SourceIdentifier: source, Message: message, Date: new Date().toISOString() });
  value.events.splice(0, Math.max(0, value.events.length - 500));
}
