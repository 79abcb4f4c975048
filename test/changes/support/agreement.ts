import { expect } from 'vitest';
import type { ObjectStore } from '../../../shared/backup/objects/object-store.ts';
import { compareLsn, type Lsn } from '../../../shared/changes/lsn.ts';
import { type ChangesOf, listSegments, readDescriptions } from '../../../shared/changes/segments/stored-segments.ts';
import { latestMoment } from '../../../shared/changes/window/coverage.ts';
import { type BaseSnapshot, type PlannedReplay, planReplay } from '../../../shared/changes/window/plan-replay.ts';
import { type RecoveryTarget, toMicroseconds } from '../../../shared/changes/window/recovery-target.ts';
import { reachOf } from '../../../shared/changes/window/recovery-window.ts';
import { OperationError } from '../../../shared/errors.ts';
import { isAhead, latestBefore } from '../../../shared/recovery/obstacles.ts';
import { findWithoutIdentity } from '../../../shared/recovery/without-identity.ts';

const signal = new AbortController().signal;

/** Tests write and restore within the second that is left for transactions that have their time already. */
const SETTLED_MS = 0;

interface Asked {
  store: ObjectStore;
  of: ChangesOf;
  base: BaseSnapshot;
  target: RecoveryTarget;
  /** Tables that the restore leaves out. */
  isLeftOut?: (table: { schema: string; name: string }) => boolean;
}

/**
 * Plans a restore to a moment as `restore/check` does, and asserts that a recovery window of the same base says the same of the moment.
 *
 * @throws OperationError of the check, which the window agrees with
 */
export async function planAlike(asked: Asked): Promise<PlannedReplay> {
  const { store, of, base, target, isLeftOut = () => false } = asked;
  let plan: PlannedReplay | null = null;
  let refusal: OperationError | null = null;
  try {
    plan = await planReplay(store, of, base, target, signal, { settledMs: SETTLED_MS });
  } catch (error) {
    if (!(error instanceof OperationError)) throw error;
    refusal = error;
  }
  const said = refusal?.code ?? 'accepted';
  expect(await windowOf(asked, plan), `a window and a check that says "${said}: ${refusal?.message}"`).toContain(said);
  if (!plan) throw refusal;
  const [table] = (await findWithoutIdentity(plan, { store, signal })).filter((each) => !isLeftOut(each));
  if (table) {
    throw new OperationError('no_replica_identity', `Rows of ${table.schema}.${table.name} cannot be told apart`, '');
  }
  return plan;
}

/** What a check may say, as the window has it. */
async function windowOf({ store, of, base, target }: Asked, plan: PlannedReplay | null): Promise<string[]> {
  const reach = await reachOf(store, of, base, null, signal, SETTLED_MS);
  if (!reach) return ['base_not_covered', 'target_before_base'];
  const ranges = await listSegments(store, of);
  const obstacles: { at: string; lsn: Lsn; xid: string; reason: string }[] = [];
  for await (const { definition_changes: changes } of readDescriptions(store, of, ranges, signal)) {
    for (const { committed_at: at, lsn, xid, obstacle: reason } of changes) {
      if (reason !== null) obstacles.push({ at, lsn, xid, reason });
    }
  }
  const stored = latestMoment(base, reach.stored);
  const obstacle = obstacles.find((each) => isAhead(each, reach));
  const latest = obstacle ? latestBefore(obstacle, stored) : stored;
  const earliest = toMicroseconds(base.taken_at);
  const { inclusive = true } = target;
  if ('time' in target) {
    const time = toMicroseconds(target.time);
    if (time < earliest) return ['target_before_base'];
    // What was committed just before the backup's moment and is in it.
    const inside = ['accepted', ...(time === earliest ? ['target_before_base'] : [])];
    if (time <= latest.time || time === earliest) return inside;
    if (time > stored.time) return ['target_not_covered'];
    return inclusive ? ['window_ends'] : ['window_ends', 'accepted'];
  }
  const at = 'lsn' in target ? target.lsn : plan?.lastCommit;
  // The check alone knows where a transaction was committed that it does not restore.
  if (at === undefined || at === null) {
    const refused = ['target_before_base', 'target_not_covered', ...(obstacle ? ['window_ends'] : [])];
    return plan ? ['accepted'] : refused;
  }
  if (compareLsn(at, reach.from) < 0) return ['target_before_base'];
  if (stored.lsn === null || compareLsn(at, stored.lsn) > 0) return ['target_not_covered'];
  const isInside = latest.lsn !== null && compareLsn(at, latest.lsn) <= 0;
  if (isInside) return ['accepted', 'target_before_base'];
  return inclusive ? ['window_ends'] : ['window_ends', 'accepted'];
}
