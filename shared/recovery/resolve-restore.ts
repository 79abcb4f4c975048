import type { Increment } from '../contract/schemas/backup.ts';
import type { RecoveryTargetFields, RestoreMode } from '../contract/schemas/restore.ts';
import { invalidRequest } from '../http/read-request.ts';
import { createBackupCatalog } from '../state/backups.ts';
import type { StateTable } from '../state/table.ts';

/** A full backup, and the moment that it is to be brought to. */
export interface WantedRestore {
  backupId: string | undefined;
  recovery: RecoveryTargetFields | undefined;
}

/** The moment at which an incremental backup ends. */
export function endOfIncrement({ last_lsn: lsn }: Increment): RecoveryTargetFields {
  return { lsn, inclusive: true };
}

/**
 * Says what the restore of an incremental backup is: that of its base, brought to its end, or to the moment that is named as well. Any
 * other is what it was asked for, also when there is no such backup.
 *
 * @throws Refusal 400 for a mode in which no changes are repeated, and where rows are to be masked: changes are not
 */
export async function resolveRestore(
  table: StateTable,
  database: string,
  { backupId, recovery }: WantedRestore,
  { mode, masked }: { mode: RestoreMode; masked?: boolean | undefined },
): Promise<WantedRestore> {
  const backup = backupId === undefined ? null : await createBackupCatalog(table).find(backupId);
  if (backup?.database !== database || backup.status !== 'available' || !backup.increment)
    return { backupId, recovery };
  if (mode !== 'new' && mode !== 'beside') {
    throw invalidRequest([
      { field: 'body.mode', message: 'must be "new" or "beside" to restore an incremental backup' },
    ]);
  }
  if (masked) {
    throw invalidRequest([
      { field: 'body.masked', message: 'cannot go with an incremental backup: captured changes are not masked' },
    ]);
  }
  return { backupId: backup.increment.base, recovery: recovery ?? endOfIncrement(backup.increment) };
}
