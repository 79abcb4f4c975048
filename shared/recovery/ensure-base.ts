import type { ObjectStore } from '../backup/objects/object-store.ts';
import { parseSnapshot } from '../changes/transaction-ids.ts';
import { findBeginning } from '../changes/window/find-beginning.ts';
import type { Backup } from '../contract/schemas/backup.ts';
import { OperationError } from '../errors.ts';
import { createBackupCatalog, isOfTheWhole } from '../state/backups.ts';
import { type Recovery, readRecovery, recordBaseTaken, recordBaseTried } from '../state/recovery.ts';
import type { StateTable } from '../state/table.ts';
import { DAY_MS } from '../time.ts';
import { readSnapshot } from './bases.ts';
import { resolveDefinitionsAlert } from './definitions-alert.ts';
import { growingWaitMs } from './growing-wait.ts';
import { isAhead } from './obstacles.ts';
import { type AlertDependencies, resolveWindowAlert } from './window-alert.ts';

/** Begins the job of a full backup. */
export type StartBase = (database: string) => Promise<void>;

export interface EnsureBaseDependencies extends AlertDependencies {
  store: ObjectStore;
  startBase: StartBase;
  signal: AbortSignal;
}

/** How far a full backup is that is wanted. `waiting`: it is tried again later. */
export type BaseState = 'taken' | 'running' | 'begun' | 'waiting';

/** Backups since one is wanted that are judged in a run, the newest first: one whose transactions outlived it may be before one that will do. */
const MOST_JUDGED = 5;

/** Whoever began it, and however it ends: a full backup of the whole database. */
const canBeBase = isOfTheWhole;

/** Backups that are a base, or will be one when they succeed, whatever has become of them; the newest first. */
export async function listCandidates(table: StateTable, database: string): Promise<Backup[]> {
  return (await createBackupCatalog(table).entries(database))
    .map(({ backup }) => backup)
    .filter(canBeBase)
    .sort((a, b) => Date.parse(b.created_at) - Date.parse(a.created_at));
}

/**
 * Sees to it that the window has a full backup to begin with: after recovery was turned on, after a slot was lost, and after a change of
 * definitions that cannot be repeated. One that anybody has begun since then will do. One that fails, or that cannot be a base because
 * transactions outlived it, is followed by another after a wait that grows.
 *
 * @returns null when none is wanted
 * @throws OperationError as `startBackup`, or of the store; a later run tries again
 */
export async function ensureBase(database: string, dependencies: EnsureBaseDependencies): Promise<BaseState | null> {
  const { table, startBase } = dependencies;
  const recovery = await readRecovery(table, database);
  const wanted = recovery?.base_wanted;
  if (!recovery || !wanted) return null;
  const now = new Date();
  const backups = await listCandidates(table, database);
  const since = backups.filter(
    ({ status, created_at: at }) => status === 'available' && Date.parse(at) >= Date.parse(wanted.since),
  );
  for (const backup of since.slice(0, MOST_JUDGED)) {
    if (!(await isBase(backup, recovery, dependencies))) continue;
    if (await recordBaseTaken(table, recovery, wanted.since)) {
      await resolveWindowAlert(dependencies, database, now);
      await resolveDefinitionsAlert(dependencies, database, now);
    }
    return 'taken';
  }
  // One that began earlier is waited for as well: two at a time would be a burden to the server.
  if (backups.some(({ status }) => status === 'running')) return 'running';
  const next = nextTry(recovery, now);
  if (Date.parse(next.at) > now.getTime()) return 'waiting';
  // Noted first: what fails, or is ended, between the two has had its try.
  const isOurs = await recordBaseTried(table, recovery, {
    base_attempts: next.attempts + 1,
    base_tried_at: now.toISOString(),
  });
  if (!isOurs) return 'waiting';
  await startBase(database);
  return 'begun';
}

/** How many backups were begun in a row, each within a day, and when the next can be. */
export function nextTry(
  { base_attempts, base_tried_at: tried }: Pick<Recovery, 'base_attempts' | 'base_tried_at'>,
  now: Date,
): { attempts: number; at: string } {
  if (tried === null || now.getTime() - Date.parse(tried) > DAY_MS) return { attempts: 0, at: now.toISOString() };
  const at = new Date(Date.parse(tried) + growingWaitMs(base_attempts)).toISOString();
  return { attempts: base_attempts, at };
}

/** Whether the slot's changes can be repeated on a backup, from the last change of definitions on that cannot be repeated. */
async function isBase(
  backup: Backup,
  { database, slot, obstacles }: Recovery,
  { store, signal }: Pick<EnsureBaseDependencies, 'store' | 'signal'>,
): Promise<boolean> {
  const snapshot = parseSnapshot((await readSnapshot(store, backup, signal)).transactions);
  try {
    const { from } = await findBeginning(store, { database, slot }, snapshot, signal);
    return !obstacles.some((obstacle) => isAhead(obstacle, { snapshot, from }));
  } catch (error) {
    if (error instanceof OperationError && error.code === 'base_not_covered') return false;
    throw error;
  }
}
