import type { ObjectStore } from '../backup/objects/object-store.ts';
import type { Finding } from '../backup/restore/findings.ts';
import type { GuardLimits } from '../changes/guard/decide.ts';
import { readSlotHealth } from '../changes/guard/guard.ts';
import type { ChangesOf } from '../changes/segments/stored-segments.ts';
import { checkSetup, listCoverageGaps } from '../changes/setup/check-setup.ts';
import { parseSnapshot } from '../changes/transaction-ids.ts';
import { findBeginning } from '../changes/window/find-beginning.ts';
import { toMicroseconds } from '../changes/window/recovery-target.ts';
import { findRecoveryWindow, type RecoveryWindow } from '../changes/window/recovery-window.ts';
import type { RecoveryWindowAnswer } from '../contract/schemas/recovery.ts';
import type { ConnectionTarget } from '../postgres/connect.ts';
import { withConnection } from '../postgres/with-connection.ts';
import { type Obstacle, type Recovery, readRecovery } from '../state/recovery.ts';
import type { StateTable } from '../state/table.ts';
import { type Base, listBases, readSnapshot } from './bases.ts';
import { nextTry } from './ensure-base.ts';
import { isAhead, latestBefore } from './obstacles.ts';

export interface DescribeDependencies {
  target: ConnectionTarget;
  store: ObjectStore;
  table: StateTable;
  limits: GuardLimits;
  signal: AbortSignal;
}

const LOOK_TIMEOUT_MS = 10_000;

/**
 * Says how a database's point-in-time recovery is: by what is noted, what is stored, and what the server says of itself.
 *
 * @throws OperationError of the connection or the store
 */
export async function describeRecovery(
  database: string,
  { target, store, table, limits, signal }: DescribeDependencies,
): Promise<RecoveryWindowAnswer> {
  const recovery = await readRecovery(table, database);
  const isOn = recovery !== null && recovery.closed === null;
  const found = await withConnection(
    target,
    { kind: 'administering', statementTimeoutMs: LOOK_TIMEOUT_MS },
    async (client) => ({
      setup: await checkSetup(client),
      gaps: await listCoverageGaps(client),
      health: isOn ? await readSlotHealth(client, recovery.slot) : null,
    }),
  );
  const { window, endedBy } = recovery
    ? await describeWindow(recovery, { store, table, signal })
    : { window: null, endedBy: null };
  const since = recovery?.captured_at ?? null;
  const { setup, gaps, health } = found;
  return {
    database,
    status: recovery === null ? 'off' : isOn ? 'on' : 'closed',
    earliest: window && toMicroseconds(window.earliest),
    latest: window?.latest ?? null,
    base: window?.base ?? null,
    captured_at: since,
    lag_seconds: since === null ? null : Math.max(0, Math.round((Date.now() - Date.parse(since)) / 1000)),
    slot:
      recovery && health
        ? {
            name: recovery.slot,
            state: health.walStatus ?? 'missing',
            retained_bytes: health.retainedBytes,
            limit_bytes: limits.mostRetainedBytes,
            behind_bytes: health.behindBytes,
          }
        : null,
    follows_definitions: recovery?.follows_definitions ?? null,
    closed: recovery?.closed ?? null,
    ended_by: endedBy && shown(endedBy),
    obstacles: (recovery?.obstacles ?? []).map(shown),
    next_base: recovery && isOn ? nextBase(recovery, window !== null) : null,
    not_covered: gaps.map(({ table: of, reason, explanation }) => ({
      schema: of?.schema ?? null,
      table: of?.name ?? null,
      reason,
      explanation,
    })),
    // Of one that is on, such as that all slots are taken: by its own.
    problems: isOn ? [] : setup.problems.map(written),
    warnings: setup.warnings.map(written),
  };
}

const shown = ({ at, lsn, reason }: Obstacle) => ({ at: toMicroseconds(at), lsn, reason });

/** A closed window's slot is gone; a backup would be of no use to it. */
function nextBase(recovery: Recovery, hasWindow: boolean): RecoveryWindowAnswer['next_base'] {
  if (!recovery.base_wanted) return null;
  const { attempts, at } = nextTry(recovery, new Date());
  return {
    reason: recovery.base_wanted.reason,
    attempts,
    next_try_at: at,
    explanation: hasWindow
      ? 'Moments until `latest` can be restored; later ones after the next full backup, which is begun by itself'
      : 'No moment can be restored yet: the window begins with the next full backup, which is begun by itself',
  };
}

type WindowSources = Pick<DescribeDependencies, 'store' | 'table' | 'signal'>;

interface DescribedWindow {
  window: RecoveryWindow | null;
  /** What keeps moments after `latest` from being restored. */
  endedBy: Obstacle | null;
}

/** The window, as far as a change of definitions does not end it after the newest backup. */
async function describeWindow(recovery: Recovery, sources: WindowSources): Promise<DescribedWindow> {
  const { database, slot, obstacles } = recovery;
  const { store, signal } = sources;
  // A minute for clocks that differ.
  const since = Date.parse(recovery.turned_on_at) - 60_000;
  const bases = (await listBases(sources.table, database)).filter((base) => Date.parse(base.snapshot_at) >= since);
  const window = await windowOf({ database, slot }, bases, sources);
  const newest = bases.at(-1);
  if (!window || !newest || obstacles.length === 0) return { window, endedBy: null };
  const snapshot = parseSnapshot((await readSnapshot(store, newest, signal)).transactions);
  const { from } = await findBeginning(store, { database, slot }, snapshot, signal);
  const endedBy = obstacles.find((obstacle) => isAhead(obstacle, { snapshot, from })) ?? null;
  if (!endedBy) return { window, endedBy };
  return { window: { ...window, latest: latestBefore(endedBy, window.latest) }, endedBy };
}

/** From the oldest backup that the slot's changes begin before. Those that were taken before the slot was made cannot be it. */
async function windowOf(
  { database, slot }: ChangesOf,
  bases: readonly Base[],
  { store, signal }: WindowSources,
): Promise<RecoveryWindow | null> {
  for (const base of bases) {
    const snapshot = await readSnapshot(store, base, signal);
    const window = await findRecoveryWindow(store, { database, slot }, [{ id: base.id, snapshot }], signal);
    // Right after a backup, no moment after it is known to be whole.
    if (window && toMicroseconds(window.earliest) <= window.latest.time) return window;
  }
  return null;
}

const written = ({ code, message, nextStep }: Finding) => ({ code, message, next_step: nextStep });
