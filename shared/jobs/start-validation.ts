import type { RuntimeConfiguration } from '../configuration/runtime.ts';
import type { Backup } from '../contract/schemas/backup.ts';
import type { Job } from '../contract/schemas/job.ts';
import type { ValidationLevel } from '../contract/schemas/validation.ts';
import { OperationError } from '../errors.ts';
import { createBackupCatalog, isComplete, isOfTheWhole, isWhole, unknownBackup } from '../state/backups.ts';
import { type Begun, beginRestore, type Claim } from '../state/begin.ts';
import { newJobId } from '../state/ids.ts';
import { createJobStore, queuedJob } from '../state/jobs.ts';
import type { StateTable } from '../state/table.ts';
import type { ValidationEvent } from './events.ts';
import { launch, type Started, type StartFunction } from './start.ts';

export interface ValidationRequest {
  backupId: string;
  level: ValidationLevel;
  /** `sub` of the caller, or `schedule`. */
  requestedBy: string;
  /** Makes a repeated request answer with its first job. */
  claim?: Claim | undefined;
}

/** @throws OperationError `drills_not_configured`, telling what to configure */
export function drillServer({ drills }: Pick<RuntimeConfiguration, 'drills'>): string {
  if (drills.server !== null) return drills.server;
  throw new OperationError(
    'drills_not_configured',
    'No drill server is configured, so nothing can be restored to see whether it can be',
    'Set drills.server in the deployment to the id of a configured database whose server may take scratch databases, and deploy again.',
  );
}

/**
 * Writes the job of a validation and notes it at the backup, which cannot be deleted until the job has ended. Starts nothing.
 *
 * @throws OperationError `unknown_backup`, `backup_not_available`, `definitions_missing`, `drills_not_configured` or
 * `idempotency_key_reused`
 */
export async function registerValidation(
  table: StateTable,
  configuration: Pick<RuntimeConfiguration, 'drills'>,
  { backupId, level, requestedBy, claim }: ValidationRequest,
): Promise<Begun<ValidationEvent>> {
  const backup = await createBackupCatalog(table).find(backupId);
  const jobId = newJobId();
  const shared = { database: backup?.database ?? '', backup_id: backupId, requested_by: requestedBy };
  const validation = { level, objects: null, damaged_objects: null, damaged: [] };
  return beginRestore<ValidationEvent>(table, {
    job: queuedJob({ ...shared, id: jobId, kind: 'validation', target_database: null, validation }),
    event: { ...shared, level, job_id: jobId },
    claim,
    // Not asked before: the answer to a repeated request is its first job, whatever became of the backup.
    check: () => assertValidatable(configuration, backupId, backup, level),
  });
}

function assertValidatable(
  configuration: Pick<RuntimeConfiguration, 'drills'>,
  id: string,
  backup: Backup | null,
  level: ValidationLevel,
): asserts backup is Backup {
  if (!backup) throw unknownBackup(id);
  if (!isComplete(backup)) {
    throw new OperationError(
      'backup_not_available',
      `The backup ${id} is ${backup.status}; only a complete one can be validated`,
      backup.status === 'running' ? `Wait for its job ${backup.job_id}.` : 'Choose an available backup.',
    );
  }
  if (level === 'integrity') return;
  if (backup.backup_type === 'data') {
    throw new OperationError(
      'definitions_missing',
      `The backup ${id} holds rows without definitions: no database can be made of it alone`,
      'Validate its integrity, or make the drill with a full backup.',
    );
  }
  drillServer(configuration);
}

/**
 * Begins a validation and hands it to its function.
 *
 * @throws OperationError as {@link registerValidation}, or `job_not_started` (the job is then marked as failed)
 */
export async function startValidation(
  { table, startFunction }: { table: StateTable; startFunction: StartFunction<ValidationEvent> },
  configuration: Pick<RuntimeConfiguration, 'drills'>,
  request: ValidationRequest,
): Promise<Started> {
  return launch(table, startFunction, await registerValidation(table, configuration, request), request.claim);
}

/**
 * Registers the validation that a schedule asks for: of the newest full backup of the database. Where there is none, the job says
 * so, and has failed.
 *
 * @throws OperationError as {@link registerValidation}
 */
export async function registerScheduled(
  table: StateTable,
  configuration: Pick<RuntimeConfiguration, 'drills'>,
  { database, level, requestedBy, claim }: Omit<ValidationRequest, 'backupId'> & { database: string },
): Promise<Pick<Job, 'id' | 'backup_id'>> {
  const entries = await createBackupCatalog(table).entries(database);
  const backups = entries.map(({ backup }) => backup);
  // Where every one is known to be damaged, the newest may have been judged wrongly, or its object be there again.
  const newest = backups.find(isWhole) ?? backups.find((backup) => isComplete(backup) && isOfTheWhole(backup));
  if (newest) {
    return (await registerValidation(table, configuration, { backupId: newest.id, level, requestedBy, claim })).job;
  }
  const jobs = createJobStore(table);
  const validation = { level, objects: null, damaged_objects: null, damaged: [] };
  const nothing = { id: newJobId(), kind: 'validation', backup_id: null, target_database: null } as const;
  const job = await jobs.create({ ...nothing, database, requested_by: requestedBy, validation });
  await jobs.fail(job.id, {
    code: 'no_backup',
    message: `There is no complete full backup of ${database} to validate`,
    next_step: 'Take one with POST backups, and see why the scheduled ones fail.',
  });
  return job;
}
