import type { ManagedProfile } from './profile.ts';
import { auroraVersions, logLinePrefixes } from './profile.ts';

/** A setting of AWS's own, as `pg_settings` shows it. */
export type AwsSetting = {
  readonly name: string;
  readonly type: 'bool' | 'integer' | 'string';
  /** `postmaster`: it takes a restart. */
  readonly context: 'postmaster' | 'sighup';
  readonly value: string;
};

const extensions = [
  ...['amcheck', 'aws_commons', 'aws_lambda', 'aws_s3', 'bloom', 'btree_gin', 'btree_gist', 'citext', 'cube', 'dblink'],
  ...['dict_int', 'dict_xsyn', 'earthdistance', 'fuzzystrmatch', 'hstore', 'intagg', 'intarray', 'isn', 'lo', 'ltree'],
  ...['moddatetime', 'pageinspect', 'pg_buffercache', 'pg_cron', 'pg_freespacemap', 'pg_prewarm', 'pg_stat_statements'],
  ...['pg_trgm', 'pg_visibility', 'pgaudit', 'pgcrypto', 'pgrowlocks', 'pgstattuple', 'plperl', 'plpgsql', 'pltcl'],
  ...['postgres_fdw', 'refint', 'seg', 'sslinfo', 'tablefunc', 'tcn', 'tsm_system_rows', 'tsm_system_time', 'unaccent'],
  'uuid-ossp',
] as const;

/** Extensions that the managed service offers, of those that the simulation has. */
export const offeredExtensions: readonly string[] = extensions;

/** AWS's own settings with the values that they have where the parameter group does not say otherwise. */
export function awsSettings({ kind, version }: Pick<ManagedProfile, 'kind' | 'version'>): readonly AwsSetting[] {
  const offered = kind === 'aurora' ? [...extensions, 'aurora_stat_utils'] : extensions;
  const both: AwsSetting[] = [
    { name: 'rds.extensions', type: 'string', context: 'postmaster', value: [...offered].sort().join(',') },
    { name: 'rds.allowed_extensions', type: 'string', context: 'sighup', value: '*' },
    { name: 'rds.force_admin_logging_level', type: 'string', context: 'sighup', value: 'disabled' },
    { name: 'rds.force_autovacuum_logging_level', type: 'string', context: 'sighup', value: 'warning' },
    { name: 'rds.force_ssl', type: 'bool', context: 'sighup', value: version >= 15 ? '1' : '0' },
    { name: 'rds.log_retention_period', type: 'integer', context: 'sighup', value: '4320' },
    { name: 'rds.logical_replication', type: 'bool', context: 'postmaster', value: '0' },
    { name: 'rds.rds_superuser_reserved_connections', type: 'integer', context: 'postmaster', value: '2' },
    { name: 'rds.restrict_password_commands', type: 'bool', context: 'postmaster', value: '0' },
    { name: 'rds.superuser_variables', type: 'string', context: 'postmaster', value: 'session_replication_role' },
    { name: 'rds.iam_auth_for_replication', type: 'bool', context: 'sighup', value: '0' },
    { name: 'cron.database_name', type: 'string', context: 'postmaster', value: 'postgres' },
  ];
  if (kind === 'aurora') return both;
  return [
    ...both,
    { name: 'rds.accepted_password_auth_method', type: 'string', context: 'sighup', value: 'md5+scram' },
    { name: 'rds.adaptive_autovacuum', type: 'bool', context: 'sighup', value: '1' },
  ];
}

/** Of settings without the prefix of AWS, those that take effect at a restart are left to the server, which knows them. */
const own = new Set(['rds.', 'cron.']);
const isAws = (name: string): boolean => [...own].some((prefix) => name.startsWith(prefix));

/** `SHOW` of AWS's switches says on and off, whichever way they were written. */
const shown = ({ type }: AwsSetting, value: string): string => {
  if (type !== 'bool') return value;
  return /^(?:1|on|true|yes)$/i.test(value) ? 'on' : 'off';
};

/** Which instance of which cluster the server is, for the functions that tell. */
export type ClusterPlace = {
  readonly instance: string;
  /** By identifier: whether it is the writer. */
  readonly members: Readonly<Record<string, boolean>>;
};

/**
 * The text of the configuration file that stands for the parameter group.
 *
 * @param applied - the parameters with which the server was started: those of AWS's own that take a restart keep their values
 */
export function settingsFile(
  profile: ManagedProfile,
  { applied, place }: { applied: Readonly<Record<string, string>>; place: ClusterPlace },
): string {
  const { kind, version, parameters } = profile;
  const lines: Record<string, string> = {
    ...defaults(profile),
    ...Object.fromEntries(Object.entries(parameters).filter(([name]) => !isAws(name))),
  };
  for (const setting of awsSettings(profile)) {
    const given = setting.context === 'postmaster' ? applied[setting.name] : parameters[setting.name];
    lines[setting.name] = shown(setting, given ?? setting.value);
  }
  for (const [name, value] of Object.entries(parameters)) {
    if (isAws(name) && !(name in lines)) lines[name] = value;
  }
  lines.wal_level = lines['rds.logical_replication'] === 'on' ? 'logical' : 'replica';
  lines.shared_preload_libraries = ['rdsutils', ...(lines.shared_preload_libraries ?? '').split(',')]
    .map((name) => name.trim())
    .filter(Boolean)
    .join(',');
  if (kind === 'aurora') {
    lines['simulation.aurora_version'] = auroraVersions[version] ?? '';
    lines['simulation.instance'] = place.instance;
    lines['simulation.members'] = Object.entries(place.members)
      .map(([id, isWriter]) => `${id}=${isWriter ? 'writer' : 'reader'}`)
      .join(',');
  }
  return Object.entries(lines)
    .map(([name, value]) => `${name} = '${value.replaceAll("'", "''")}'\n`)
    .join('');
}

/** What RDS and Aurora set in place of PostgreSQL's defaults, as far as anything here can tell. */
function defaults({ kind }: ManagedProfile): Record<string, string> {
  return {
    log_line_prefix: logLinePrefixes[0],
    log_timezone: 'UTC',
    TimeZone: 'UTC',
    shared_preload_libraries: 'pg_stat_statements',
    password_encryption: 'scram-sha-256',
    track_activity_query_size: '4096',
    idle_in_transaction_session_timeout: '86400000',
    max_replication_slots: '20',
    max_wal_senders: kind === 'rds' ? '35' : '20',
    wal_sender_timeout: '30000',
    // This machine is small: few sessions, and segments of 64 MB that are not kept for long.
    max_connections: '100',
    min_wal_size: '128',
    max_wal_size: '256',
    wal_init_zero: 'off',
  };
}
