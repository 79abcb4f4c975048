import type { Thresholds } from '../configuration/runtime.ts';
import type { Level } from '../contract/schemas/health.ts';
import { DAY_MS } from '../time.ts';
import type { MetricName } from './metrics.ts';

/** From which value on a check is at a level. */
export type Levels = Partial<Record<Level, number>>;

export interface CheckDefinition {
  readonly title: string;
  readonly metric: MetricName;
  /** Which values are bad. `outside`: far from zero, either way. */
  readonly bad: 'above' | 'below' | 'outside';
  /** By default; the configuration has its say in some. */
  readonly levels: Levels | ((configured: Thresholds) => Levels);
  /** How long a value must be bad before it is an alert, and good before the alert is over. Seconds. */
  readonly forSeconds: number;
  readonly clearSeconds: number;
  /** How far back beyond a threshold a value must go to be good again, as a share of the threshold. */
  readonly hysteresis: number;
  readonly whatToDo: string;
}

const DAY_SECONDS = DAY_MS / 1000;
const GIBIBYTE = 1_073_741_824;

/** A share's levels: from the configured one on, and at a half and four fifths of what is then left. */
const upFrom = (share: number): Levels => ({
  WARNING: share,
  ERROR: share + (1 - share) / 2,
  CRITICAL: share + (1 - share) * 0.8,
});

const brief = { bad: 'above', forSeconds: 60, clearSeconds: 120, hysteresis: 0.05 } as const;
const atOnce = { ...brief, forSeconds: 0 } as const;
const lasting = { ...brief, forSeconds: 600, clearSeconds: 600 } as const;

/** Everything that is watched: a metric, from which value on it is bad and for how long, and what to do then. */
export const checks = {
  availability: {
    ...atOnce,
    title: 'Database reachable',
    metric: 'up',
    bad: 'below',
    levels: { CRITICAL: 1 },
    clearSeconds: 0,
    hysteresis: 0,
    whatToDo: 'See why it could not be reached in GET health: server, network, login. On RDS look at its events.',
  },
  connections: {
    ...brief,
    title: 'Connections in use',
    metric: 'connection_usage',
    levels: ({ connection_usage }: Thresholds) => upFrom(connection_usage),
    whatToDo:
      'See who holds them in GET connections/stats, close idle ones with POST connections/close-idle, and put a pooler in front of applications that open many.',
  },
  pool: {
    ...brief,
    title: "This system's own connections in use",
    metric: 'pool_usage',
    levels: { WARNING: 0.9 },
    whatToDo: 'Raise connections.pool_size or pool_overflow in the configuration, or run fewer jobs at a time.',
  },
  response_time: {
    ...brief,
    title: 'Mean response time',
    metric: 'response_time_ms',
    levels: ({ response_time_ms }: Thresholds) => ({ WARNING: response_time_ms, ERROR: 3 * response_time_ms }),
    whatToDo: 'Look for slow statements and for sessions that wait for locks: GET connections/details and GET locks.',
  },
  slow_queries: {
    ...brief,
    title: 'Slow queries running',
    metric: 'slow_queries',
    levels: { INFO: 1, WARNING: 5, ERROR: 20 },
    hysteresis: 0,
    whatToDo: 'See them in GET connections/details?state=active, and explain the statement that comes up most.',
  },
  longest_query: {
    ...atOnce,
    title: 'Longest running query',
    metric: 'longest_query_seconds',
    levels: { WARNING: 600, ERROR: 3600 },
    whatToDo:
      'See it in GET connections/details?state=active; end it with POST connections/{pid}/terminate if nobody needs it.',
  },
  error_rate: {
    ...brief,
    title: 'Transactions rolled back',
    metric: 'error_rate',
    levels: ({ error_rate }: Thresholds) => ({ WARNING: error_rate, ERROR: Math.min(1, 4 * error_rate) }),
    whatToDo: "Look into the server's log for the errors, and into the application's.",
  },
  deadlocks: {
    ...atOnce,
    title: 'Deadlocks',
    metric: 'deadlocks',
    levels: { WARNING: 1, ERROR: 10 },
    clearSeconds: 300,
    hysteresis: 0,
    whatToDo:
      "The server's log names the statements. Let transactions take their locks in the same order, and repeat what failed.",
  },
  blocked_sessions: {
    ...atOnce,
    title: 'Session blocked',
    metric: 'longest_blocked_seconds',
    levels: { WARNING: 30, ERROR: 120, CRITICAL: 600 },
    clearSeconds: 60,
    whatToDo: 'GET locks shows who holds up whom; end the session at the root with POST connections/{pid}/terminate.',
  },
  long_transaction: {
    ...atOnce,
    title: 'Longest transaction',
    metric: 'longest_transaction_seconds',
    levels: { WARNING: 1800, ERROR: 14_400 },
    whatToDo:
      'It keeps VACUUM from removing dead rows. See it in GET connections/details and end it if it was forgotten.',
  },
  idle_in_transaction: {
    ...atOnce,
    title: 'Session idle in a transaction',
    metric: 'longest_idle_in_transaction_seconds',
    levels: { WARNING: 300, ERROR: 1800 },
    whatToDo:
      'It holds its locks. Close it with POST connections/close-idle and "idle_in_transaction": true, and set idle_in_transaction_session_timeout.',
  },
  replication_lag: {
    ...brief,
    title: 'Replication lag',
    metric: 'replication_lag_seconds',
    levels: { WARNING: 60, ERROR: 600 },
    whatToDo: 'Look at the load of the replica, at long queries on it, and at the network between the two.',
  },
  slot_behind: {
    ...atOnce,
    title: 'Replication slot left behind',
    metric: 'retained_wal_bytes',
    levels: { WARNING: 2 * GIBIBYTE, ERROR: 10 * GIBIBYTE, CRITICAL: 50 * GIBIBYTE },
    whatToDo:
      'WAL is kept for it and fills the disk. Find its reader in pg_replication_slots; drop a slot that nobody reads, and set max_slot_wal_keep_size. If it is the one that GET recovery-window names, it belongs to this system: see there and in the errors of the function capture-changes why it is behind, and look for a transaction that is open for long; it is dropped by itself at max_retained_wal_gigabytes, or at once with PUT recovery and {"enabled": false}.',
  },
  slot_loss: {
    ...atOnce,
    title: 'Replication slot about to be lost',
    metric: 'slot_wal_usage',
    levels: { WARNING: 0.6, ERROR: 0.8, CRITICAL: 0.95 },
    whatToDo:
      'The server removes WAL that it needs at the next checkpoint after max_slot_wal_keep_size is reached, and its reader must then begin anew. Get its reader going, or raise max_slot_wal_keep_size while the disk has room for it. A slot whose wal_status is lost can only be dropped.',
  },
  inactive_slots: {
    ...brief,
    title: 'Replication slot without a reader',
    metric: 'inactive_slots',
    levels: { INFO: 1 },
    forSeconds: 3600,
    hysteresis: 0,
    whatToDo: 'Start its reader again, or drop it with pg_drop_replication_slot().',
  },
  wraparound: {
    ...atOnce,
    title: 'Transaction ids towards wraparound',
    metric: 'transaction_id_usage',
    levels: { WARNING: 0.25, ERROR: 0.5, CRITICAL: 0.8 },
    whatToDo:
      'Find what holds VACUUM back (long or prepared transactions, slots), then VACUUM (FREEZE) the oldest tables.',
  },
  multixact_wraparound: {
    ...atOnce,
    title: 'Multixact ids towards wraparound',
    metric: 'multixact_id_usage',
    levels: { WARNING: 0.25, ERROR: 0.5, CRITICAL: 0.8 },
    whatToDo: 'VACUUM (FREEZE) the tables with the oldest relminmxid.',
  },
  disk: {
    ...atOnce,
    title: 'Disk in use',
    metric: 'disk_usage',
    levels: ({ disk_usage }: Thresholds) => upFrom(disk_usage),
    hysteresis: 0.02,
    whatToDo:
      'Give it a larger disk. Look for WAL kept by a slot, for temporary files and for the largest tables in GET health.',
  },
  cache: {
    ...lasting,
    title: 'Pages found in shared buffers',
    metric: 'cache_hit_ratio',
    bad: 'below',
    levels: { INFO: 0.9 },
    whatToDo: 'Look for statements that read whole tables; consider larger shared_buffers.',
  },
  dead_rows: {
    ...lasting,
    title: 'Dead rows',
    metric: 'dead_row_ratio',
    levels: { INFO: 0.2, WARNING: 0.5 },
    whatToDo: 'See whether autovacuum keeps up, and whether a long transaction holds it back.',
  },
  autovacuum: {
    ...lasting,
    title: 'Table with dead rows long not vacuumed',
    metric: 'oldest_vacuum_seconds',
    levels: { INFO: 7 * DAY_SECONDS },
    whatToDo: 'VACUUM it, and lower its autovacuum_vacuum_scale_factor.',
  },
  sequence: {
    ...atOnce,
    title: 'Sequence near its end',
    metric: 'sequence_usage',
    levels: { WARNING: 0.75, ERROR: 0.9, CRITICAL: 0.98 },
    whatToDo: 'GET health names it. Turn its column into bigint and the sequence with it, before an insert fails.',
  },
  invalid_indexes: {
    ...atOnce,
    title: 'Invalid index',
    metric: 'invalid_indexes',
    levels: { WARNING: 1 },
    hysteresis: 0,
    whatToDo: 'GET health names it. REINDEX INDEX CONCURRENTLY it, or drop it: it slows writes and serves no query.',
  },
  certificate: {
    ...atOnce,
    title: "Server's certificate expires",
    metric: 'certificate_days',
    bad: 'below',
    levels: { WARNING: 30, ERROR: 14, CRITICAL: 3 },
    whatToDo: 'Renew it; on RDS choose a newer certificate authority and apply it.',
  },
  backup_age: {
    ...atOnce,
    title: 'Newest backup too old',
    metric: 'backup_age_seconds',
    levels: { WARNING: 8 * DAY_SECONDS, ERROR: 15 * DAY_SECONDS },
    hysteresis: 0,
    whatToDo: 'See in GET jobs why backups fail or did not start, and take one with POST backups.',
  },
  capture_age: {
    ...brief,
    title: 'Newest captured change too old',
    metric: 'capture_age_seconds',
    levels: { WARNING: 900, ERROR: 3600 },
    whatToDo: 'Changes since then could not be restored. See why the capture fails.',
  },
  proven_backup_age: {
    ...atOnce,
    title: 'Newest proven backup too old',
    metric: 'proven_backup_age_seconds',
    levels: { WARNING: 15 * DAY_SECONDS, ERROR: 45 * DAY_SECONDS },
    hysteresis: 0,
    whatToDo: 'Validate a backup: only one that has been restored is known to be good.',
  },
  processor: {
    ...lasting,
    title: 'Processor',
    metric: 'cpu_usage',
    levels: { WARNING: 0.9 },
    whatToDo: 'Look for the statements that take most time, or give the server more processors.',
  },
  disk_full_soon: {
    ...lasting,
    title: 'Disk will be full',
    metric: 'days_until_disk_full',
    bad: 'below',
    levels: { WARNING: 14, ERROR: 3 },
    hysteresis: 0.2,
    whatToDo:
      'Give it a larger disk before; GET metrics/history?metrics=database_bytes,retained_wal_bytes shows what grows.',
  },
  connections_exhausted_soon: {
    ...lasting,
    title: 'Connections will be exhausted',
    metric: 'days_until_connections_exhausted',
    bad: 'below',
    levels: { WARNING: 2 },
    hysteresis: 0.2,
    whatToDo: 'Look for an application that does not give its connections back: GET connections/stats.',
  },
  wraparound_soon: {
    ...lasting,
    title: 'Transaction ids will run out',
    metric: 'days_until_wraparound',
    bad: 'below',
    levels: { WARNING: 14, ERROR: 3 },
    hysteresis: 0.2,
    whatToDo:
      'Find what holds VACUUM back (long or prepared transactions, slots), then VACUUM (FREEZE) the oldest tables.',
  },
  response_time_unusual: {
    ...lasting,
    title: 'Response time unlike that of past days',
    metric: 'response_time_deviation',
    levels: { INFO: 6, WARNING: 15 },
    hysteresis: 0.3,
    whatToDo:
      'Compare GET metrics/history?metrics=response_time_ms with the days before; look for a new release or plan.',
  },
  query_rate_unusual: {
    ...lasting,
    title: 'Query rate unlike that of past days',
    metric: 'query_rate_deviation',
    bad: 'outside',
    levels: { INFO: 8 },
    hysteresis: 0.3,
    whatToDo:
      'Compare GET metrics/history?metrics=queries_per_second with the days before: an application may be down, or in a loop.',
  },
} as const satisfies Readonly<Record<string, CheckDefinition>>;

export type CheckName = keyof typeof checks;
export const checkNames = Object.keys(checks) as CheckName[];

export function checkOf(name: CheckName): CheckDefinition {
  return checks[name];
}

export function isCheckName(name: string): name is CheckName {
  return Object.hasOwn(checks, name);
}

/** What an alert of a check is about; see `cause` of an alert. */
export function causeOfCheck(name: CheckName): `check:${CheckName}` {
  return `check:${name}`;
}

export const levelOrder: readonly Level[] = ['INFO', 'WARNING', 'ERROR', 'CRITICAL'];

/** Above zero when `one` is worse than `other`. */
export function compareLevels(one: Level, other: Level): number {
  return levelOrder.indexOf(one) - levelOrder.indexOf(other);
}

/** A check as it is for one database: the defaults, what the configuration says, and what administrators have set. */
export interface EffectiveCheck {
  enabled: boolean;
  levels: Levels;
  for_seconds: number;
  clear_seconds: number;
  hysteresis: number;
}

/** A check as the configuration has it, before administrators' own settings. */
export function defaultCheck(name: CheckName, configured: Thresholds): EffectiveCheck {
  const { levels, forSeconds, clearSeconds, hysteresis } = checkOf(name);
  return {
    enabled: true,
    levels: typeof levels === 'function' ? levels(configured) : levels,
    for_seconds: forSeconds,
    clear_seconds: clearSeconds,
    hysteresis,
  };
}

/** Whether a value is as bad as a threshold says, or, `relaxed`, still not good again. */
export function passes({ bad }: Pick<CheckDefinition, 'bad'>, value: number, threshold: number, relaxed = 0): boolean {
  if (bad === 'below') return value < threshold + Math.abs(threshold) * relaxed;
  return (bad === 'outside' ? Math.abs(value) : value) >= threshold - Math.abs(threshold) * relaxed;
}

/** The worst level whose threshold a value has passed. */
export function levelOfValue(name: CheckName, { levels }: Pick<EffectiveCheck, 'levels'>, value: number): Level | null {
  const passed = levelOrder.filter((level) => {
    const threshold = levels[level];
    return threshold !== undefined && passes(checkOf(name), value, threshold);
  });
  return passed.at(-1) ?? null;
}
