import type { CloudWatchClient } from '@aws-sdk/client-cloudwatch';
import type { RDSClient } from '@aws-sdk/client-rds';
import type { Database } from '../configuration/runtime.ts';
import type { ServerDescription } from './managed/describe.ts';
import type { DescribedParameters } from './managed/describe-parameters.ts';
import type { SlotsBeforeUpgrade } from './slots-before-upgrade.ts';

/** What `kind` of the configuration says: who runs the server. */
export type PlatformKind = Database['kind'];

/** What of a configured database tells where its server is, and how it is named there. */
export type PlacedDatabase = Pick<
  Database,
  'kind' | 'host' | 'direct' | 'instance_id' | 'storage_gigabytes' | 'login' | 'tls'
>;
/** The least that names a server. */
export type NamedDatabase = Pick<PlacedDatabase, 'kind' | 'host' | 'direct' | 'instance_id'>;

/** A step that a person takes: SQL for the database, a command of AWS's CLI, or one for a shell on the server. */
export interface Step {
  by: 'sql' | 'aws' | 'shell';
  statement: string;
}

/** Values that SQL does not tell. */
export type PlatformMetric =
  | 'cpu_usage'
  | 'memory_free_bytes'
  | 'disk_free_bytes'
  | 'disk_usage'
  /** Of what the disk can grow to by itself. */
  | 'disk_ceiling_usage'
  /** Disk of an instance for sorts, index builds and decoding, where its data lies elsewhere. */
  | 'local_storage_free_bytes'
  /** Of the capacity that a serverless instance can scale to. */
  | 'capacity_usage';

/** Values by metric; null, or absent, where a value cannot be known. */
export type PlatformValues = Partial<Record<PlatformMetric, number | null>>;

export interface PlatformMetrics {
  /** Where each value comes from, in words. */
  readonly sources: Readonly<Record<PlatformMetric, string>>;
  /**
   * The newest values that are known outside of SQL.
   *
   * @param server - null where it could not be described
   * @throws the SDK's errors
   */
  read(
    cloudwatch: CloudWatchClient,
    database: PlacedDatabase,
    server: ServerDescription | null,
    now?: number,
  ): Promise<PlatformValues>;
  /**
   * Whether an instance has paused, asked without a connection, which would resume it; null on platforms that do not pause.
   *
   * @throws the SDK's errors
   */
  readUse(cloudwatch: CloudWatchClient, instance: string, now?: number): Promise<ServerUse | null>;
}

/** How a serverless instance is used; null where CloudWatch has no value of the last half hour. */
export interface ServerUse {
  /** In ACU; 0: it is paused. */
  capacity: number | null;
  connections: number | null;
}

/** What is known of the disk that a restore fills. */
export type FreeSpace = { is: 'growing' } | { is: 'known'; bytes: number } | { is: 'unknown'; reason: string };

export interface PlatformStorage {
  /** Whether `storage_gigabytes` of the configuration means anything. */
  readonly takesSize: boolean;
  /** Size of the disk, where what is in use is counted by SQL, in bytes; null: SQL need not count. */
  sizeForSql(database: PlacedDatabase): number | null;
  /** What is free. Never fails: what is not known is said to be unknown. */
  readFree(database: PlacedDatabase, cloudwatch: CloudWatchClient): Promise<FreeSpace>;
}

/** A setting as the server knows it. */
export interface KnownSetting {
  value: string;
  /** As `pg_settings.source`. */
  source: string;
  /** As `pg_settings.context`. */
  context: string;
  /** As `pg_settings.vartype`. */
  type: string;
  /** As `pg_settings.unit`; null: none. */
  unit: string | null;
}

/** A change of a setting for the whole server. */
export interface SettingChange {
  name: string;
  /** More than one: a list of names, each of which is written for itself. */
  values: readonly string[];
  needsRestart: boolean;
  known: KnownSetting | undefined;
  /** Name of the database on the server. */
  databaseName: string;
  /** Folder of the server's data, where it is known. */
  dataDirectory: string | null;
}

/** What is known of where a server's settings are kept; null where AWS does not keep it, or did not say. */
export interface SettingsPlace {
  server: ServerDescription | null;
  parameters: DescribedParameters | null;
}

/** The steps that change a setting, or why nobody can. */
export type ChangeSteps = { is: 'possible'; steps: Step[] } | { is: 'impossible'; why: string };

export interface PlatformParameters {
  /** How a setting is changed. */
  change(change: SettingChange, database: NamedDatabase, place: SettingsPlace): ChangeSteps;
  /**
   * What the server's parameter groups take; null where it has none.
   *
   * @throws the SDK's errors
   */
  describe(rds: RDSClient, server: ServerDescription, signal: AbortSignal): Promise<DescribedParameters | null>;
  /** What is to be said of where settings are kept, behind what was found. Empty: nothing. */
  note(server: ServerDescription | null): string;
}

export interface PlatformLogs {
  /** Values of `log_line_prefix` whose lines are read into the audit trail; the first is what is recommended. */
  readonly prefixes: readonly string[];
  /** Whether the setting takes no other value there. */
  readonly takesNoOther: boolean;
}

export type LoginType = Database['login']['type'];

export interface PlatformPrivileges {
  /** How this system may log in. */
  readonly logins: readonly LoginType[];
  /** Scripts of docs/logins/ that create the login. */
  readonly scripts: readonly string[];
  /** The role that has most of a superuser's rights, where the administrator gets no superuser; null elsewhere. */
  readonly administrators: string | null;
  /** Whether a role belongs to the platform: nobody else changes it. */
  isOwnRole(name: string): boolean;
  /**
   * Whether a role must stay as it is for administrators to get in: the first superuser, or what AWS gives them in its place.
   *
   * @param administers - whether it is a member of `administrators`
   */
  isAdministrator(
    role: { name: string; bootstrap: boolean; administers: boolean },
    server: ServerDescription | null,
  ): boolean;
  /** The statement that lets a login use replication slots. */
  allowReplication(login: string): string;
}

/** Something of the configuration that does not fit the server. */
export interface ServerFinding {
  code: string;
  /** What is refused for it. */
  blocks: 'everything' | 'jobs' | 'nothing';
  message: string;
  nextStep: string;
}

export interface PlatformEndpoints {
  /** Whether administrators edit the server's own files, such as pg_hba.conf. */
  readonly hasFiles: boolean;
  /** Whether administrators choose who signs the server's certificate. */
  readonly hasOwnAuthority: boolean;
  /** Whether it can pause by itself and resume with a connection. */
  readonly canPause: boolean;
  /** What of AWS's API is read of such a server. A name of `*` stands for any. */
  reads(database: NamedDatabase): { instances: string[]; clusters: string[]; freeStorage: boolean };
  /** What of the configuration does not fit the server. */
  findings(database: PlacedDatabase, server: ServerDescription): ServerFinding[];
  /**
   * How AWS keeps the server; null: AWS does not.
   *
   * @throws the SDK's errors, or Error when AWS knows nothing by the configured names
   */
  describe(rds: RDSClient, database: NamedDatabase, signal: AbortSignal): Promise<ServerDescription | null>;
}

export interface PlatformUpgrades {
  /** Whether a blue/green deployment can put another server, without the replication slots, in a server's place. */
  readonly replacedByBlueGreen: boolean;
  /** What must be done with logical slots before a major upgrade, by the server's `server_version_num`. */
  slotsBefore(version: number): SlotsBeforeUpgrade;
}

/** What capturing changes meets on a server. */
export interface PlatformReplication {
  /** The step that makes `wal_level` logical. */
  readonly enable: string;
  /** Why a slot whose log is not limited must not be made; null: it is only warned of. */
  readonly unlimitedSlots: string | null;
  /** The setting without which logins by IAM may not stream; null: there are none. */
  readonly iamSetting: string | null;
}

export interface PlatformExtensions {
  /** The setting that lists the extensions which may be created (`*`: all that are supported); null: any that is installed. */
  readonly allowedBy: string | null;
  /** Extensions that no server elsewhere has. */
  readonly ownOnly: readonly string[];
}

/** How a kind of server differs from the others. Everything else asks here, and never which kind it is. */
export interface Platform {
  readonly kind: PlatformKind;
  /** For people. */
  readonly title: string;
  readonly metrics: PlatformMetrics;
  readonly storage: PlatformStorage;
  readonly parameters: PlatformParameters;
  readonly logs: PlatformLogs;
  readonly privileges: PlatformPrivileges;
  readonly endpoints: PlatformEndpoints;
  readonly upgrades: PlatformUpgrades;
  readonly replication: PlatformReplication;
  readonly extensions: PlatformExtensions;
}
