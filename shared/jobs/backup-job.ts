import { incompleteOf } from '../backup/incomplete.ts';
import type { IncrementManifest } from '../backup/increment-manifest.ts';
import type { Manifest } from '../backup/manifest.ts';
import type { JobError, NewJobError, Progress } from '../contract/schemas/job.ts';
import type { BackupFacts } from '../state/backups.ts';
import { DAY_MS } from '../time.ts';
import { type DistributedSteps, type Outcome, repeatAttempts, runAttempts, runStep } from './attempts.ts';
import { bookkeep } from './bookkeeping.ts';
import { CANCELLED } from './cancellation.ts';
import { type DistributedWork, exportDistributed } from './distributed-backup.ts';
import type { BackupEvent } from './events.ts';
import { startInTurn } from './turns.ts';

/** How much of an incremental backup its job has captured; the rest was when it began. */
export interface Captured {
  bytes: number;
  changes: number;
}

/** What the job of a backup needs from the world; see functions/backup.ts. */
export interface BackupJobDependencies {
  /** Creates the job and its catalog entry when a schedule began it; returns their ids. */
  register(event: BackupEvent): Promise<{ jobId: string; backupId: string }>;
  /** @returns false when the job was cancelled before it began; null: it is not its turn yet */
  start(jobId: string): Promise<boolean | null>;
  report(jobId: string, progress: Progress): Promise<void>;
  /**
   * Takes the backup within this invocation, and is ended by its time limit.
   *
   * @returns null when it is more than one invocation can do
   */
  takeBackup(
    event: BackupEvent,
    ids: { jobId: string; backupId: string },
    report: (progress: Progress) => Promise<void>,
  ): Promise<Manifest | null>;
  /**
   * Takes an incremental one, as far as it can be done at once.
   *
   * @param captured - by the rounds before
   */
  takeIncrement(
    event: BackupEvent,
    ids: { jobId: string; backupId: string },
    captured: Captured,
    report: (progress: Progress) => Promise<void>,
  ): Promise<
    { status: 'taken'; manifest: IncrementManifest } | { status: 'waiting'; reason: string; captured: Captured }
  >;
  /** Takes a larger one with many invocations. */
  distributed(event: BackupEvent, ids: { jobId: string; backupId: string }): DistributedWork<Manifest>;
  /** Removes what an attempt left in the bucket. */
  sweep(event: BackupEvent, backupId: string): Promise<void>;
  succeed(jobId: string, backupId: string, facts: BackupFacts, warnings: string[]): Promise<void>;
  fail(jobId: string, backupId: string, error: JobError): Promise<void>;
  cancelled(jobId: string): Promise<void>;
  retentionDays: number;
}

/** What the catalog says of a finished backup: the manifest's totals, small enough for a durable step's result. */
function factsOf(manifest: Manifest | IncrementManifest, retentionDays: number): BackupFacts {
  const { tables, rows, bytes, stored_bytes, objects } = manifest.totals;
  return {
    snapshot_at: new Date(manifest.snapshot.taken_at).toISOString(),
    ended_at: manifest.ended_at,
    expires_at: new Date(Date.parse(manifest.snapshot.taken_at) + retentionDays * DAY_MS).toISOString(),
    server_version: manifest.server_version,
    tables,
    rows,
    bytes,
    stored_bytes,
    objects,
    incomplete: incompleteOf(manifest),
    ...(manifest.backup_type === 'incremental'
      ? { increment: manifest.increment, depends_on: manifest.depends_on }
      : {}),
  };
}

/**
 * The durable job of one backup: register, export (again after a passing cause), record. However it ends, the job says so,
 * and the catalog lists the backup as available only if its manifest is written.
 */
export async function runBackupJob(
  event: BackupEvent,
  steps: DistributedSteps,
  dependencies: BackupJobDependencies,
): Promise<{ job_id: string; backup_id: string; status: 'succeeded' | 'failed' | 'cancelled' }> {
  const { jobId, backupId, begun } = await bookkeep(steps, 'register', async () => {
    const ids = await dependencies.register(event);
    return { ...ids, begun: await dependencies.start(ids.jobId) };
  });
  if (!(await startInTurn(steps, () => dependencies.start(jobId), begun))) {
    return { job_id: jobId, backup_id: backupId, status: 'cancelled' };
  }
  const take = event.backup_type === 'incremental' ? takeIncrement : exportWhole;
  const outcome = await take(event, { jobId, backupId }, steps, dependencies);
  if (outcome.status === 'failed' && outcome.error.code === CANCELLED) {
    await bookkeep(steps, 'record', () => dependencies.cancelled(jobId));
    return { job_id: jobId, backup_id: backupId, status: 'cancelled' };
  }
  await bookkeep(steps, 'record', () =>
    outcome.status === 'done'
      ? dependencies.succeed(jobId, backupId, outcome.result.facts, outcome.result.warnings)
      : dependencies.fail(jobId, backupId, outcome.error),
  );
  return { job_id: jobId, backup_id: backupId, status: outcome.status === 'done' ? 'succeeded' : 'failed' };
}

type Exported = { facts: BackupFacts; warnings: string[] };

const exportedOf = (manifest: Manifest | IncrementManifest, retentionDays: number): Exported => ({
  facts: factsOf(manifest, retentionDays),
  warnings: manifest.warnings,
});

/** Rounds of an incremental backup: with the waits between them it is half an hour and more. */
const INCREMENT_ROUNDS = 240;
const INCREMENT_WAIT_SECONDS = 8;

/** Captures and seals, and waits between two tries while another run captures. */
async function takeIncrement(
  event: BackupEvent,
  ids: { jobId: string; backupId: string },
  steps: DistributedSteps,
  dependencies: BackupJobDependencies,
): Promise<Outcome<Exported>> {
  let reason = '';
  let captured: Captured = { bytes: 0, changes: 0 };
  for (let round = 1; round <= INCREMENT_ROUNDS; round++) {
    const outcome = await runAttempts(steps, `increment-${round}`, async () => {
      const found = await dependencies.takeIncrement(event, ids, captured, (progress) =>
        dependencies.report(ids.jobId, progress),
      );
      if (found.status === 'waiting') return found;
      return { status: found.status, taken: exportedOf(found.manifest, dependencies.retentionDays) };
    });
    if (outcome.status === 'failed') return outcome;
    if (outcome.result.status === 'taken') return { status: 'done', result: outcome.result.taken };
    ({ reason, captured } = outcome.result);
    await steps.wait(`increment-${round}-wait`, INCREMENT_WAIT_SECONDS);
  }
  const error: NewJobError = {
    code: 'increment_not_taken',
    message: `The changes were not captured up to now in ${INCREMENT_ROUNDS} tries: ${reason}`,
    next_step: 'Nothing is lost. See the lag in GET recovery-window, and start it again when it is small.',
  };
  return { status: 'failed', error };
}

/** Of the 3,000 durable operations that Lambda allows for one execution; the rest is for waiting for its turn and everything else. */
const MOST_OPERATIONS = 2550;
/** What the first distributed attempt may take, so that another one is possible. */
const FIRST_OPERATIONS = 2000;
/** With fewer, a further attempt is not worth beginning. */
const LEAST_OPERATIONS = 300;

/** Exports within one invocation, or with many once it turned out to be more than that. */
async function exportWhole(
  event: BackupEvent,
  ids: { jobId: string; backupId: string },
  steps: DistributedSteps,
  dependencies: BackupJobDependencies,
): Promise<Outcome<Exported>> {
  const { backupId } = ids;
  const exported = (manifest: Manifest) => exportedOf(manifest, dependencies.retentionDays);
  // Best effort: the bucket's lifecycle rules and the next attempt remove what cannot be removed now.
  const sweepQuietly = () => dependencies.sweep(event, backupId).catch(() => undefined);
  const inOneInvocation = (attempt: number): Promise<Outcome<Exported | null>> =>
    runStep(steps, `export-${attempt}`, async () => {
      if (attempt > 1) await dependencies.sweep(event, backupId);
      try {
        const manifest = await dependencies.takeBackup(event, ids, (progress) =>
          dependencies.report(ids.jobId, progress),
        );
        return manifest && exported(manifest);
      } catch (error) {
        await sweepQuietly();
        throw error;
      }
    });
  let isDistributed = false;
  let operationsLeft = MOST_OPERATIONS;
  const withMany = async (attempt: number): Promise<Outcome<Exported>> => {
    const { finish, ...work } = dependencies.distributed(event, ids);
    const allowed = Math.min(operationsLeft, FIRST_OPERATIONS);
    const { operations, ...outcome } = await exportDistributed(
      steps,
      { name: `distributed-${attempt}`, exportId: `${backupId}-${attempt}`, operations: allowed },
      { ...work, finish: async (exportId, definitions) => exported(await finish(exportId, definitions)) },
    );
    operationsLeft -= operations;
    if (outcome.status === 'failed') await runStep(steps, `sweep-${attempt}`, sweepQuietly);
    return outcome;
  };
  return repeatAttempts(steps, 'export', async (attempt) => {
    if (!isDistributed) {
      const tried = await inOneInvocation(attempt);
      // Its size was underestimated, or the server is slow.
      isDistributed = tried.status === 'done' ? tried.result === null : tried.error.code === 'time_exceeded';
      if (tried.status === 'done' && tried.result !== null) return { status: 'done', result: tried.result };
      if (tried.status === 'failed' && !isDistributed) return tried;
    } else {
      const swept = await runStep(steps, `sweep-before-${attempt}`, () => dependencies.sweep(event, backupId));
      if (swept.status === 'failed') return swept;
      if (operationsLeft < LEAST_OPERATIONS) return { status: 'failed', error: TOO_MANY_OPERATIONS };
    }
    return withMany(attempt);
  });
}

const TOO_MANY_OPERATIONS: NewJobError = {
  code: 'export_too_long',
  message: 'The backup failed so late that its durable execution allows no further attempt',
  next_step: 'Start it again; raise backups.lanes, so that it takes less time.',
};
