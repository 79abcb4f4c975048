import { type Recovery, recordRenewal } from '../state/recovery.ts';
import { beginWindow, type ChangeDependencies } from './change-recovery.ts';
import { growingWaitMs } from './growing-wait.ts';

/**
 * Makes a slot in place of one that was lost, when it is time. Its alert stays until a full backup is there.
 *
 * @returns false when there is nothing to make, not yet, or another run makes it
 * @throws OperationError as `beginWindow`; it is tried again, after a longer wait each time
 */
export async function renewSlot(recovery: Recovery, dependencies: ChangeDependencies): Promise<boolean> {
  const { database, closed, renew_at: at, turned_on_by: by } = recovery;
  const now = Date.now();
  if (!closed || at === null || now < Date.parse(at)) return false;
  const renewals = recovery.renewals + 1;
  const next = new Date(now + growingWaitMs(renewals)).toISOString();
  const isOurs = await recordRenewal(dependencies.table, { ...recovery, renew_at: at }, { renewals, renew_at: next });
  if (!isOurs) return false;
  await beginWindow(database, { by, renewals, reason: `The slot was lost: ${closed.reason}` }, dependencies);
  return true;
}
