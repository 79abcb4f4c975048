import type { Thresholds } from '../../configuration/runtime.ts';
import { DAY_MS } from '../../time.ts';
import { atOnce, type CheckDefinition, lasting, upFrom } from './definition.ts';

const DAY_SECONDS = DAY_MS / 1000;
const GIBIBYTE = 1_073_741_824;

/** Disk, cache, and the state of what is stored: tables, indexes, sequences and the ids of transactions. */
export const storageChecks = {
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
  disk_free: {
    ...atOnce,
    title: 'Free disk',
    metric: 'disk_free_bytes',
    bad: 'below',
    levels: { WARNING: 4 * GIBIBYTE, ERROR: 2 * GIBIBYTE, CRITICAL: GIBIBYTE },
    whatToDo:
      'Give it a larger disk: on RDS with aws rds modify-db-instance --allocated-storage. Storage autoscaling enlarges it by itself, but not within six hours after the last time. Look for WAL kept by a slot and for temporary files.',
  },
  disk_ceiling: {
    ...atOnce,
    title: 'Disk towards the limit of storage autoscaling',
    metric: 'disk_ceiling_usage',
    levels: { WARNING: 0.8, ERROR: 0.9, CRITICAL: 0.96 },
    hysteresis: 0.02,
    whatToDo:
      'Raise MaxAllocatedStorage: aws rds modify-db-instance --max-allocated-storage. Beyond it the disk does not grow.',
  },
  local_storage: {
    ...atOnce,
    title: 'Free local storage',
    metric: 'local_storage_free_bytes',
    bad: 'below',
    levels: { WARNING: 3 * GIBIBYTE, ERROR: 1.5 * GIBIBYTE, CRITICAL: 0.5 * GIBIBYTE },
    whatToDo:
      'Sorts, index builds and logical decoding spill there, and fail when it is full. Find the statements that write temporary files (log_temp_files), lower their number, or take a larger instance class: local storage comes with it.',
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
} as const satisfies Readonly<Record<string, CheckDefinition>>;
