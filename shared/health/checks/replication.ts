import { atOnce, brief, type CheckDefinition } from './definition.ts';

const GIBIBYTE = 1_073_741_824;

/** Replicas, slots and the WAL that is kept for them. */
export const replicationChecks = {
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
} as const satisfies Readonly<Record<string, CheckDefinition>>;
