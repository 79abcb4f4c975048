import { turnOff } from '../changes/setup/turn-on.ts';
import type { ClosedCode } from '../contract/schemas/recovery.ts';
import type { ConnectionTarget } from '../postgres/connect.ts';
import { noteEndedWindow } from '../state/ended-windows.ts';
import { type Closed, type Recovery, recordClosed } from '../state/recovery.ts';
import { DAY_MS } from '../time.ts';
import { growingWaitMs } from './growing-wait.ts';
import { type AlertDependencies, alertWindowClosed, resolveCaptureAlert, resolveSlotAlert } from './window-alert.ts';

export interface CloseDependencies extends AlertDependencies {
  target: ConnectionTarget;
}

/**
 * Ends a window: the server keeps nothing of it from then on, and what is stored can still be restored. A slot that the server has lost is
 * made anew by a later run; anything else waits for an administrator, who may have meant it.
 *
 * @throws OperationError of the connection or the State table; a later run does it again
 */
export async function closeWindow(
  { database, slot, covered, obstacles, turned_on_at: since, ...recovery }: Recovery,
  { reason, code }: { reason: string; code: ClosedCode },
  dependencies: CloseDependencies,
): Promise<Closed> {
  const now = new Date();
  // Cleared away before it is said: what fails here, the next run does again. What the server does not let go keeps no WAL.
  const { left } = await turnOff(database, dependencies);
  // One that is lost again and again is made anew ever more seldom.
  const renewals = now.getTime() - Date.parse(since) > DAY_MS ? 0 : recovery.renewals;
  const said = left.map(({ message }) => `. Left in the database: ${message}`).join('');
  const closed: Closed = { at: now.toISOString(), reason: reason + said, code };
  await noteEndedWindow(dependencies.table, database, { slot, covered, obstacles, at: closed.at, reason });
  const renew_at = code === 'slot_lost' ? new Date(now.getTime() + growingWaitMs(renewals)).toISOString() : null;
  if (await recordClosed(dependencies.table, { database, slot }, { closed, renewals, renew_at })) {
    await alertWindowClosed(dependencies, database, closed, now);
    await resolveSlotAlert(dependencies, database, now);
    if (code === 'paused') await resolveCaptureAlert(dependencies, database, now);
  }
  return closed;
}
