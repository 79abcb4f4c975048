/** What is known of a slot and the log that the server keeps for it. Sizes in bytes. */
export interface SlotHealth {
  /** null when there is no such slot. */
  walStatus: 'reserved' | 'extended' | 'unreserved' | 'lost' | null;
  /** Log that is kept for the slot; null where the server does not tell it. */
  retainedBytes: number | null;
  /** Log that can be written before the server gives the slot up; null when it never does. */
  safeBytes: number | null;
}

export interface GuardLimits {
  /** More log than this is not kept: the slot is dropped. */
  mostRetainedBytes: number;
  /** From this part of the limit on there is a warning. */
  warnAt: number;
  /** The disk that the log is on, where it is known. */
  disk?: { allocatedBytes: number; freeBytes: number | null } | null;
}

export interface GuardDecision {
  /** `lost`: the server has given the slot up. `missing`: it is not there. */
  action: 'keep' | 'warn' | 'drop' | 'lost' | 'missing';
  /** In words; null when all is well. */
  reason: string | null;
  /** How bad it is that there is a reason; null when all is well. */
  level: 'WARNING' | 'ERROR' | 'CRITICAL' | null;
}

/** Log that is written while nobody looks: between two runs, and until a drop has taken effect. */
const RESERVE_BYTES = 268_435_456;

/**
 * Decides about a slot. To lose the window is better than to lose production: a slot that keeps more log than it may is dropped, before
 * the server's disk is full of it.
 */
export function guardSlot({ walStatus, retainedBytes, safeBytes }: SlotHealth, limits: GuardLimits): GuardDecision {
  const { warnAt, disk = null } = limits;
  const mostRetainedBytes = limitOn(disk, limits.mostRetainedBytes);
  if (walStatus === null)
    return { action: 'missing', level: 'CRITICAL', reason: 'The replication slot is not on the server any more' };
  if (walStatus === 'lost') {
    return {
      action: 'lost',
      level: 'CRITICAL',
      reason: 'The server has removed log that the replication slot needed',
    };
  }
  const kept = retainedBytes === null ? 'An unknown amount' : megabytes(retainedBytes);
  const amounts = `${kept} of log are kept for the slot, of at most ${megabytes(mostRetainedBytes)}`;
  if (retainedBytes !== null && retainedBytes > mostRetainedBytes)
    return { action: 'drop', level: 'CRITICAL', reason: amounts };
  if (disk && disk.freeBytes !== null && disk.freeBytes < reserveOf(disk) && (retainedBytes ?? 0) > RESERVE_BYTES) {
    const reason = `The disk has ${megabytes(disk.freeBytes)} free; ${amounts}`;
    return { action: 'drop', level: 'CRITICAL', reason };
  }
  if (walStatus === 'unreserved') {
    return {
      action: 'warn',
      level: 'ERROR',
      reason: `The server will remove log that the slot needs at its next checkpoint; ${amounts}`,
    };
  }
  if (safeBytes !== null && safeBytes < RESERVE_BYTES) {
    return {
      action: 'warn',
      level: 'ERROR',
      reason: `The server gives the slot up after ${megabytes(Math.max(0, safeBytes))} more; ${amounts}`,
    };
  }
  if (retainedBytes === null) {
    const unknown = 'The server does not tell how much log it keeps for the slot, so that its size cannot be guarded';
    return { action: 'warn', level: 'WARNING', reason: unknown };
  }
  if (retainedBytes > mostRetainedBytes * warnAt) return { action: 'warn', level: 'WARNING', reason: amounts };
  return { action: 'keep', level: null, reason: null };
}

/** What of a disk the log of a slot may take, and what stays free of it for everything else. */
const LOG_SHARE = 0.25;
const FREE_SHARE = 0.05;

/** The configured limit, but never more of a small disk than its share. */
function limitOn(disk: GuardLimits['disk'], configured: number): number {
  return disk ? Math.min(configured, Math.max(RESERVE_BYTES, disk.allocatedBytes * LOG_SHARE)) : configured;
}

const reserveOf = ({ allocatedBytes }: { allocatedBytes: number }): number =>
  Math.max(RESERVE_BYTES, allocatedBytes * FREE_SHARE);

const megabytes = (bytes: number): string => `${Math.round(bytes / 1_048_576)} MB`;
