import type { Platform, PlatformKind, PlatformMetric } from '../platforms/platform.ts';
import { platformOf } from '../platforms/platforms.ts';

/** What a value counts in. `Ratio` is a share from 0 to 1. */
export type MetricUnit =
  | 'Count'
  | 'Count/Second'
  | 'Bytes'
  | 'Bytes/Second'
  | 'Seconds'
  | 'Milliseconds'
  | 'Ratio'
  | 'Days'
  | 'Deviations';

export interface MetricDefinition {
  /** For people: axis of a chart, subject of a mail. */
  readonly title: string;
  readonly unit: MetricUnit;
  /** Where the value comes from. */
  readonly source: string | ((platform: Platform) => string);
  /** Its name in CloudWatch; without one it stays in the State table, as each published metric costs money. */
  readonly publishedAs?: string;
}

/** The namespace of a deployment's metrics: two deployments in one account are told apart by it. */
export function metricNamespace(prefix: string): string {
  return `DatabaseManagement/${prefix}`;
}

/** The one dimension: the id of a configured database. */
export const DATABASE_DIMENSION = 'Database';

const ACTIVITY = 'pg_stat_activity';
const DATABASE = 'pg_stat_database, difference of two samples';
const STATEMENTS = 'pg_stat_statements, difference of two samples';
const TABLES = 'the statistics of tables (pg_stat_get_*)';
const SLOTS = 'pg_replication_slots';
const ROLLUPS = 'stored samples';
const FORECAST = `${ROLLUPS}, linear fit; 3650: not in sight`;
const CATALOG = 'the catalog of backups';
const DOCTOR = 'the doctor, each day and when somebody asks';
/** What SQL does not tell: each platform has it from elsewhere, or not at all. */
const byPlatform =
  (metric: PlatformMetric) =>
  ({ metrics: { sources } }: Platform): string =>
    sources[metric];

/**
 * Every value that a sample may hold. The sampler, the history, the checks, CloudWatch, its alarms and its dashboards derive
 * from this list.
 */
export const metrics = {
  samples_taken: {
    title: 'Samples taken, also of a database that is down',
    unit: 'Count',
    source: 'the sampler',
    publishedAs: 'SamplesTaken',
  },
  up: { title: 'Database answers', unit: 'Count', source: 'a connection of its own', publishedAs: 'DatabaseUp' },
  probe_ms: { title: 'Round trip of an empty query', unit: 'Milliseconds', source: 'timed by the sampler' },
  sample_ms: { title: 'Database time of the sample itself', unit: 'Milliseconds', source: 'timed by the sampler' },

  connections: { title: 'Connections', unit: 'Count', source: ACTIVITY },
  connection_usage: {
    title: 'Connections in use of max_connections',
    unit: 'Ratio',
    source: ACTIVITY,
    publishedAs: 'ConnectionUsage',
  },
  active: { title: 'Active sessions', unit: 'Count', source: ACTIVITY },
  idle: { title: 'Idle sessions', unit: 'Count', source: ACTIVITY },
  idle_in_transaction: { title: 'Sessions idle in a transaction', unit: 'Count', source: ACTIVITY },
  pool_usage: { title: "Connections of this system's own pools in use", unit: 'Ratio', source: ACTIVITY },
  blocked_sessions: {
    title: 'Sessions waiting for a lock',
    unit: 'Count',
    source: ACTIVITY,
    publishedAs: 'BlockedSessions',
  },
  longest_blocked_seconds: {
    title: 'Longest statement that waits for a lock',
    unit: 'Seconds',
    source: `${ACTIVITY}, since the waiting statement began`,
  },
  longest_transaction_seconds: {
    title: 'Longest transaction',
    unit: 'Seconds',
    source: `${ACTIVITY}, without this system's own sessions`,
    publishedAs: 'LongestTransaction',
  },
  longest_idle_in_transaction_seconds: { title: 'Longest idle in a transaction', unit: 'Seconds', source: ACTIVITY },
  longest_query_seconds: { title: 'Longest running query', unit: 'Seconds', source: ACTIVITY },
  slow_queries: { title: 'Queries running longer than the slow-query threshold', unit: 'Count', source: ACTIVITY },

  commits_per_second: { title: 'Commits', unit: 'Count/Second', source: DATABASE },
  rollbacks_per_second: { title: 'Rollbacks', unit: 'Count/Second', source: DATABASE },
  error_rate: {
    title: 'Transactions rolled back',
    unit: 'Ratio',
    source: `${DATABASE}; PostgreSQL counts no errors, so rollbacks stand for them`,
    publishedAs: 'ErrorRate',
  },
  deadlocks: { title: 'Deadlocks since the sample before', unit: 'Count', source: DATABASE },
  temp_files: { title: 'Temporary files since the sample before', unit: 'Count', source: DATABASE },
  temp_bytes_per_second: { title: 'Temporary files written', unit: 'Bytes/Second', source: DATABASE },
  cache_hit_ratio: { title: 'Pages found in shared buffers', unit: 'Ratio', source: DATABASE },
  queries_per_second: { title: 'Queries', unit: 'Count/Second', source: STATEMENTS, publishedAs: 'QueriesPerSecond' },
  response_time_ms: {
    title: 'Mean response time',
    unit: 'Milliseconds',
    source: STATEMENTS,
    publishedAs: 'ResponseTime',
  },
  response_time_p95_ms: {
    title: '95th percentile of response times',
    unit: 'Milliseconds',
    source: `${STATEMENTS}; an estimate: a log-normal distribution for each statement, of its mean and deviation`,
  },

  replication_lag_seconds: {
    title: 'Replication lag',
    unit: 'Seconds',
    source: 'pg_stat_replication; on a standby, age of the last replayed transaction',
    publishedAs: 'ReplicationLag',
  },
  replicas: { title: 'Replicas connected', unit: 'Count', source: 'pg_stat_replication' },
  slots: { title: 'Replication slots', unit: 'Count', source: SLOTS },
  inactive_slots: { title: 'Replication slots that nobody reads', unit: 'Count', source: SLOTS },
  retained_wal_bytes: {
    title: 'WAL kept for the slot that is furthest behind',
    unit: 'Bytes',
    source: SLOTS,
    publishedAs: 'RetainedWal',
  },
  slot_wal_usage: {
    title: 'WAL kept for the slot that is nearest to being lost, of what may be kept',
    unit: 'Ratio',
    source: `${SLOTS}: wal_status, safe_wal_size; 0 without max_slot_wal_keep_size`,
  },
  wal_bytes_per_second: { title: 'WAL written', unit: 'Bytes/Second', source: 'pg_current_wal_lsn()' },
  checkpoints_timed: {
    title: 'Checkpoints by time since the sample before',
    unit: 'Count',
    source: 'pg_stat_bgwriter; from PostgreSQL 17 pg_stat_checkpointer',
  },
  checkpoints_requested: {
    title: 'Checkpoints by need since the sample before',
    unit: 'Count',
    source: 'pg_stat_bgwriter; from PostgreSQL 17 pg_stat_checkpointer',
  },
  read_bytes_per_second: {
    title: 'Pages read from outside shared buffers',
    unit: 'Bytes/Second',
    source: 'pg_stat_io; before PostgreSQL 16 pg_stat_database',
  },
  written_bytes_per_second: {
    title: 'Pages written',
    unit: 'Bytes/Second',
    source: 'pg_stat_io; before PostgreSQL 16 pg_stat_bgwriter',
  },
  transaction_id_usage: {
    title: 'Transaction ids used of those before wraparound',
    unit: 'Ratio',
    source: 'pg_database.datfrozenxid',
    publishedAs: 'TransactionIdUsage',
  },
  multixact_id_usage: {
    title: 'Multixact ids used of those before wraparound',
    unit: 'Ratio',
    source: 'pg_database.datminmxid',
  },

  database_bytes: { title: 'Size of the database', unit: 'Bytes', source: 'pg_database_size()' },
  largest_table_bytes: {
    title: 'Size of the largest table',
    unit: 'Bytes',
    source: 'pg_class.relpages, as VACUUM or ANALYZE left it',
  },
  growth_bytes_per_day: { title: 'Growth of the database', unit: 'Bytes', source: `${ROLLUPS}, linear fit` },
  dead_rows: { title: 'Dead rows', unit: 'Count', source: TABLES },
  dead_row_ratio: { title: 'Dead rows among all', unit: 'Ratio', source: TABLES },
  oldest_vacuum_seconds: {
    title: 'Longest without VACUUM among tables with more than 10,000 dead rows',
    unit: 'Seconds',
    source: TABLES,
  },
  oldest_analyze_seconds: {
    title: 'Longest without ANALYZE among tables with more than 10,000 changed rows',
    unit: 'Seconds',
    source: TABLES,
  },
  sequence_usage: { title: 'Values used of the sequence nearest its end', unit: 'Ratio', source: 'pg_sequence' },
  invalid_indexes: { title: 'Invalid indexes that nobody builds', unit: 'Count', source: 'pg_index' },
  certificate_days: { title: "Days until the server's certificate expires", unit: 'Days', source: 'the TLS handshake' },

  cpu_usage: { title: 'Processor', unit: 'Ratio', source: byPlatform('cpu_usage') },
  memory_free_bytes: { title: 'Free memory', unit: 'Bytes', source: byPlatform('memory_free_bytes') },
  disk_free_bytes: { title: 'Free disk', unit: 'Bytes', source: byPlatform('disk_free_bytes') },
  disk_usage: {
    title: 'Disk in use',
    unit: 'Ratio',
    source: byPlatform('disk_usage'),
    publishedAs: 'DiskUsage',
  },

  disk_ceiling_usage: {
    title: 'Disk in use of what storage autoscaling allows',
    unit: 'Ratio',
    source: byPlatform('disk_ceiling_usage'),
  },
  local_storage_free_bytes: {
    title: 'Free local storage of the instance',
    unit: 'Bytes',
    source: byPlatform('local_storage_free_bytes'),
  },
  capacity_usage: {
    title: 'Capacity units in use of the most that are allowed',
    unit: 'Ratio',
    source: byPlatform('capacity_usage'),
  },

  backup_age_seconds: {
    title: 'Age of the newest backup',
    unit: 'Seconds',
    source: CATALOG,
    publishedAs: 'NewestBackupAge',
  },
  capture_age_seconds: {
    title: 'Age of the newest captured change',
    unit: 'Seconds',
    source: 'the last run that captured all changes, where point-in-time recovery is on',
    publishedAs: 'CaptureAge',
  },
  proven_backup_age_seconds: {
    title: 'Age of the newest proven backup',
    unit: 'Seconds',
    source: CATALOG,
    publishedAs: 'NewestProvenBackupAge',
  },
  damaged_backups: { title: 'Complete backups that are known to be damaged', unit: 'Count', source: CATALOG },
  uncopied_seconds: {
    title: 'Age of the oldest backup that is not copied to the second region',
    unit: 'Seconds',
    source: 'S3, each hour, where copies are configured',
  },
  failed_copies: {
    title: 'Objects that S3 could not copy to the second region',
    unit: 'Count',
    source: 'S3, where copies are configured',
  },

  failing_features: { title: 'Features that do not work', unit: 'Count', source: DOCTOR },
  limited_features: {
    title: 'Features that work with limits, or are unknown to work',
    unit: 'Count',
    source: DOCTOR,
  },

  days_until_disk_full: { title: 'Days until the disk is full', unit: 'Days', source: FORECAST },
  days_until_connections_exhausted: {
    title: 'Days until connections are exhausted',
    unit: 'Days',
    source: FORECAST,
  },
  days_until_wraparound: {
    title: 'Days until transaction ids run out',
    unit: 'Days',
    source: FORECAST,
  },
  response_time_deviation: {
    title: 'Response time against the same hour of past days',
    unit: 'Deviations',
    source: `${ROLLUPS}, median and median absolute deviation`,
  },
  query_rate_deviation: {
    title: 'Query rate against the same hour of past days',
    unit: 'Deviations',
    source: `${ROLLUPS}, median and median absolute deviation`,
  },
} as const satisfies Readonly<Record<string, MetricDefinition>>;

export type MetricName = keyof typeof metrics;

/** Values of a sample; null, or absent, where a value cannot be known. */
export type MetricValues = Partial<Record<MetricName, number | null>>;

export const metricNames = Object.keys(metrics) as MetricName[];

export function metricOf(name: MetricName): MetricDefinition {
  return metrics[name];
}

export function isMetricName(name: string): name is MetricName {
  return Object.hasOwn(metrics, name);
}

/** Where a metric of such a database comes from, in words. */
export function sourceOf(name: MetricName, database: { kind: PlatformKind }): string {
  const { source } = metricOf(name);
  return typeof source === 'string' ? source : source(platformOf(database));
}

/** What is published to CloudWatch: the name there and its unit in CloudWatch's words. */
export const publishedMetrics = metricNames.flatMap((metric) => {
  const { publishedAs, unit, title } = metricOf(metric);
  return publishedAs === undefined ? [] : [{ metric, name: publishedAs, unit: cloudWatchUnit(unit), title }];
});

/** CloudWatch's name of a published metric. @throws Error when it is not published */
export function publishedName(metric: MetricName): string {
  const { publishedAs } = metricOf(metric);
  if (publishedAs === undefined) throw new Error(`${metric} is not published to CloudWatch`);
  return publishedAs;
}

function cloudWatchUnit(unit: MetricUnit): Exclude<MetricUnit, 'Ratio' | 'Days' | 'Deviations'> | 'None' {
  return unit === 'Ratio' || unit === 'Days' || unit === 'Deviations' ? 'None' : unit;
}
