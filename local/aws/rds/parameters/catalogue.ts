import { logLinePrefixes } from '../../../postgres/managed/profile.ts';
import { postgresSettings } from './postgres-settings.ts';

/** A parameter as DescribeDBParameters gives it. */
export type Parameter = {
  readonly name: string;
  readonly dataType: 'boolean' | 'integer' | 'float' | 'string' | 'list';
  /** Empty: anything. */
  readonly allowed: string;
  readonly isStatic: boolean;
  readonly isModifiable: boolean;
  /** AWS's own value, where it is not the engine's. */
  readonly value: string | null;
  /** What the number counts, such as `ms`; empty: nothing, or no number. */
  readonly unit: string;
};

/** `postgres16`, `aurora-postgresql16`. */
export type Family = { readonly kind: 'rds' | 'aurora'; readonly version: number };

/** @returns null for a family of another engine */
export function readFamily(name: string): Family | null {
  const [, engine, version] = /^(postgres|aurora-postgresql)(\d+)$/.exec(name) ?? [];
  return version === undefined ? null : { kind: engine === 'postgres' ? 'rds' : 'aurora', version: Number(version) };
}

/** Settings that no parameter group has: they are the host's, a standby's, a developer's, or AWS sets them behind the scenes. */
const unlisted =
  /^(?:allow_alter_system|archive_(?:cleanup_command|library|mode)|bonjour.*|cluster_name|createrole_self_grant|data_sync_retry|dynamic_(?:library_path|shared_memory_type)|dynamic_.*|event_(?:source|triggers)|extension_control_path|external_pid_file|gss_.*|huge_page_size|jit_provider|krb_server_keyfile|local_preload_libraries|md5_password_warnings|oauth_validator_libraries|primary_.*|promote_trigger_file|recovery_(?:end|min|prefetch|target).*|restore_command|reserved_connections|send_.*|session_preload_libraries|shared_memory_type|ssl_(?:crl_file|dh_params_file|ecdh_curve|groups|passphrase.*|prefer_server_ciphers|tls13_ciphers)|standby_.*|synchronized_standby_slots|sync_replication_slots|syslog_.*|unix_socket_.*|wal_(?:debug|init_zero|recycle|skip_threshold|level))$/;

/** Settings of the log and of checkpoints that Aurora's storage has no use for, and others that are missing in its reference. */
const unlistedAtAurora =
  /^(?:archive_.*|bgwriter_.*|checkpoint_.*|commit_.*|fsync|full_page_writes|hot_standby|jit.*|lock_timeout|log_(?:checkpoints|recovery_conflict_waits|startup_progress_interval)|max_standby_archive_delay|(?:max|min)_wal_size|synchronous_standby_names|wal_(?:compression|decode_buffer_size|keep_size|log_hints|retrieve_retry_interval|summary_keep_time|sync_method|writer_.*)|summarize_wal|transaction_timeout_.*)$/;

/** Shown, and not to be modified ("IsModifiable": false). */
const fixed = new Set([
  ...[
    'archive_command',
    'archive_timeout',
    'config_file',
    'data_directory',
    'db_user_namespace',
    'exit_on_error',
    'fsync',
  ],
  ...['full_page_writes', 'hba_file', 'ident_file', 'listen_addresses', 'lo_compat_privileges', 'log_directory'],
  ...['log_file_mode', 'log_timezone', 'log_truncate_on_rotation', 'logging_collector', 'port', 'restart_after_crash'],
  ...['ssl_ca_file', 'ssl_cert_file', 'ssl_key_file', 'stats_temp_directory', 'superuser_reserved_connections'],
  ...['rds.extensions', 'rds.superuser_variables', 'wal_sync_method', 'huge_pages'],
]);
const fixedAtAurora = new Set(['effective_io_concurrency', 'hot_standby_feedback', 'max_standby_streaming_delay']);

const preloadable: Readonly<Record<Family['kind'], readonly string[]>> = {
  rds: [
    ...[
      'auto_explain',
      'orafce',
      'pgaudit',
      'pglogical',
      'pg_bigm',
      'pg_cron',
      'pg_hint_plan',
      'pg_prewarm',
      'pg_similarity',
    ],
    ...['pg_stat_statements', 'pg_tle', 'pg_transport', 'plprofiler'],
  ],
  aurora: [
    ...[
      'auto_explain',
      'orafce',
      'pgaudit',
      'pg_ad_mapping',
      'pg_bigm',
      'pg_similarity',
      'pg_stat_statements',
      'pg_tle',
    ],
    ...['pg_hint_plan', 'pg_prewarm', 'plprofiler', 'pglogical', 'pg_cron'],
  ],
};

const auditClasses = ['ddl', 'function', 'misc', 'read', 'role', 'write', 'none', 'all'];

/** What AWS says of a parameter other than PostgreSQL does. */
function changedByAws({ kind, version }: Family): Readonly<Record<string, Partial<Parameter>>> {
  return {
    log_line_prefix: { dataType: 'string', allowed: logLinePrefixes.join(','), value: logLinePrefixes[0] },
    log_destination: {
      allowed: version >= 15 && kind === 'rds' ? 'stderr,csvlog,jsonlog' : 'stderr,csvlog',
      value: 'stderr',
      dataType: 'list',
    },
    log_filename: {
      allowed: 'postgresql.log.%Y-%m-%d,postgresql.log.%Y-%m-%d-%H,postgresql.log.%Y-%m-%d-%H%M',
      value: kind === 'rds' ? 'postgresql.log.%Y-%m-%d-%H' : 'postgresql.log.%Y-%m-%d-%H%M',
    },
    archive_timeout: { value: '300' },
    archive_command: { value: '/etc/rds/dbbin/pgscripts/rds_wal_archive %p' },
    idle_in_transaction_session_timeout: { value: '86400000' },
    max_replication_slots: { value: '20' },
    max_wal_senders: { value: kind === 'rds' ? '35' : '20', allowed: '5-262143' },
    // AWS asks for some room.
    max_connections: { allowed: '6-262143', value: 'LEAST({DBInstanceClassMemory/9531392},5000)' },
    shared_preload_libraries: {
      dataType: 'list',
      allowed: preloadable[kind].join(','),
      value: 'pg_stat_statements',
      isStatic: true,
    },
    ssl: { value: '1' },
    track_activity_query_size: { value: '4096' },
    wal_sender_timeout: kind === 'rds' ? {} : { value: '30000' },
  };
}

const boolean = { dataType: 'boolean', allowed: '0,1' } as const;
const levels = 'disabled,debug5,debug4,debug3,debug2,debug1,info,notice,warning,error,log,fatal,panic';

/** Parameters of AWS's own and of extensions. */
function addedByAws({ kind, version }: Family): Readonly<Record<string, Partial<Parameter>>> {
  return {
    'auto_explain.log_analyze': boolean,
    'auto_explain.log_buffers': boolean,
    'auto_explain.log_format': { allowed: 'text,xml,json,yaml' },
    'auto_explain.log_min_duration': { dataType: 'integer', allowed: '-1-2147483647', unit: 'ms' },
    'auto_explain.log_nested_statements': boolean,
    'cron.database_name': { isStatic: true, value: 'postgres' },
    'cron.log_run': { ...boolean, isStatic: true },
    'cron.log_statement': { ...boolean, isStatic: true },
    'cron.max_running_jobs': { dataType: 'integer', allowed: '0-100', isStatic: true },
    'pg_stat_statements.max': { dataType: 'integer', allowed: '100-1073741823', isStatic: true },
    'pg_stat_statements.save': boolean,
    'pg_stat_statements.track': { allowed: 'none,top,all' },
    'pg_stat_statements.track_utility': boolean,
    'pgaudit.log': {
      dataType: 'list',
      allowed: [...auditClasses, ...auditClasses.slice(0, 6).map((each) => `-${each}`)].join(','),
    },
    'pgaudit.log_catalog': boolean,
    'pgaudit.log_level': { allowed: 'debug5,debug4,debug3,debug2,debug1,info,notice,warning,log' },
    'pgaudit.log_parameter': boolean,
    'pgaudit.log_relation': boolean,
    'pgaudit.log_statement_once': boolean,
    'pgaudit.role': { allowed: 'rds_pgaudit' },
    'rds.accepted_password_auth_method': { allowed: 'md5+scram,scram', value: 'md5+scram' },
    'rds.adaptive_autovacuum': { ...boolean, value: '1' },
    'rds.allowed_extensions': { value: '*' },
    'rds.extensions': { isStatic: true },
    'rds.force_admin_logging_level': { allowed: levels },
    'rds.force_autovacuum_logging_level': { allowed: levels, value: 'warning' },
    'rds.force_ssl': { ...boolean, value: version >= 15 ? '1' : '0' },
    'rds.iam_auth_for_replication': { ...boolean, value: '0' },
    'rds.log_retention_period': { dataType: 'integer', allowed: '1440-10080', unit: 'min', value: '4320' },
    'rds.logical_replication': { ...boolean, isStatic: true, value: '0' },
    'rds.rds_superuser_reserved_connections': { dataType: 'integer', allowed: '0-8388607', isStatic: true, value: '2' },
    'rds.restrict_password_commands': { ...boolean, isStatic: true },
    'rds.superuser_variables': { isStatic: true, value: 'session_replication_role' },
    ...(kind === 'aurora' ? { 'rds.enable_plan_management': { ...boolean, isStatic: true, value: '0' } } : {}),
  };
}

const plain: Omit<Parameter, 'name'> = {
  dataType: 'string',
  allowed: '',
  isStatic: false,
  isModifiable: true,
  value: null,
  unit: '',
};

/** All parameters of a family, by name. */
export function parametersOf(family: Family): ReadonlyMap<string, Parameter> {
  const found = new Map<string, Parameter>();
  const changed = changedByAws(family);
  const add = (name: string, given: Partial<Parameter>): void => {
    const isModifiable = !fixed.has(name) && !(family.kind === 'aurora' && fixedAtAurora.has(name));
    found.set(name, { ...plain, isModifiable, ...given, ...changed[name], name });
  };
  for (const line of postgresSettings.trim().split('\n')) {
    const [name = '', dataType, when, unit = '', allowed = '', versions = '13-18'] = line.split('|');
    const [from = 0, to = 0] = versions.split('-').map(Number);
    if (family.version < from || family.version > to || unlisted.test(name)) continue;
    if (family.kind === 'aurora' && unlistedAtAurora.test(name)) continue;
    add(name, { dataType: dataType as Parameter['dataType'], isStatic: when === 'static', unit, allowed });
  }
  for (const [name, given] of Object.entries(addedByAws(family))) add(name, given);
  return new Map([...found].sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** Parameters that the group of an Aurora instance does not have: they are the cluster's. */
const clusterOnly =
  /^(?:array_nulls|autovacuum.*|backslash_quote|client_encoding|data_directory|datestyle|default_(?:tablespace|toast_compression)|extra_float_digits|huge_pages|intervalstyle|lc_(?:monetary|numeric|time)|log_autovacuum_min_duration|max_(?:logical_replication_workers|prepared_transactions|replication_slots|sync_workers_per_subscription|wal_senders)|password_encryption|port|rds\.(?:accepted_password_auth_method|adaptive_autovacuum|allowed_extensions|enable_plan_management|extensions|force_autovacuum_logging_level|force_ssl|iam_auth_for_replication|logical_replication|restrict_password_commands)|recovery_init_sync_method|ssl|ssl_(?:ciphers|max_protocol_version|min_protocol_version)|synchronous_commit|timezone|track_commit_timestamp|vacuum_.*|wal_.*)$/;

/** The parameters that the groups of instances of an Aurora cluster have. */
export function instanceParametersOf(family: Family): ReadonlyMap<string, Parameter> {
  const all = parametersOf(family);
  if (family.kind === 'rds') return all;
  return new Map([...all].filter(([name]) => !clusterOnly.test(name)));
}

/** Whether AWS takes a value: a number in the unit's base, one of a list, or an expression of the instance class. */
export function isAllowed({ allowed, dataType, name }: Parameter, value: string): boolean {
  if (allowed === '') return true;
  const range = /^(-?[\d.e+]+)-(-?[\d.e+]+)$/i.exec(allowed);
  if (range && (dataType === 'integer' || dataType === 'float')) {
    if (/\{?\$?DBInstance(?:ClassMemory|VCPU)/.test(value)) return true;
    const written = dataType === 'integer' ? /^-?\d+$/ : /^-?\d+(?:\.\d+)?$/;
    return written.test(value) && Number(value) >= Number(range[1]) && Number(value) <= Number(range[2]);
  }
  // The prefixes have commas of their own in none of the two.
  const choices = name === 'log_line_prefix' ? logLinePrefixes : allowed.split(',');
  const values = dataType === 'list' ? value.split(',').map((each) => each.trim()) : [value];
  return values.every((each) => choices.some((choice) => choice.toLowerCase() === each.toLowerCase()));
}
