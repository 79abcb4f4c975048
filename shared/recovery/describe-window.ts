import type { ObjectStore } from '../backup/objects/object-store.ts';
import type { Finding } from '../backup/restore/findings.ts';
import { clockSql } from '../changes/capture/slot.sql.ts';
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
import { findLeftovers } from '../changes/setup/remove.ts';
import { slotPrefix } from '../changes/setup/slot.ts';
import { toMicroseconds } from '../changes/window/recovery-target.ts';
import type { RecoveryWindow } from '../changes/window/recovery-window.ts';
import type { RecoveryWindowAnswer } from '../contract/schemas/recovery.ts';
import { OperationError } from '../errors.ts';
import type { ConnectionTarget } from '../postgres/connect.ts';
import { withConnection } from '../postgres/with-connection.ts';
import { createJobStore } from '../state/jobs.ts';
import { type Obstacle, type Recovery, readRecovery } from '../state/recovery.ts';
import type { StateTable } from '../state/table.ts';
import { listCandidates, nextTry } from './ensure-base.ts';
import { explainWindow, type WindowFacts } from './explain-window.ts';
import { unauthenticatedFinding } from './unauthenticated-alert.ts';
import { listWindows, type Window, type WindowSources } from './windows.ts';

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
  const {
    setup,
    gaps,
    health,
    left,
    now: serverTime,
  } = await askServer(database, target, place, isOn ? recovery.slot : null);
  const { windows, window, shown, endedBy, capturedAt } = await describeWindow(database, recovery, {
    store,
    table,
    signal,
  });
  const now = new Date();
  const problems = isOn ? [] : setup.problems.map(written);
  return {
    database,
    status: statusOf(recovery),
    ...explainWindow({
      recovery,
      window,
      earlier: shown === window ? null : shown,
      isEnded: endedBy !== null,
      problems: problems.length,
      candidate: recovery?.base_wanted && isOn ? await candidateOf(table, database) : null,
      captureMinutes,
      now,
    }),
    earliest: shown?.earliest ?? null,
    latest: shown?.latest ?? null,
    base: shown?.base ?? null,
    windows: windows.map(({ slot, base, earliest, latest, endedBy: end, isExact }) => ({
      ...{ earliest, latest, base, slot },
      ended_by: end && described(end),
      exact: isExact,
    })),
    captured_at: capturedAt,
    lag_seconds: lagOf(capturedAt, serverTime),
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
    ended_by: endedBy && described(endedBy),
    obstacles: (recovery?.obstacles ?? []).map(described),
    next_base: recovery && isOn && !recovery.pausing ? nextBase(recovery, shown !== null) : null,
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
      ...left,
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
  /** What is there though nothing is captured. */
  left: Finding[];
  /** By its clock; null where it was not asked. */
  now: string | null;
}

/** What the server says of itself. A pooler in its place is a problem among the others. */
async function askServer(
  database: string,
  target: ConnectionTarget,
  place: SetupPlace | undefined,
  slot: string | null,
): Promise<ServerFacts> {
  try {
    return await withConnection(
      target,
      { kind: 'administering', statementTimeoutMs: LOOK_TIMEOUT_MS },
      async (client) => ({
        setup: await checkSetup(client, place, slotPrefix(database)),
        gaps: await listCoverageGaps(client),
        health: slot === null ? null : await readSlotHealth(client, slot),
        now: (await client.query<{ captured_at: string }>(clockSql)).rows[0]?.captured_at ?? null,
        left: slot === null ? await findLeftovers(client, database) : [],
      }),
    );
  } catch (error) {
    if (!(error instanceof OperationError && error.code === 'server_needed') || slot !== null) throw error;
    const setup = { problems: [error], warnings: [], followsDefinitions: false };
    return { setup, gaps: [], health: null, left: [], now: null };
  }
}

/** How long ago, by the server's own clock alone. */
const lagOf = (capturedAt: string | null, now: string | null): number | null =>
  capturedAt === null || now === null
    ? null
    : Math.max(0, Math.round((Date.parse(now) - Date.parse(capturedAt)) / 1000));

/** The newest full backup that can be what the window waits for. */
async function candidateOf(table: StateTable, database: string): Promise<WindowFacts['candidate']> {
  const [backup] = await listCandidates(table, database);
  return backup ? { backup, job: await createJobStore(table).find(backup.job_id) } : null;
}

const described = ({ at, lsn, reason }: Obstacle) => ({ at: toMicroseconds(at), lsn, reason });

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

interface DescribedWindow {
  windows: Window[];
  /** Of the slot that is captured, or was last; null: none has begun. */
  window: RecoveryWindow | null;
  /** What is shown as the window: of an earlier slot where there is none. */
  shown: RecoveryWindow | null;
  /** What keeps moments after `latest` from being restored. */
  endedBy: Obstacle | null;
  /** Until when all that was committed is stored. */
  capturedAt: string | null;
}

async function describeWindow(
  database: string,
  recovery: Recovery | null,
  sources: WindowSources,
): Promise<DescribedWindow> {
  const windows = await listWindows(database, recovery, sources);
  const own = windows.filter(({ slot }) => slot === recovery?.slot);
  const last = windows.at(-1)?.slot;
  const covered = recovery?.covered?.time ?? null;
  if (own.length > 0) {
    const { window, endedBy } = summarize(own);
    const capturedAt = [window.latest.time, covered ?? ''].sort().at(-1) ?? null;
    return { windows, window, shown: window, endedBy, capturedAt };
  }
  if (last === undefined) return { windows, window: null, shown: null, endedBy: null, capturedAt: covered };
  const { window: shown } = summarize(windows.filter(({ slot }) => slot === last));
  return { windows, window: null, shown, endedBy: null, capturedAt: shown.latest.time };
}

/** The windows of one slot as one, which has gaps where a change of definitions cannot be repeated. */
function summarize(windows: readonly Window[]): { window: RecoveryWindow; endedBy: Obstacle | null } {
  const [first] = windows;
  if (!first) throw new Error('There is no window');
  // A new backup's own moment is no more than that while the changes before it are not stored.
  const isGap = ({ earliest, latest }: Window, index: number): boolean =>
    index > 0 && earliest === latest.time && windows[index - 1]?.endedBy === null;
  const last = windows.filter((window, index) => !isGap(window, index)).at(-1) ?? first;
  return {
    window: { base: first.base, earliest: first.earliest, latest: last.latest },
    endedBy: last.endedBy,
  };
}

const written = ({ code, message, nextStep }: Finding) => ({ code, message, next_step: nextStep });
