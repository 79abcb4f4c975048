import { setTimeout } from 'node:timers/promises';
import type pg from 'pg';
import type { Progress } from '../../contract/schemas/job.ts';
import { OperationError } from '../../errors.ts';
import type { ConnectionTarget } from '../../postgres/connect.ts';
import { isSessionLost } from '../../postgres/session-errors.ts';
import type { ExportState, ExportStore } from '../../state/exports.ts';
import { closeHolder } from '../export/close-holder.ts';
import { explainExportFailure, snapshotLost } from '../export/explain-failure.ts';
import { lockTables, relaySnapshot, takeSnapshot } from '../export/snapshot.ts';
import type { ObjectStore } from '../objects/object-store.ts';
import type { HolderAnswer, HolderEvent } from './events.ts';
import { progressOfExport } from './export-progress.ts';
import { closingSignal, type InvocationTime } from './invocation-time.ts';
import { joinPublished } from './published-snapshot.ts';
import { holdFor, longestHold, mayLeave, otherTrack, watchOther } from './turns.ts';
import { readPlan, workOfExport } from './work.ts';

export interface HolderDependencies {
  exports: ExportStore;
  target: ConnectionTarget;
  store: ObjectStore;
  /** Takes the progress of the whole export now and then; only the first track reports. */
  report: (progress: Progress) => Promise<void>;
  time: InvocationTime;
  /** Ends it: the job was cancelled. */
  signal: AbortSignal;
  beatMs?: number;
}

const BEAT_MS = 1000;
/** A holder asks something of its session at every beat. The server ends the session of one that is gone. */
const SILENT_SESSION_SECONDS = 60;

interface Turn {
  holder: pg.Client;
  generation: number;
  /** Of `performance.now()`. */
  leavesAt: number;
}

/**
 * Keeps the snapshot of a distributed backup for the time of one invocation: takes it or joins it from the other track's holder,
 * exports it again, locks the plan's tables, and leaves when the other one holds all of that as well.
 */
export async function holdSnapshot(event: HolderEvent, dependencies: HolderDependencies): Promise<HolderAnswer> {
  const { exports, time } = dependencies;
  const closing = closingSignal(time);
  const signal = AbortSignal.any([dependencies.signal, closing.signal]);
  try {
    for (;;) {
      const state = await exports.get(event.export_id);
      if (state.ended || state.lost) return { status: 'ended' };
      const turn = await beginTurn(event, state, dependencies);
      try {
        const status = turn && (await holdTurn(event, turn, state, { ...dependencies, signal }));
        if (status) return { status };
      } finally {
        await closeHolder(turn?.holder);
      }
      await setTimeout(dependencies.beatMs ?? BEAT_MS, undefined, { signal });
    }
  } catch (error) {
    if (dependencies.signal.aborted) return { status: 'ended' };
    if (closing.signal.aborted) return { status: 'relay' };
    throw error;
  } finally {
    closing.clear();
  }
}

/** Begins to hold; null when that has to wait. Marks the snapshot as lost where it is. */
async function beginTurn(
  { export_id: id, track }: HolderEvent,
  state: ExportState,
  { exports, target, time }: HolderDependencies,
): Promise<Turn | null> {
  const isFirst = state.snapshot === null;
  if (isFirst && track !== 'a') return null;
  const other = state.holders[otherTrack(track)];
  const longest = Math.min(longestHold(time), time.left() / 1000);
  const leaves_in = holdFor(other?.leaves_in ?? null, longest);
  let holder: pg.Client | undefined;
  try {
    let generation = 1;
    if (isFirst) {
      const taken = await takeSnapshot(target);
      holder = taken.holder;
      if (!(await exports.begin(id, track, { snapshot_id: taken.id, leaves_in }, taken.facts))) {
        await closeHolder(holder);
        return null;
      }
    } else {
      const relayed = await joinPublished(exports, id, (snapshotId) => relaySnapshot(target, snapshotId));
      holder = relayed.holder;
      generation = await exports.publish(id, track, { snapshot_id: relayed.id, leaves_in });
    }
    await holder.query(`SET idle_in_transaction_session_timeout = '${SILENT_SESSION_SECONDS}s'`);
    return { holder, generation, leavesAt: performance.now() + leaves_in * 1000 };
  } catch (error) {
    await closeHolder(holder);
    const lost = isFirst || (error as { code?: string }).code === 'snapshot_lost';
    await complain(exports, id, error, lost);
    return null;
  }
}

/** Holds until the turn is over. @returns null when the session was lost and has to be begun again */
async function holdTurn(
  { export_id: id, track }: HolderEvent,
  { holder, generation, leavesAt }: Turn,
  begun: ExportState,
  { exports, store, report, signal, beatMs = BEAT_MS }: HolderDependencies,
): Promise<HolderAnswer['status'] | null> {
  const watch = watchOther(track);
  let state: ExportState | null = begun;
  let locked = false;
  for (let beat = 1; ; beat++) {
    const leaves_in = (leavesAt - performance.now()) / 1000;
    // The session matters, not its record: a state that cannot be reached for a while ends nothing.
    const last: ExportState | null = state;
    state = await exports.beat(id, track, { generation, beat, leaves_in, locked }).catch(() => last);
    if (!state) return 'relay';
    if (state.ended || state.lost) return 'ended';
    const sight = watch(state);
    try {
      if (state.plan && !locked) {
        await lockTables(holder, (await readPlan(workOfExport(store, state), signal)).tables);
        locked = true;
        continue;
      }
      await answerOf(holder, signal);
    } catch (error) {
      signal.throwIfAborted();
      const otherHasLocks = sight === 'there' && state.holders[otherTrack(track)]?.locked === true;
      const isHopeless = state.plan !== null && !locked && !otherHasLocks && !isSessionLost(error);
      await complain(exports, id, error, isHopeless || (error as { code?: string }).code === 'table_changed');
      return null;
    }
    if (leaves_in <= 0 && mayLeave(state, track, sight)) return 'relay';
    if (track === 'a' && state.plan && !state.finishing)
      await report(progressOfExport(state, new Date())).catch(() => undefined);
    await setTimeout(beatMs, undefined, { signal });
  }
}

/** A session that answers nothing for so long is lost: a network was cut, say. */
const ANSWER_MS = 30_000;

/** Asks something of a session. @throws Error when it is lost, or when `signal` is aborted */
async function answerOf(holder: pg.Client, signal: AbortSignal): Promise<void> {
  const answered = new AbortController();
  const tooLate = setTimeout(ANSWER_MS, undefined, { signal: AbortSignal.any([signal, answered.signal]) }).then(() => {
    throw new Error('Connection terminated: the server answered nothing');
  });
  tooLate.catch(() => undefined);
  try {
    const answer = holder.query('SELECT 1');
    answer.catch(() => undefined);
    await Promise.race([answer, tooLate]);
  } finally {
    answered.abort();
  }
}

/** Records what went wrong. @param lost - nobody can hold the snapshot any more */
async function complain(exports: ExportStore, id: string, error: unknown, lost: boolean): Promise<void> {
  const cause = isSessionLost(error) ? snapshotLost() : explainExportFailure(error);
  if (!(cause instanceof OperationError)) throw cause;
  const { code, message, nextStep } = cause;
  // That it is lost is what follows from what another holder complained of before.
  const isNews = code !== 'snapshot_lost' || isSessionLost(error) || (await exports.get(id)).trouble === null;
  if (isNews) await exports.recordTrouble(id, { code, message, next_step: nextStep });
  if (lost) await exports.markLost(id);
}
