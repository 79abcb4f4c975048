import * as z from 'zod';

/**
 * The environment variables that the CDK app sets and the functions read; one definition for both sides.
 * A function gets only the ones it needs, so each is optional here and required where it is read.
 */
export const environmentNames = {
  /** Path of the runtime configuration (JSON), delivered as a Lambda layer under `/opt`. */
  configurationPath: 'CONFIGURATION_PATH',
  /** Issuer and audience of the user pool that the app itself creates: known only once it is deployed. */
  identityIssuer: 'IDENTITY_ISSUER',
  identityAudience: 'IDENTITY_AUDIENCE',
  stateTable: 'STATE_TABLE',
  auditTable: 'AUDIT_TABLE',
  /** Holds the archives of the audit trails, and what is signed of them, under object lock. */
  auditBucket: 'AUDIT_BUCKET',
  /** Signs the ends of the audit trails. */
  auditKeyArn: 'AUDIT_KEY_ARN',
  /** Encrypts the archives of the audit trails. */
  archiveKeyArn: 'ARCHIVE_KEY_ARN',
  /** Derives the masking key. */
  maskingKeyArn: 'MASKING_KEY_ARN',
  backupBucket: 'BACKUP_BUCKET',
  backupKeyArn: 'BACKUP_KEY_ARN',
  /** Holds the files of downloads for a day. */
  downloadBucket: 'DOWNLOAD_BUCKET',
  backupFunctionArn: 'BACKUP_FUNCTION_ARN',
  restoreFunctionArn: 'RESTORE_FUNCTION_ARN',
  /** Of the functions that a distributed backup invokes, with their alias. */
  snapshotHolderFunctionArn: 'SNAPSHOT_HOLDER_FUNCTION_ARN',
  exportLaneFunctionArn: 'EXPORT_LANE_FUNCTION_ARN',
  rebuildFunctionArn: 'REBUILD_FUNCTION_ARN',
  /** Address of the page about a database, which mails link to; `{database}` stands for its id. */
  alertLink: 'ALERT_LINK',
  /** SES's configuration set, whose events tell of mails that come back. */
  mailEvents: 'MAIL_EVENTS',
  /** Where the schedules of backups are kept, in whose name they run, and what receives runs that could not be started. */
  scheduleGroup: 'SCHEDULE_GROUP',
  scheduleRoleArn: 'SCHEDULE_ROLE_ARN',
  deadLetterQueueArn: 'DEAD_LETTER_QUEUE_ARN',
  downloadFunctionArn: 'DOWNLOAD_FUNCTION_ARN',
  validateFunctionArn: 'VALIDATE_FUNCTION_ARN',
  /** Samples the databases, each minute and when somebody asks. */
  samplerFunctionArn: 'SAMPLER_FUNCTION_ARN',
  /** Namespace of this deployment's own metrics in CloudWatch; see shared/health/metrics.ts. */
  metricNamespace: 'METRIC_NAMESPACE',
  /** Names of the functions whose old versions are pruned, with commas between them. */
  versionedFunctions: 'VERSIONED_FUNCTIONS',
  /** Which metrics of a sample are published: `heartbeat` or `all`. */
  publishedMetrics: 'PUBLISHED_METRICS',
  /** Names of the deployed functions, with commas between. */
  watchedFunctions: 'WATCHED_FUNCTIONS',
  /** `node_modules` folder of the postgres-tools layer. */
  postgresToolsPath: 'POSTGRES_TOOLS_PATH',
  /** A native pg_dump to use in place of the WebAssembly one. */
  pgDumpPath: 'PG_DUMP_PATH',
} as const;

export type EnvironmentName = keyof typeof environmentNames;

/**
 * Reads environment variables that a function cannot work without.
 *
 * @throws Error naming every missing variable at once.
 */
export function readEnvironment<Name extends EnvironmentName>(
  names: readonly Name[],
  environment: NodeJS.ProcessEnv = process.env,
): Record<Name, string> {
  const values = names.map((name) => [name, environment[environmentNames[name]]] as const);
  const missing = z
    .array(z.string())
    .parse(values.filter(([, value]) => !value).map(([name]) => environmentNames[name]));
  if (missing.length > 0) throw new Error(`Missing environment variables: ${missing.join(', ')}`);
  return Object.fromEntries(values) as Record<Name, string>;
}
