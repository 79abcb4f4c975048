import { type CheckPosition, type IntegrityRound, MAX_NAMED, START } from '../backup/validate/check-integrity.ts';
import type { Validation } from '../contract/schemas/backup.ts';
import type { JobError, NewJobError, Progress } from '../contract/schemas/job.ts';
import type { ValidationReport } from '../contract/schemas/validation.ts';
import type { ErrorCode } from '../core/errors/catalogue.ts';
import { type DurableSteps, goOnAfresh, type Outcome, runAttempts } from './attempts.ts';
import { bookkeep } from './bookkeeping.ts';
import { CANCELLED } from './cancellation.ts';
import type { ValidationEvent } from './events.ts';
import { keepWarnings } from './keep-warnings.ts';
import { startInTurn } from './turns.ts';

/** What came of a validation, as it is recorded at its job and its backup. */
export interface ValidationEnd {
  jobId: string;
  backupId: string;
  report: ValidationReport;
  outcome: Validation['outcome'];
  /** null when it passed. */
  error: JobError | null;
  warnings: string[];
}

/** The validation whose ids are known. */
export type RegisteredValidation = { jobId: string; backupId: string; database: string };

/** What the job of a validation needs from the world; see functions/validate.ts. */
export interface ValidationJobDependencies {
  /** Makes the job when a schedule began it. A job without a backup has failed already. */
  register(event: ValidationEvent): Promise<{ jobId: string; backupId: string | null }>;
  /** @returns false when the job was cancelled before it began */
  start(jobId: string): Promise<boolean | null>;
  report(jobId: string, progress: Progress): Promise<void>;
  /** Reads objects until all are read or the time of the invocation is over. */
  checkIntegrity(
    validation: RegisteredValidation,
    from: CheckPosition,
    report: (progress: Progress) => Promise<void>,
  ): Promise<IntegrityRound>;
  /** @returns warnings */
  drill(validation: RegisteredValidation, report: (progress: Progress) => Promise<void>): Promise<string[]>;
  /** Drops the scratch database of a drill, if it is there still. */
  discard(jobId: string): Promise<void>;
  end(end: ValidationEnd): Promise<void>;
  cancelled(jobId: string): Promise<void>;
}

/** Invocations that the reading of one backup may take: with that of 15 minutes it is two days. */
const MAX_ROUNDS = 200;
/** Objects named in the words of the error. */
const MAX_IN_WORDS = 20;

/** Causes that say nothing of the backup. Whatever else ends a validation speaks against it: doubt is not proof. */
const INCONCLUSIVE: ReadonlySet<string> = new Set([
  'connection_lost',
  'database_unreachable',
  'database_missing',
  'login_refused',
  'tls_failed',
  'store_failed',
  'bucket_missing',
  'function_ended',
  'time_exceeded',
  'disk_full',
  'too_few_connections',
  'create_refused',
  'run_login_refused',
  'drill_incomplete',
  'server_read_only',
  // What the drill server lacks, and not the backup.
  'version_too_old',
  'extension_refused',
  'restore_refused',
  'drills_not_configured',
  'unknown_database',
  'internal_error',
] satisfies ErrorCode[]);

/**
 * The durable job of one validation: register, read everything or restore it (again after a passing cause, over as many
 * invocations as it takes), drop what a drill made, record.
 */
export async function runValidationJob(
  event: ValidationEvent,
  steps: DurableSteps,
  dependencies: ValidationJobDependencies,
): Promise<{ job_id: string; status: 'succeeded' | 'failed' | 'cancelled' }> {
  const { level, database } = event;
  const { jobId, backupId, begun } = await bookkeep(steps, 'register', async () => {
    const ids = await dependencies.register(event);
    return { ...ids, begun: ids.backupId !== null && (await dependencies.start(ids.jobId)) };
  });
  if (backupId === null) return { job_id: jobId, status: 'failed' };
  if (!(await startInTurn(steps, () => dependencies.start(jobId), begun)))
    return { job_id: jobId, status: 'cancelled' };
  const validation = { jobId, backupId, database };
  const report: ValidationReport = { level, objects: null, damaged_objects: null, damaged: [] };
  const warnings: string[] = [];
  const error =
    level === 'integrity'
      ? await readEverything(validation, report, steps, dependencies)
      : await restoreEverything(validation, warnings, steps, dependencies);
  if (error?.code === CANCELLED) {
    await bookkeep(steps, 'record', () => dependencies.cancelled(jobId));
    return { job_id: jobId, status: 'cancelled' };
  }
  const outcome = error === null ? 'passed' : INCONCLUSIVE.has(error.code) ? 'inconclusive' : 'failed';
  await bookkeep(steps, 'record', () => dependencies.end({ jobId, backupId, report, outcome, error, warnings }));
  return { job_id: jobId, status: error === null ? 'succeeded' : 'failed' };
}

/** @returns why the validation is not passed; the report gets what was found */
async function readEverything(
  validation: RegisteredValidation,
  report: ValidationReport,
  steps: DurableSteps,
  { checkIntegrity, report: reportProgress }: ValidationJobDependencies,
): Promise<JobError | null> {
  let from = START;
  for (let round = 1; round <= MAX_ROUNDS; round++) {
    const outcome: Outcome<IntegrityRound> = await runAttempts(steps, `integrity-${round}`, () =>
      checkIntegrity(validation, from, (progress) => reportProgress(validation.jobId, progress)),
    );
    if (outcome.status === 'failed') return outcome.error;
    const { left, objects, damaged, damagedObjects } = outcome.result;
    report.objects = (report.objects ?? 0) + objects;
    report.damaged_objects = (report.damaged_objects ?? 0) + damagedObjects;
    report.damaged = [...report.damaged, ...damaged].slice(0, MAX_NAMED);
    if (left === null) return report.damaged_objects > 0 ? damageOf(report) : null;
    // One that read nothing would be followed by another such.
    if (objects === 0) break;
    from = left;
    await goOnAfresh(steps, `integrity-afresh-${round}`);
  }
  return {
    code: 'time_exceeded',
    message: `After ${report.objects ?? 0} objects the reading did not come any further within the time limit of the function`,
    next_step: 'Start it again; if it persists, look at the network between the function and S3.',
  };
}

function damageOf({ objects, damaged_objects: count, damaged }: ValidationReport): NewJobError {
  const named = damaged.slice(0, MAX_IN_WORDS).map(({ path, message }) => `${path}: ${message}`);
  const more = damaged.length > MAX_IN_WORDS ? ['and more, which the job names'] : [];
  return {
    code: 'backup_damaged',
    message: `${count} of ${objects} objects that were read are damaged: ${[...named, ...more].join('; ')}`,
    next_step:
      'Restore these objects from their former versions in the bucket and validate again, or take a new backup.',
  };
}

/** @returns why the drill is not passed; the warnings get what there is to say besides */
async function restoreEverything(
  validation: RegisteredValidation,
  warnings: string[],
  steps: DurableSteps,
  { drill, discard, report }: ValidationJobDependencies,
): Promise<JobError | null> {
  const { jobId } = validation;
  const outcome = await runAttempts(steps, 'drill', async () => {
    const found = await drill(validation, (progress) => report(jobId, progress));
    return keepWarnings(found);
  });
  // Whatever came of it: an attempt that could go on has kept its database, one that was ended could not drop it.
  const left = await steps.step('discard', () =>
    steps
      .audited('discard', () => discard(jobId))
      .then(
        () => null,
        (error: unknown) => (error instanceof Error ? error.message : String(error)),
      ),
  );
  if (outcome.status === 'failed') return outcome.error;
  warnings.push(...outcome.result);
  if (left !== null) warnings.push(`The scratch database could not be dropped; the next drill drops it: ${left}`);
  return null;
}
