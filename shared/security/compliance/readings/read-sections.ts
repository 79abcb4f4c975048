import type { KMSClient } from '@aws-sdk/client-kms';
import type { RDSClient } from '@aws-sdk/client-rds';
import type { S3Client } from '@aws-sdk/client-s3';
import type { SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import type { Database } from '../../../configuration/runtime.ts';
import { platformOf } from '../../../platforms/platforms.ts';
import { type ConnectionTarget, connect } from '../../../postgres/connect.ts';
import { withConnection } from '../../../postgres/with-connection.ts';
import { noteSightings } from '../../access/sightings.ts';
import { readAccessSection } from './access.ts';
import { readBucket, readKey, readSecretRotation } from './aws.ts';
import { type BackupsDependencies, readBackupsSection } from './backups.ts';
import type { AuditReading, Reading, Readings, Sections } from './sections.ts';
import { readSqlSection, type SqlSections, sqlSectionNames } from './sql-sections.ts';

export interface ReadDependencies extends BackupsDependencies {
  target: ConnectionTarget;
  keyArn: string;
  clients: { s3: S3Client; kms: KMSClient; secretsManager: SecretsManagerClient; rds: RDSClient };
  /** Walks over the audit's chain; without it the chain is unknown. */
  verifyAudit?: (() => Promise<AuditReading>) | undefined;
  /** Ends the reading: what was not read by then is unknown. */
  signal: AbortSignal;
}

/** The longest time of one query in milliseconds. */
const QUERY_MS = 5000;
const LOCK_MS = 1000;

const NOT_IN_TIME = 'There was no time left to read it';
const reasonOf = (error: unknown): string => (error instanceof Error ? `${error.message}` : String(error));

/** Reads every section. What cannot be read says why; nothing is thrown. */
export async function readSections(database: Database, dependencies: ReadDependencies, now: number): Promise<Readings> {
  const { table, configuration, bucket, keyArn, clients, verifyAudit, signal } = dependencies;
  const { login } = database;
  const attempt = async <Value>(read: () => Promise<Value>): Promise<Reading<Value>> => {
    try {
      signal.throwIfAborted();
      return { value: await inTime(read(), signal) };
    } catch (error) {
      return { why: signal.aborted ? NOT_IN_TIME : reasonOf(error) };
    }
  };
  const platform = platformOf(database);
  const readServer = async (): Promise<Pick<Readings, 'instance' | 'parameters'>> => {
    const instance = await attempt(() => platform.endpoints.describe(clients.rds, database, signal));
    if ('why' in instance) return { instance, parameters: instance };
    const { value } = instance;
    const parameters =
      value === null ? { value } : await attempt(() => platform.parameters.describe(clients.rds, value, signal));
    return { instance, parameters };
  };
  const [fromSql, bucketPart, key, secret, described, backups, access, audit] = await Promise.all([
    readFromServer(database.id, dependencies, attempt, now),
    attempt(() => readBucket(clients.s3, bucket, signal)),
    attempt(() => readKey(clients.kms, keyArn, signal)),
    attempt(() =>
      readSecretRotation(clients.secretsManager, login.type === 'secret' ? login.secret_arn : null, signal),
    ),
    readServer(),
    attempt(() => readBackupsSection(database, dependencies, now)),
    attempt(() => readAccessSection(configuration, table)),
    verifyAudit ? attempt(verifyAudit) : { why: 'The chain is not looked over here' },
  ]);
  return { ...fromSql, bucket: bucketPart, key, secret, ...described, backups, access, audit };
}

type Attempt = <Value>(read: () => Promise<Value>) => Promise<Reading<Value>>;
type FromServer = Pick<Readings, keyof SqlSections | 'sightings'>;

/** One section after the other, so that compliance does not weigh on the server. */
async function readFromServer(
  id: string,
  { target, table }: ReadDependencies,
  attempt: Attempt,
  now: number,
): Promise<FromServer> {
  const queryTimeoutMs = 2 * QUERY_MS;
  const opened = await attempt(() =>
    connect(target, { kind: 'catalog', statementTimeoutMs: QUERY_MS, lockTimeoutMs: LOCK_MS, queryTimeoutMs }),
  );
  if ('why' in opened) {
    const names: (keyof FromServer)[] = [...sqlSectionNames, 'sightings'];
    return Object.fromEntries(names.map((name) => [name, opened])) as unknown as FromServer;
  }
  const client = opened.value;
  try {
    const found: Partial<Record<keyof SqlSections, Reading<unknown>>> = {};
    for (const name of sqlSectionNames) {
      found[name] = await attempt<unknown>(async () => {
        if (name !== 'server') return readSqlSection(client, name);
        // Without settings of this system's own, so that the server's are seen as they are for everybody.
        return withConnection(target, { kind: 'inspecting', queryTimeoutMs }, (other) => readSqlSection(other, name));
      });
    }
    const sightings = await attempt(() => noteSightings(client, table, id, now));
    const roles = found.roles as Reading<Sections['roles']>;
    return {
      ...(found as Pick<Readings, keyof SqlSections>),
      sightings:
        'why' in sightings ? sightings : 'why' in roles ? roles : { value: { ...sightings.value, roles: roles.value } },
    };
  } finally {
    await client.end().catch(() => undefined);
  }
}

/** What is under way goes on, and is not waited for. */
function inTime<Value>(promise: Promise<Value>, signal: AbortSignal): Promise<Value> {
  return new Promise((resolve, reject) => {
    const abort = (): void => reject(new Error(NOT_IN_TIME));
    signal.addEventListener('abort', abort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort));
  });
}
