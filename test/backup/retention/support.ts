import type { RetainedBackup } from '../../../shared/backup/retention/explain.ts';
import type { RetentionPolicy } from '../../../shared/backup/retention/policy.ts';

/** A backup that is complete and was taken and stored at one moment. */
export function takenAt(at: string | number, id: string, more: Partial<RetainedBackup> = {}): RetainedBackup {
  const moment = new Date(at).toISOString();
  return {
    id,
    backup_type: 'full',
    include: null,
    exclude: null,
    masked: false,
    sample: null,
    status: 'available',
    job_id: `job of ${id}`,
    created_at: moment,
    snapshot_at: moment,
    ended_at: moment,
    stored_at: moment,
    locked_until: null,
    depends_on: [],
    readers: [],
    ...more,
  };
}

/** Keeps everything for a day, and nothing else but what is said. */
export function policyOf(more: Partial<RetentionPolicy> = {}): RetentionPolicy {
  return { days: 1, daily: 0, weekly: 0, monthly: 0, yearly: 0, timeZone: 'UTC', lockDays: null, ...more };
}
