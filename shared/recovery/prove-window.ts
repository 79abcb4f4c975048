import { backupLocation } from '../backup/location.ts';
import { readManifest } from '../backup/restore/prepare.ts';
import { readSchema } from '../backup/stored-schema.ts';
import { tellsOfDefinitions } from '../changes/capture/untold.ts';
import { compareLsn, type Lsn } from '../changes/lsn.ts';
import { type Rehearsal, type RehearsalDependencies, rehearse } from '../changes/rehearsal/rehearse.ts';
import { noteBlocker } from '../changes/segments/note-blocker.ts';
import { isSeen } from '../changes/transaction-ids.ts';
import { coveredUntil } from '../changes/window/coverage.ts';
import { type PlannedReplay, planReplay } from '../changes/window/plan-replay.ts';
import { reachOf } from '../changes/window/recovery-window.ts';
import { OperationError } from '../errors.ts';
import type { ConnectionTarget } from '../postgres/connect.ts';
import { readCatalog, readDefinitions } from '../postgres/definitions/catalog-seen.ts';
import { withConnection } from '../postgres/with-connection.ts';
import { type Recovery, readRecovery, recordObstacle, recordProven } from '../state/recovery.ts';
import { type Base, listBases, readSnapshot } from './bases.ts';
import { alertDefinitions } from './definitions-alert.ts';
import { basesOf } from './increment-possible.ts';
import { isAhead } from './obstacles.ts';
import type { AlertDependencies } from './window-alert.ts';

export interface ProveDependencies extends AlertDependencies, RehearsalDependencies {
  target: ConnectionTarget;
}

/** Longer than any rehearsal without rows should last, and far less than a function may. */
const REHEARSAL_MS = 120_000;
const LOOK_TIMEOUT_MS = 60_000;

/**
 * Rehearses the changes of definitions that were captured since the newest base of a window, where that was not done yet. The first that
 * cannot be repeated ends the window at once, and so do definitions that come out other than the source's: a new base is wanted then.
 *
 * @returns null where there was nothing to rehearse
 * @throws OperationError of the connection or the store; the next run does it
 */
export async function proveWindow(database: string, dependencies: ProveDependencies): Promise<Rehearsal | null> {
  const { table, store, signal } = dependencies;
  const recovery = await readRecovery(table, database);
  if (!recovery?.covered || recovery.closed || recovery.pausing || !recovery.follows_definitions) return null;
  const found = await findUnproven(recovery, recovery.covered.lsn, dependencies);
  if (!found) return null;
  const { base, plan, from } = found;
  const of = { database, slot: recovery.slot };
  const location = backupLocation(database, base.id);
  const manifest = await readManifest({ store, location }, signal);
  const schema = await readSchema(store, location, manifest, signal);
  const version = Math.floor(manifest.server_version / 10_000);
  const source = await readSource(recovery, dependencies);
  const ending = AbortSignal.any([signal, AbortSignal.timeout(REHEARSAL_MS)]);
  const result = await rehearse(
    { manifest, schema, plan, definitions: source?.definitions ?? null, version },
    { ...dependencies, signal: ending },
  ).catch((error: unknown): Rehearsal => {
    if (signal.aborted || error instanceof OperationError) throw error;
    return { outcome: 'unknown', reason: `The rehearsal was ended: ${(error as Error).message}` };
  });
  if (result.outcome !== 'blocked') {
    const isDone = result.outcome === 'unknown' || result.compared;
    if (isDone) {
      const reason = result.outcome === 'unknown' ? result.reason : null;
      await recordProven(table, of, {
        base: base.id,
        lsn: recovery.covered.lsn,
        at: recovery.covered.time,
        outcome: result.outcome,
        reason,
      });
    }
    return result;
  }
  const { reason, commit } = result;
  const change =
    commit === null
      ? await noteBlocker(
          store,
          of,
          { behind: from.lsn, change: { committed_at: from.at, xid: source?.xid ?? '0', obstacle: reason } },
          signal,
        )
      : await noteBlocker(store, of, { lsn: commit.lsn, reason }, signal);
  if (!change) return result;
  const obstacle = { at: change.committed_at, lsn: change.lsn, xid: change.xid, reason: change.obstacle };
  const now = new Date();
  await recordObstacle(table, database, obstacle, now);
  await alertDefinitions(dependencies, database, obstacle, now);
  return result;
}

interface Unproven {
  base: Base;
  plan: PlannedReplay;
  /** Until where all is known to be repeatable. */
  from: { lsn: Lsn; at: string };
}

/** The newest base that the changes follow, and what is to be repeated on it, when there are changes of definitions among it. */
async function findUnproven(
  recovery: Recovery,
  lsn: Lsn,
  { table, store, signal }: Pick<ProveDependencies, 'table' | 'store' | 'signal'>,
): Promise<Unproven | null> {
  const { database, slot, covered, proven, obstacles } = recovery;
  const of = { database, slot };
  for (const base of basesOf(recovery, await listBases(table, database)).reverse()) {
    const snapshot = await readSnapshot(store, base, signal);
    const reach = await reachOf(store, of, snapshot, covered, signal);
    if (!reach) continue;
    // The window ends before what would be rehearsed: a new base is on its way.
    if (obstacles.some((obstacle) => isAhead(obstacle, reach))) return null;
    const from = proven?.base === base.id ? proven : { lsn: reach.from, at: snapshot.taken_at };
    if (compareLsn(lsn, from.lsn) <= 0) return null;
    try {
      const plan = await planReplay(store, of, snapshot, { lsn }, signal, { covered });
      const first = plan.segments.findIndex(({ definition_changes: changes }) =>
        tellsOfDefinitions(
          changes.filter((each) => compareLsn(each.lsn, from.lsn) > 0 && !isSeen(plan.snapshot, BigInt(each.xid))),
        ),
      );
      if (first < 0) return null;
      // Where nothing was told, the capture has seen that nothing was changed.
      const before = plan.segments[first - 1];
      const isLater = before !== undefined && compareLsn(before.last_lsn, from.lsn) > 0;
      return { base, plan, from: isLater ? { lsn: before.last_lsn, at: coveredUntil(before) } : from };
    } catch (error) {
      if (error instanceof OperationError) return null;
      throw error;
    }
  }
  return null;
}

/** The source's definitions, when they are still those that were seen with the last changes that are captured. */
async function readSource({ catalog }: Recovery, { target }: Pick<ProveDependencies, 'target'>) {
  if (!catalog) return null;
  return withConnection(target, { kind: 'administering', statementTimeoutMs: LOOK_TIMEOUT_MS }, async (client) => {
    if ((await readCatalog(client, catalog)).fingerprint !== catalog.fingerprint) return null;
    const definitions = await readDefinitions(client);
    if ((await readCatalog(client, catalog)).fingerprint !== catalog.fingerprint) return null;
    const { rows } = await client.query<{ xid: string }>('SELECT pg_catalog.pg_current_xact_id()::text AS xid');
    return { definitions, xid: String(rows[0]?.xid) };
  });
}
