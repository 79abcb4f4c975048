import { InvokeCommand, type LambdaClient } from '@aws-sdk/client-lambda';
import type { BackupSample, BackupType } from '../contract/schemas/backup.ts';
import type { Job, NewJobError } from '../contract/schemas/job.ts';
import type { RecoveryTargetFields, RestoreMode, RestoreOptionFields } from '../contract/schemas/restore.ts';
import { OperationError } from '../errors.ts';
import { createBackupCatalog, isComplete, runningBackup, unknownBackup } from '../state/backups.ts';
import { type Begun, beginBackup, beginRestore, type Claim, releaseClaim } from '../state/begin.ts';
import { newBackupId, newJobId } from '../state/ids.ts';
import { createJobStore, queuedJob } from '../state/jobs.ts';
import type { StateTable } from '../state/table.ts';
import { failJob } from './end.ts';
import type { BackupEvent, RestoreEvent } from './events.ts';

/** Hands an event to a durable function; a name that was used already starts nothing anew. */
export type StartFunction<Event> = (event: Event, executionName: string) => Promise<void>;

interface Request {
  database: string;
  /** `sub` of the caller, `schedule`, or `recovery`. */
  requestedBy: string;
  /** Makes a repeated request answer with its first job. */
  claim?: Claim | undefined;
}

export interface BackupRequest extends Request {
  backupType: BackupType;
  customName: string | null;
  /** Patterns of the schemas and tables that it is of and without; null or absent: the whole database. */
  include?: string[] | null | undefined;
  exclude?: string[] | null | undefined;
  masked?: boolean | undefined;
  sample?: BackupSample | null | undefined;
  /** Throws when it must not begin; not asked for a repeated request. */
  check?: (() => void) | undefined;
}

export interface RestoreRequest extends Request {
  backupId: string;
  targetDatabase: string;
  mode?: RestoreMode;
  /** The configured database to whose server it goes; by default the backup's own. */
  environment?: string | undefined;
  options?: RestoreOptionFields;
  /** The moment that the backup is brought to. */
  recovery?: RecoveryTargetFields | undefined;
}

export interface Started {
  job: Job;
  replayed: boolean;
}

/** @param functionArn - with a version or alias, as a durable function needs one */
export function functionStarter<Event>(lambda: LambdaClient, functionArn: string): StartFunction<Event> {
  return async (event, executionName) => {
    const invoke = new InvokeCommand({
      FunctionName: functionArn,
      InvocationType: 'Event',
      DurableExecutionName: executionName,
      Payload: Buffer.from(JSON.stringify(event)),
    });
    await lambda.send(invoke).catch((error: unknown) => {
      // A name is one job's: whoever started it, it runs.
      if ((error as Error).name !== 'DurableExecutionAlreadyStartedException') throw error;
    });
  };
}

/**
 * Writes the job of a backup and its catalog entry, without starting anything: for a run that is already under way.
 * The backup's id is the job's `backup_id`.
 */
export async function registerBackup(table: StateTable, request: BackupRequest): Promise<Begun<BackupEvent>> {
  const {
    database,
    requestedBy,
    backupType,
    customName,
    include = null,
    exclude = null,
    masked,
    sample,
    claim,
    check,
  } = request;
  const selection = {
    ...(include ? { include } : {}),
    ...(exclude ? { exclude } : {}),
    ...(masked ? { masked } : {}),
    ...(sample ? { sample } : {}),
  };
  const jobId = newJobId();
  const backupId = newBackupId();
  const shared = { database, requested_by: requestedBy };
  const job = queuedJob({ ...shared, id: jobId, kind: 'backup', backup_id: backupId, target_database: null });
  const backup = runningBackup({
    ...shared,
    id: backupId,
    job_id: jobId,
    backup_type: backupType,
    custom_name: customName,
    ...selection,
  });
  const event: BackupEvent = {
    ...shared,
    backup_type: backupType,
    custom_name: customName,
    ...selection,
    job_id: jobId,
    backup_id: backupId,
  };
  return beginBackup(table, { job, backup, event, claim, ...(check ? { check } : {}) });
}

/**
 * Begins a backup and hands it to its function.
 *
 * @throws OperationError `idempotency_key_reused`, or `job_not_started` (the job is then marked as failed)
 */
export async function startBackup(
  { table, startFunction }: { table: StateTable; startFunction: StartFunction<BackupEvent> },
  request: BackupRequest,
): Promise<Started> {
  return launch(table, startFunction, await registerBackup(table, request), request.claim);
}

/**
 * Begins a restore and hands it to its function.
 *
 * @throws OperationError `unknown_backup` (also of another database), `backup_not_available`, `idempotency_key_reused`,
 * or `job_not_started` (the job is then marked as failed)
 */
export async function startRestore(
  { table, startFunction }: { table: StateTable; startFunction: StartFunction<RestoreEvent> },
  {
    database,
    requestedBy,
    backupId,
    targetDatabase,
    mode = 'new',
    environment,
    options = {},
    recovery,
    claim,
  }: RestoreRequest,
): Promise<Started> {
  const jobId = newJobId();
  const shared = { database, requested_by: requestedBy, backup_id: backupId, target_database: targetDatabase };
  const beginning = {
    job: queuedJob({ ...shared, id: jobId, kind: 'restore', environment: environment ?? null }),
    event: {
      ...shared,
      mode,
      ...(environment ? { environment } : {}),
      options,
      ...(recovery ? { recovery } : {}),
      job_id: jobId,
    } satisfies RestoreEvent,
    claim,
  };
  const begun = await beginRestore<RestoreEvent>(table, beginning).catch(async (error: unknown) => {
    throw await explainUnavailable(table, database, backupId, error);
  });
  return launch(table, startFunction, begun, claim);
}

/** Says why a backup cannot be read; any other error stays as it is. */
export async function explainUnavailable(
  table: StateTable,
  database: string,
  backupId: string,
  error: unknown,
): Promise<unknown> {
  if (!(error instanceof OperationError) || error.code !== 'backup_not_available') return error;
  return (await whyUnavailable(table, database, backupId)) ?? error;
}

/** @throws OperationError `unknown_backup` (also of another database), or `backup_not_available` */
export async function assertRestorable(table: StateTable, database: string, backupId: string): Promise<void> {
  const reason = await whyUnavailable(table, database, backupId);
  if (reason) throw reason;
}

async function whyUnavailable(
  table: StateTable,
  database: string,
  backupId: string,
): Promise<OperationError | undefined> {
  const backup = await createBackupCatalog(table).find(backupId);
  if (backup?.database !== database) return unknownBackup(backupId);
  if (isComplete(backup)) return undefined;
  return new OperationError(
    'backup_not_available',
    `The backup ${backupId} is ${backup.status}; only a complete one can be read`,
    backup.status === 'running' ? `Wait for its job ${backup.job_id}.` : 'Choose an available backup.',
  );
}

/** Hands a job that was begun to its function. */
export async function launch<Event>(
  table: StateTable,
  startFunction: StartFunction<Event>,
  { job, event, replayed }: Begun<Event>,
  claim: Claim | undefined,
): Promise<Started> {
  // A repeat of a request whose process ended before it handed over: the job waits still, and is handed over now.
  const jobs = createJobStore(table);
  if (replayed && (await jobs.find(job.id))?.status !== 'queued') return { job, replayed };
  try {
    await startFunction(event, job.id);
  } catch (cause) {
    const reason: NewJobError = {
      code: 'job_not_started',
      message: 'The function that does the work could not be started',
      next_step: 'Try again; if it persists, look in the log of this request.',
    };
    // The answer may have been lost on its way back, not the call: then the job runs, and nothing has failed.
    if (!(await failJob(table, job.id, reason, ['queued']))) return { job, replayed };
    if (claim) await releaseClaim(table, claim, job.id);
    throw new OperationError(reason.code, reason.message, reason.next_step, { cause });
  }
  return { job, replayed };
}
