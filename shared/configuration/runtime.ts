import * as z from 'zod';
import { schedulesSchema, timeZoneSchema } from './schedules.ts';
import { tlsSchema } from './tls.ts';

/** Identifies a configured database in the API (`?database=`), in the bucket's paths and in the state table. */
export const databaseIdSchema = z
  .string()
  .regex(/^[a-z][a-z0-9-]{0,39}$/, 'must be 1 to 40 lower-case letters, digits and hyphens, starting with a letter');

/** `db-...` (RDS), `cluster-...` (Aurora) or `prx-...` (RDS Proxy). */
const resourceIdSchema = z
  .string()
  .regex(/^(db|cluster|prx)-[A-Za-z0-9]+$/, 'must be a DB, cluster or proxy resource id');

/** How a function logs in: by a Secrets Manager secret in the RDS form, by an IAM authentication token, or without either. */
const loginSchema = z.discriminatedUnion('type', [
  z.strictObject({
    type: z.literal('secret'),
    /**
     * ARN of a secret holding at least `{"username": ..., "password": ...}`. A login by certificate has
     * `"client_certificate"` and `"client_key"` (PEM texts) in place of the password, or beside it.
     */
    secret_arn: z.string().regex(/^arn:[^:]+:secretsmanager:/, 'must be the ARN of a Secrets Manager secret'),
  }),
  z.strictObject({
    type: z.literal('iam'),
    user: z.string().min(1).max(63),
    /** Of what `host` names; it is in the name of the `rds-db:connect` resource. */
    resource_id: resourceIdSchema,
  }),
  z.strictObject({
    /** The server of your own asks for no password: `trust` or `peer` in its pg_hba.conf. */
    type: z.literal('passwordless'),
    user: z.string().min(1).max(63),
  }),
]);

const portSchema = z.int().min(1).max(65_535).default(5432);

/**
 * The server itself, where `host` is a connection pooler: backups, restores, recovery, masking, drills and password rotation go there,
 * monitoring stays with `host`. See docs/poolers.md.
 */
const directSchema = z.strictObject({
  host: z.string().min(1).max(253),
  port: portSchema,
  /** By default as of the pooler. */
  tls: tlsSchema.optional(),
  /** For a login of type `iam`, where it differs from that of the pooler. */
  resource_id: resourceIdSchema.optional(),
});

const countSchema = z.int().min(0).max(1000).default(0);

/** Which backups of a database are kept: those that any of these rules keeps; see docs/retention.md. */
const retentionSchema = z.strictObject({
  /** Every backup for this long; by default `backups.retention_days`. */
  days: z.int().min(1).max(3650).optional(),
  /** The first backup of each of this many latest days, weeks (from Monday), months and years that have one. */
  daily: countSchema,
  weekly: countSchema,
  monthly: countSchema,
  yearly: countSchema,
  /** IANA time zone in which days begin. */
  time_zone: timeZoneSchema.default('UTC'),
});

/** How far those who use a database are trusted with personal data, the most first. */
export const trustLevels = ['production', 'staging', 'development'] as const;

/** Who runs a server; what follows from it is in shared/platforms/. */
export const platformKinds = ['rds', 'aurora', 'self-managed'] as const;

/** One PostgreSQL database under management, as the functions see it. */
export const databaseSchema = z.strictObject({
  id: databaseIdSchema,
  kind: z.enum(platformKinds).default('rds'),
  /** The server, or a connection pooler in front of it; then `direct` names the server. */
  host: z.string().min(1).max(253),
  /** DB instance identifier, where the host is not the instance's own endpoint: CloudWatch knows its metrics by it. */
  instance_id: z
    .string()
    .regex(/^[a-z][a-z0-9-]{0,62}$/, 'must be a DB instance identifier')
    .optional(),
  port: portSchema,
  /** The database's name on the server. */
  name: z.string().min(1).max(63),
  login: loginSchema,
  tls: tlsSchema.prefault({}),
  direct: directSchema.optional(),
  /**
   * Size of the disk of a server of your own. RDS says it by itself: there it is used where RDS cannot be asked. Aurora's storage grows.
   */
  storage_gigabytes: z.number().positive().optional(),
  /** CloudWatch Logs group that the server writes its log to: logins and pgaudit's statements join the audit trail. */
  log_group: z
    .string()
    .regex(/^[\w./#-]{1,512}$/, 'must be the name of a log group')
    .optional(),
  /**
   * Lets Aurora Serverless v2 with a minimum of 0 ACU pause: while nobody else uses the database, it is not sampled, and AWS is asked
   * whether it has paused. Excludes point-in-time recovery. See docs/monitoring.md.
   */
  allow_pause: z.boolean().default(false),
  retention: retentionSchema.optional(),
  /** A restore into a less trusted one refuses personal data that is not masked; absent: nothing is refused. See docs/masking.md. */
  trust: z.enum(trustLevels).optional(),
  /** In place of `recovery.max_retained_wal_gigabytes`. */
  max_retained_wal_gigabytes: z.number().positive().max(65_536).optional(),
});

const ratio = z.number().gt(0).max(1);

/** Where alerts begin, and how often is looked. */
const thresholdsSchema = z.strictObject({
  connection_usage: ratio.default(0.8),
  response_time_ms: z.int().min(1).default(2000),
  error_rate: ratio.default(0.05),
  disk_usage: ratio.default(0.9),
  slow_query_seconds: z.number().positive().default(1),
  health_check_interval_seconds: z.int().min(10).max(3600).default(30),
});

/** Limits of the connections a function opens; times in milliseconds unless named otherwise. */
const connectionsSchema = z.strictObject({
  pool_size: z.int().min(1).max(100).default(10),
  pool_overflow: z.int().min(0).max(200).default(20),
  pool_timeout_seconds: z.number().positive().max(600).default(30),
  pool_recycle_seconds: z.number().positive().max(86_400).default(3600),
  connect_timeout_ms: z.int().min(100).max(60_000).default(10_000),
  statement_timeout_ms: z.int().min(0).default(30_000),
  lock_timeout_ms: z.int().min(1).default(10_000),
  idle_in_transaction_timeout_ms: z.int().min(1).default(60_000),
});

const backupSettingsSchema = z.strictObject({
  retention_days: z.int().min(1).max(3650).default(30),
  /** zstd level of the stored data: 1 is fastest; 3 stores about a quarter less for more CPU. */
  compression_level: z.int().min(1).max(19).default(1),
  /** Parallel COPY connections of one backup or restore. */
  connections: z.int().min(1).max(32).default(2),
  /** Heap bytes that one chunk (one stored object) covers. */
  chunk_bytes: z.int().min(1_048_576).default(134_217_728),
  /** Functions that export at the same time, each over `connections`, where a backup is more than one invocation can do. */
  lanes: z.int().min(1).max(32).default(8),
  /**
   * What becomes of a backup when policies hide rows of a table from the login, or it may not read a large object, which anybody can bring
   * about for what is theirs. `refuse`: none is made, and the error names what cures it. `leave_out`: it is made without them and is
   * `incomplete`. By default somebody who asks for one is refused, and a schedule, which nobody watches, leaves them out.
   */
  unreadable: z.enum(['leave_out_when_scheduled', 'leave_out', 'refuse']).default('leave_out_when_scheduled'),
  /** Share of the server's free connections that such a backup may take. */
  connection_share: z.number().gt(0).max(1).default(0.5),
  /** Objects are locked in S3 for this long after they are stored. In mode `compliance` nobody can undo it, the account's root included. */
  object_lock: z
    .strictObject({ mode: z.enum(['governance', 'compliance']), days: z.int().min(1).max(3650) })
    .optional(),
});

const downloadsSchema = z.strictObject({
  /** How long a signed address holds. */
  address_minutes: z.int().min(1).max(60).default(15),
});

/** Point-in-time recovery, where it is turned on; see docs/point-in-time.md. */
const recoverySettingsSchema = z.strictObject({
  /** Log that a server may keep for changes which are not captured yet. Beyond it the window is given up. */
  max_retained_wal_gigabytes: z.number().positive().max(65_536).default(10),
  /** Minutes between two captures of changes. */
  capture_minutes: z.int().min(1).max(60).default(1),
});

/** Drills: restores of backups into a scratch database, which is dropped afterwards; see docs/validation.md. */
export const drillSettingsSchema = z.strictObject({
  /** Id of the configured database whose server takes the scratch databases; null: there are no drills. */
  server: databaseIdSchema.nullable().default(null),
});

/** What the settings of the audit trail begin with; afterwards they are set through the API. */
export const auditSettingsSchema = z.strictObject({
  enabled: z.boolean().default(true),
  /** How long records stay in the table before the archive alone has them. */
  retention_days: z.int().min(7).max(3653).default(90),
});

/** How many invocations jobs may use at the same time: a part of what the account allows; see docs/concurrency.md. */
const concurrencySchema = z.strictObject({
  /** Backups, restores, validations, downloads and rebuilds that run at the same time; the others wait. */
  jobs: z.int().min(1).default(2),
  /** Workers of all distributed backups together: two that keep the snapshot of each, and those that export. */
  exports: z.int().min(3).default(4),
});

/** The list of databases; the deployment describes each with more fields than the functions see. */
export function databasesOf<Item extends z.ZodType<{ id: string }>>(item: Item) {
  return z
    .array(item)
    .min(1, 'needs at least one database')
    .refine((all) => new Set(all.map(({ id }) => id)).size === all.length, 'database ids must be unique');
}

/** Who issues the tokens that callers send. */
export const identitySchema = z.strictObject({
  /** OpenID Connect issuer: tokens' `iss`, and where the keys are found. */
  issuer: z.url(),
  /** Accepted `aud`; of Cognito's access tokens, which have none, the accepted `client_id`. */
  audience: z.string().min(1),
  /** Where the issuer publishes its keys; by default `<issuer>/.well-known/jwks.json`. */
  jwks_uri: z.url().optional(),
  /** The claim that lists the caller's roles. */
  roles_claim: z.string().min(1).default('cognito:groups'),
  /**
   * The claim that lists the ids of the databases that a caller's roles are for; `*` stands for all. Absent: roles are for all databases. With it, a
   * token without the claim is for none.
   */
  databases_claim: z.string().min(1).optional(),
  /** Longest age of a session, counted from `auth_time` (or `iat`). */
  session_max_age_seconds: z.int().min(60).max(604_800).default(43_200),
  /** How a caller gets a new token, for the answer to an expired one; by default it names the issuer. */
  token_help: z.string().min(1).max(300).optional(),
});

/** What the deployed functions read at run time: everything but the shape of the deployment itself. */
export const runtimeConfigurationSchema = z.strictObject({
  databases: databasesOf(databaseSchema),
  connections: connectionsSchema.prefault({}),
  backups: backupSettingsSchema.prefault({}),
  thresholds: thresholdsSchema.prefault({}),
  /** How long samples are kept. */
  metrics_retention_hours: z.int().min(1).max(10_950).default(168),
  /** Receive the alerts. */
  alert_emails: z.array(z.email()).max(50).default([]),
  /** Sends them: an address that SES has verified, by itself or by its domain. By default the first that receives them. */
  alert_sender: z.email().optional(),
  schedules: schedulesSchema.prefault({}),
  downloads: downloadsSchema.prefault({}),
  drills: drillSettingsSchema.prefault({}),
  recovery: recoverySettingsSchema.prefault({}),
  /** Only the authorizer needs it; the issuer of a user pool of the app's own is told by the environment. */
  identity: identitySchema.optional(),
  /** CIDR ranges callers may come from. */
  allowed_address_ranges: z
    .array(z.union([z.cidrv4(), z.cidrv6()]))
    .min(1)
    .default(['0.0.0.0/0', '::/0']),
  /** Calls that one caller may make in a minute. */
  requests_per_minute: z.int().min(1).max(100_000).default(600),
  /** Ids of databases whose servers may receive personal data of others as it is. */
  trusted_environments: z.array(databaseIdSchema).max(100).default([]),
  audit: auditSettingsSchema.prefault({}),
  concurrency: concurrencySchema.prefault({}),
});

export type Database = z.output<typeof databaseSchema>;
export type RuntimeConfiguration = z.output<typeof runtimeConfigurationSchema>;
export type ConnectionLimits = RuntimeConfiguration['connections'];
/** Without the decision that is made before a backup begins. */
export type BackupSettings = Omit<RuntimeConfiguration['backups'], 'unreadable'>;
export type Thresholds = RuntimeConfiguration['thresholds'];
export type Identity = z.output<typeof identitySchema>;
