import { readSlotHealth } from '../changes/guard/guard.ts';
import { OperationError } from '../errors.ts';
import { withConnection } from '../postgres/with-connection.ts';
import { type Recovery, readRecovery, recordKeptClosed, recordPausing } from '../state/recovery.ts';
import { type CloseDependencies, closeWindow } from './close-window.ts';
import { type StoreChangesDependencies, storeChanges } from './store-changes.ts';

export type PauseDependencies = CloseDependencies & StoreChangesDependencies;

/** More log than this is left to the next run of the capture, which has more time and memory. */
const MOST_AT_ONCE_BYTES = 33_554_432;
const LOOK_TIMEOUT_MS = 5_000;

/**
 * Pauses point-in-time recovery for an upgrade of the server: captures what has been committed, then drops the slot and the event triggers,
 * with which the upgrade would be refused. What is stored stays, and can be restored. Where there is more to capture than can be done at
 * once, the next runs do it, and it is paused then. A window that has ended by itself is kept so.
 *
 * @param by - who asks for it
 * @throws OperationError `nothing_to_pause`, or one of the connection or the store
 */
export async function pauseRecovery(database: string, by: string, dependencies: PauseDependencies): Promise<void> {
  const { table } = dependencies;
  const recovery = await readRecovery(table, database);
  if (!recovery) throw nothingToPause(database);
  if (recovery.closed) {
    if (recovery.closed.code !== 'paused') {
      const reason = `${recovery.closed.reason}. ${reasonOf(by)}`;
      await recordKeptClosed(table, recovery, { ...recovery.closed, reason, code: 'paused' });
    }
    return;
  }
  const pausing = recovery.pausing ?? { since: new Date().toISOString(), by };
  if (!(await recordPausing(table, recovery, pausing))) return;
  const health = await withConnection(
    dependencies.target,
    { kind: 'administering', statementTimeoutMs: LOOK_TIMEOUT_MS },
    (client) => readSlotHealth(client, recovery.slot),
  );
  if (health.walStatus === null || (health.behindBytes ?? Number.POSITIVE_INFINITY) > MOST_AT_ONCE_BYTES) return;
  const { caughtUp, status } = await storeChanges({ database, slot: recovery.slot }, true, dependencies);
  if (status === 'captured' && caughtUp) await endPause(database, dependencies);
}

/** Everything is captured: nothing is left of it on the server from now on. */
export async function endPause(database: string, dependencies: CloseDependencies): Promise<Recovery['closed']> {
  // How far it is captured was noted meanwhile.
  const recovery = await readRecovery(dependencies.table, database);
  if (!recovery?.pausing) return recovery?.closed ?? null;
  return closeWindow(recovery, { code: 'paused', reason: reasonOf(recovery.pausing.by) }, dependencies);
}

const reasonOf = (by: string): string => `Point-in-time recovery was paused for an upgrade by ${by}`;

function nothingToPause(database: string): OperationError {
  return new OperationError(
    'nothing_to_pause',
    `Point-in-time recovery of ${database} is off: there is nothing to pause, and nothing of it on the server`,
    'Go on with the upgrade. Other programs may have replication slots: see pg_replication_slots.',
  );
}
