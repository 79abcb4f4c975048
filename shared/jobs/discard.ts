import type { ObjectStore } from '../backup/objects/object-store.ts';
import { discardDatabase } from '../backup/restore/restore-record.ts';
import { rowsLeft } from '../backup/restore/rows/restore-rows.ts';
import { takeBackRows } from '../backup/restore/rows/take-back.ts';
import { stagingName } from '../backup/restore/target-database.ts';
import type { ConnectionTarget } from '../postgres/connect.ts';
import type { RestoreEvent } from './events.ts';

interface Dependencies {
  target: ConnectionTarget;
  store: ObjectStore;
}

/**
 * Takes back what the job of a restore into existing tables has loaded, and what the failed job that it resumes has.
 *
 * @returns in words, what had to stay
 */
export function takeBackRestore(
  { database, backup_id: backupId, target_database, job_id, resumes }: RestoreEvent,
  { target, store }: Dependencies,
): Promise<string[]> {
  const place = { target, database: target_database, record: stagingName(resumes ?? job_id) };
  return takeBackRows(place, { store, database, backupId });
}

/**
 * Removes what a failed restore has left: its unfinished database, or the rows that could not be taken back when it failed.
 *
 * @param unfinished - the name of the database that the job speaks of
 * @throws OperationError `rows_left` when they still cannot be
 */
export async function discardRestore(
  event: RestoreEvent,
  unfinished: string,
  dependencies: Dependencies,
): Promise<void> {
  // The database is one that was there before: never is it dropped.
  if (event.mode !== 'data') return discardDatabase(dependencies.target, unfinished);
  const left = await takeBackRestore(event, dependencies);
  if (left.length > 0) throw rowsLeft(left, 'The restore failed');
}
