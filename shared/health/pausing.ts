import type { ServerUse } from '../platforms/platform.ts';

/**
 * Sampling is suspended, so that a database that may pause can: a connection keeps it awake, and resumes it. Times in milliseconds since
 * the epoch.
 */
export interface Suspension {
  since: number;
  /** When AWS was asked last whether it has paused. */
  askedAt: number;
  isPaused: boolean;
}

/** CloudWatch is asked so often: each answer costs money, and it has a value for each minute. */
const ASK_EVERY_MS = 120_000;
/** The connection of the last sample is in CloudWatch's values for so long. */
const OWN_MS = 240_000;
/** An instance that could pause and did not by so much later is looked at again. */
const GRACE_MS = 600_000;

/** Whether AWS is to be asked again. */
export const isDue = ({ askedAt }: Suspension, now: number): boolean => now - askedAt >= ASK_EVERY_MS;

/**
 * Whether sampling stays suspended, by what AWS says of the instance.
 *
 * @param pauseAfterSeconds - of the cluster: time without connections after which it pauses
 * @returns null when the database is to be sampled again: somebody uses it, or it does not pause
 */
export function stillSuspended(
  suspension: Suspension,
  { capacity, connections }: ServerUse,
  pauseAfterSeconds: number,
  now: number,
): Suspension | null {
  const { since } = suspension;
  if (capacity === 0) return { since, askedAt: now, isPaused: true };
  // It had paused, and somebody has resumed it.
  if (suspension.isPaused && capacity !== null) return null;
  if ((connections ?? 0) > 0 && now - since > OWN_MS) return null;
  if (now - since > pauseAfterSeconds * 1000 + GRACE_MS) return null;
  return { since, askedAt: now, isPaused: false };
}

/** What is said of it, in words. */
export function describeSuspension({ since, isPaused }: Suspension): string {
  const state = isPaused ? 'It has paused' : 'It has not paused yet';
  return `Not sampled since ${new Date(since).toISOString()}: nobody else uses the database, so that it can pause (allow_pause). ${state}; the next connection of somebody else ends this`;
}

/** Sessions of others than this system and AWS, which keep a database from pausing. One row. */
export const otherSessionsSql = `
SELECT pg_catalog.count(*)::int AS others FROM pg_catalog.pg_stat_activity a
 WHERE a.backend_type = 'client backend' AND a.usename IS DISTINCT FROM 'rdsadmin'
   AND NOT coalesce(pg_catalog.starts_with(a.application_name, 'dbms '), false)`;
