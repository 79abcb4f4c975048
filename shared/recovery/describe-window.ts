import type { ObjectStore } from '../backup/objects/object-store.ts';
import type { Finding } from '../backup/restore/findings.ts';
import type { GuardLimits } from '../changes/guard/decide.ts';
import { type ReadHealth, readSlotHealth } from '../changes/guard/guard.ts';
import {
  type CoverageGap,
  checkSetup,
  definitionsNotFollowed,
  listCoverageGaps,
  type SetupCheck,
  type SetupPlace,
} from '../changes/setup/check-setup.ts';
import { toMicroseconds } from '../changes/window/recovery-target.ts';
import { findRecoveryWindow, type RecoveryWindow, reachOf } from '../changes/window/recovery-window.ts';
import type { RecoveryWindowAnswer } from '../contract/schemas/recovery.ts';
import { OperationError } from '../errors.ts';
import type { ConnectionTarget } from '../postgres/connect.ts';
import { withConnection } from '../postgres/with-connection.ts';
import { createJobStore } from '../state/jobs.ts';
import { type Obstacle, type Recovery, readRecovery } from '../state/recovery.ts';
import type { StateTable } from '../state/table.ts';
import { type Base, listBases, readSnapshot } from './bases.ts';
import { listCandidates, nextTry } from './ensure-base.ts';
import { explainWindow, type WindowFacts } from './explain-window.ts';
import { basesOf } from './increment-possible.ts';
import { isAhead, latestBefore } from './obstacles.ts';
import { unauthenticatedFinding } from './unauthenticated-alert.ts';

export interface DescribeDependencies {
  target: ConnectionTarget;
  store: ObjectStore;
  table: StateTable;
  limits: GuardLimits;
  /** Minutes between two runs of the capture. */
  captureMinutes: number;
  /** By default a server of one's own. */
  place?: SetupPlace;
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
  { target, store, table, limits, captureMinutes, place, signal }: DescribeDependencies,
): Promise<RecoveryWindowAnswer> {
  const recovery = await readRecovery(table, database);
  const isOn = recovery !== null && recovery.closed === null;
  const { setup, gaps, health } = await askServer(target, place, isOn ? recovery.slot : null);
  const { window, endedBy, capturedAt } = recovery
    ? await describeWindow(recovery, { store, table, signal })
    : { window: null, endedBy: null, capturedAt: null };
  const now = new Date();
  const problems = isOn ? [] : setup.problems.map(written);
  return {
    database,
    status: statusOf(recovery),
    ...explainWindow({
      recovery,
      window,
      isEnded: endedBy !== null,
      problems: problems.length,
      candidate: recovery?.base_wanted && isOn ? await candidateOf(table, database) : null,
      captureMinutes,
      now,
    }),
    earliest: window && toMicroseconds(window.earliest),
    latest: window?.latest ?? null,
    base: window?.base ?? null,
    captured_at: capturedAt,
    lag_seconds: capturedAt === null ? null : Math.max(0, Math.round((now.getTime() - Date.parse(capturedAt)) / 1000)),
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
    next_base: recovery && isOn && !recovery.pausing ? nextBase(recovery, window !== null) : null,
    not_covered: gaps.map(({ table: of, reason, explanation }) => ({
      schema: of?.schema ?? null,
      table: of?.name ?? null,
      reason,
      explanation,
    })),
    // Of one that is on, such as that all slots are taken: by its own.
    problems,
    warnings: [
      ...setup.warnings,
      ...(isOn && setup.followsDefinitions && !recovery.follows_definitions ? [triggersRefused] : []),
      ...unauthenticatedFinding(recovery),
    ].map(written),
  };
}

/** The login seems to have what it takes now: it did not when the slot was made, or the server refused all the same. */
const triggersRefused = definitionsNotFollowed(
  'When point-in-time recovery was turned on, the server let the login create no event triggers',
  'Where it does now, turn point-in-time recovery off and on again to have them repeated instead.',
);

function statusOf(recovery: Recovery | null): RecoveryWindowAnswer['status'] {
  if (recovery === null) return 'off';
  if (recovery.closed) return recovery.closed.code === 'paused' ? 'paused' : 'closed';
  return recovery.pausing ? 'pausing' : 'on';
}

interface ServerFacts {
  setup: SetupCheck;
  gaps: CoverageGap[];
  health: ReadHealth | null;
}

/** What the server says of itself. A pooler in its place is a problem among the others. */
async function askServer(
  target: ConnectionTarget,
  place: SetupPlace | undefined,
  slot: string | null,
): Promise<ServerFacts> {
  try {
    return await withConnection(
      target,
      { kind: 'administering', statementTimeoutMs: LOOK_TIMEOUT_MS },
      async (client) => ({
        setup: await checkSetup(client, place),
        gaps: await listCoverageGaps(client),
        health: slot === null ? null : await readSlotHealth(client, slot),
      }),
    );
  } catch (error) {
    if (!(error instanceof OperationError && error.code === 'server_needed') || slot !== null) throw error;
    return { setup: { problems: [error], warnings: [], followsDefinitions: false }, gaps: [], health: null };
  }
}

/** The newest full backup that can be what the window waits for. */
async function candidateOf(table: StateTable, database: string): Promise<WindowFacts['candidate']> {
  const [backup] = await listCandidates(table, database);
  return backup ? { backup, job: await createJobStore(table).find(backup.job_id) } : null;
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
  /** Until when all that was committed is stored. */
  capturedAt: string | null;
}

/**
 * The window, as far as a change of definitions does not end it after the newest backup: from the oldest backup that the slot's changes
 * begin before. Those that were taken before the slot was made cannot be it.
 */
async function describeWindow(recovery: Recovery, { store, table, signal }: WindowSources): Promise<DescribedWindow> {
  const { database, slot, covered } = recovery;
  const of = { database, slot };
  const bases = basesOf(recovery, await listBases(table, database));
  const nothing = { window: null, endedBy: null, capturedAt: covered?.time ?? null };
  for (const base of bases) {
    const snapshot = await readSnapshot(store, base, signal);
    const window = await findRecoveryWindow(store, of, [{ id: base.id, snapshot }], signal, covered);
    if (!window) continue;
    const capturedAt = [window.latest.time, covered?.time ?? ''].sort().at(-1) ?? null;
    const endedBy = await obstacleAhead(recovery, bases, store, signal);
    if (!endedBy) return { window, endedBy, capturedAt };
    const latest = latestBefore(endedBy, window.latest);
    const own = toMicroseconds(window.earliest);
    // Only since when a change is known to be there may be before the backup: its own moment can be restored all the same.
    const clamped = latest.time < own ? { time: own, lsn: null } : latest;
    return { window: { ...window, latest: clamped }, endedBy, capturedAt };
  }
  return nothing;
}

/** The first change of definitions that cannot be repeated on the newest backup that the changes follow. */
async function obstacleAhead(
  { database, slot, obstacles, covered }: Recovery,
  bases: readonly Base[],
  store: ObjectStore,
  signal: AbortSignal,
): Promise<Obstacle | null> {
  if (obstacles.length === 0) return null;
  for (const base of bases.toReversed()) {
    const reach = await reachOf(store, { database, slot }, await readSnapshot(store, base, signal), covered, signal);
    if (reach) return obstacles.find((obstacle) => isAhead(obstacle, reach)) ?? null;
  }
  return null;
}

const written = ({ code, message, nextStep }: Finding) => ({ code, message, next_step: nextStep });
