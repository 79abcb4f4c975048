import { randomBytes } from 'node:crypto';
import type { BackupSettings } from '../../configuration/runtime.ts';
import type { ConnectionTarget } from '../../postgres/connect.ts';
import type { ExportPlan, ExportStore } from '../../state/exports.ts';
import { explainExportFailure } from '../export/explain-failure.ts';
import { runLanes } from '../export/lanes.ts';
import type { PreparedExport } from '../export/prepare.ts';
import { joinSnapshot } from '../export/snapshot.ts';
import { type ExportTask, exportTask, exportTasks, maskerOf } from '../export/tasks.ts';
import { writtenBy } from '../layout.ts';
import { type ObjectStore, writeObject } from '../objects/object-store.ts';
import type { LaneEvent } from './events.ts';
import { closingSignal, type InvocationTime } from './invocation-time.ts';
import { keepLaneReported } from './lane-report.ts';
import { chunkTooLarge, LAST_CHUNK_SHARE } from './limits.ts';
import { assertKept, exportOver, joinPublished } from './published-snapshot.ts';
import { type Result, readPlan, readResults, readShares, type Work, workOfExport } from './work.ts';

export interface LaneDependencies {
  exports: ExportStore;
  target: ConnectionTarget;
  store: ObjectStore;
  settings: Pick<BackupSettings, 'compression_level'>;
  time: InvocationTime;
  /** The key of a masked backup. */
  loadMaskingKey: () => Promise<Uint8Array>;
  /** Ends it: the job was cancelled. */
  signal: AbortSignal;
}

/** A chunk that had this share of the invocation and was not done will not be done in another one. */
const NEARLY_WHOLE = 0.85;

/**
 * Exports one lane's share of a round as far as the invocation's time goes. What an earlier invocation of the same share has
 * stored counts as done.
 *
 * @returns how many chunks of the share are left
 * @throws OperationError with the cause; what was stored until then is kept, nothing stays open, and no upload stays unfinished
 */
export async function exportShare(event: LaneEvent, dependencies: LaneDependencies): Promise<{ left: number }> {
  const { exports, store, time } = dependencies;
  const closing = closingSignal(time);
  const signal = AbortSignal.any([dependencies.signal, closing.signal]);
  try {
    const state = await exports.get(event.export_id);
    assertKept(state);
    if (state.ended || !state.plan) throw exportOver();
    const work = workOfExport(store, state);
    const prepared = await readPlan(work, signal);
    const share = (await readShares(work, event.round, signal))[event.lane] ?? [];
    const done = await readResults(work, signal, event.round, event.lane);
    const todo = share.filter((task) => !done.has(task));
    if (todo.length === 0) return { left: 0 };
    const exported = await exportTodo(event, todo, [...done], {
      ...dependencies,
      signal,
      closing: closing.signal,
      work,
      prepared,
      plan: state.plan,
    });
    return { left: todo.length - exported };
  } catch (error) {
    throw explainExportFailure(dependencies.signal.aborted ? dependencies.signal.reason : error);
  } finally {
    closing.clear();
  }
}

/** @returns how many were exported and stored */
async function exportTodo(
  event: LaneEvent,
  todo: readonly number[],
  done: readonly Result[],
  {
    exports,
    target,
    store,
    settings,
    time,
    signal,
    closing,
    work,
    prepared,
    plan,
    loadMaskingKey,
  }: LaneDependencies & { closing: AbortSignal; work: Work; prepared: PreparedExport; plan: ExportPlan },
): Promise<number> {
  const tasks = exportTasks(prepared);
  const taskOf = (number: number): ExportTask => {
    const task = tasks[number];
    if (!task) throw new Error(`The plan has no task ${number}`);
    return task;
  };
  const maskingKey = prepared.masking ? await loadMaskingKey() : null;
  const writer = randomBytes(6).toString('hex');
  const report = keepLaneReported({ ...event, writer }, done, { exports, work, time, taskOf });
  const writing = { compressionLevel: settings.compression_level };
  const begun = new Map<number, number>();
  try {
    await runLanes(untilLate(todo, time), plan.connections, {
      open: () => joinPublished(exports, event.export_id, (snapshotId) => joinSnapshot(target, snapshotId)),
      work: async (client, number, laneSignal) => {
        const task = taskOf(number);
        begun.set(number, time.left());
        const path = writtenBy(task.path, writer);
        const object = writeObject(store, work.location, path, { ...writing, signal: laneSignal });
        const onBytes = (bytes: number) => report.reading(number, bytes);
        const masker = maskerOf(prepared, task, maskingKey);
        const stored = await exportTask(client, task.sql, object, { onBytes, masker, signal: laneSignal });
        begun.delete(number);
        report.stored(number, stored);
      },
      close: (client) => client.end(),
      signal: AbortSignal.any([signal, report.over]),
    });
  } catch (error) {
    // Why the others were ended as well.
    if (report.over.aborted) throw report.over.reason;
    if (!closing.aborted) throw error;
    const [stuck] = [...begun].find(([, left]) => left >= time.whole * NEARLY_WHOLE) ?? [];
    if (stuck !== undefined) throw chunkTooLarge(taskOf(stuck), prepared);
  } finally {
    // Also of a lane that failed: what it has stored needs not be exported again.
    await report.close();
  }
  return report.count();
}

/** Items until the time for beginning another one is over. */
function* untilLate<Item>(items: readonly Item[], time: InvocationTime): Generator<Item> {
  for (const item of items) {
    if (time.left() < time.whole * LAST_CHUNK_SHARE) return;
    yield item;
  }
}
