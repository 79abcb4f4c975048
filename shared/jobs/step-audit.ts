import type { Job } from '../contract/schemas/job.ts';
import type { Auditor } from '../security/audit/auditor.ts';
import type { JobStore } from '../state/jobs.ts';
import type { DurableSteps } from './attempts.ts';

/** The job whose steps are recorded. */
export interface AuditedJob {
  kind: Job['kind'];
  /** The database that is read or changed. */
  database: string;
  /** The backup, or the database that is made. */
  target: string | null;
  /** null before a scheduled job is registered. */
  jobId: string | null;
  /** Who asked for it, where the job's event says so. */
  requestedBy: string | null;
}

/** Attempts and rounds of a step have numbers; its operation is one. */
const withoutNumbers = (step: string): string => step.replace(/(?:-\d+)+$/, '');

/** Who asked for a job. That the State table does not answer must not keep its work from being done: the job's id tells as well. */
async function actorOf(jobs: Pick<JobStore, 'find'>, jobId: string | null): Promise<string> {
  const job = jobId === null ? null : await jobs.find(jobId).catch(() => null);
  return job?.requested_by ?? 'unknown';
}

/** Records every step of a job: before it begins, and how it ended. A step that cannot be recorded fails before it has begun. */
export function auditSteps(
  { auditor, jobs }: { auditor: Pick<Auditor, 'audited'>; jobs: Pick<JobStore, 'find'> },
  { kind, database, target, jobId, requestedBy }: AuditedJob,
): DurableSteps['audited'] {
  let actor = requestedBy;
  return async (step, work) => {
    actor ??= await actorOf(jobs, jobId);
    const subject = {
      source: 'job',
      actor,
      operation: `${kind}.${withoutNumbers(step)}`,
      database,
      target,
      address: null,
      request_id: jobId,
    } as const;
    return auditor.audited(subject, async (note) => {
      const result = await work();
      note.after = result;
      return result;
    });
  };
}
