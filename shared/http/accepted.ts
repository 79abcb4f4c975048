import type { Job } from '../contract/schemas/job.ts';

/** The answer of a route that starts a job: the job, where to follow it, and whether it is an earlier request's. */
export function acceptedJob(
  { link }: { link(path: `/${string}`): string },
  { job, replayed }: { job: Job; replayed: boolean },
): { status: 202; headers: Record<string, string>; body: Job } {
  return {
    status: 202,
    headers: { Location: link(`/jobs/${job.id}`), ...(replayed ? { 'Idempotent-Replayed': 'true' } : {}) },
    body: job,
  };
}
