import type { ExportStore } from '../../state/exports.ts';
import { exportTasks, workOf } from '../export/tasks.ts';
import type { ObjectStore } from '../objects/object-store.ts';
import { sumOfResults } from './export-progress.ts';
import { divideWork } from './shares.ts';
import { readPlan, readResults, readShares, workOfExport, writeShares } from './work.ts';

/**
 * Divides what a round has left anew among all lanes: they do not get equally far. It reads just what that round stored, so that
 * the effort of all rounds together grows with the number of chunks.
 *
 * @param round - whose lanes have all ended
 * @returns how many chunks are left for the next round, and how many the round has exported
 */
export async function divideRound(
  id: string,
  round: number,
  { exports, store, signal }: { exports: ExportStore; store: ObjectStore; signal: AbortSignal },
): Promise<{ left: number; exported: number }> {
  const state = await exports.get(id);
  const work = workOfExport(store, state);
  const tasks = exportTasks(await readPlan(work, signal));
  const taskOf = (number: number) => {
    const task = tasks[number];
    if (!task) throw new Error(`The plan has no task ${number}`);
    return task;
  };
  const shares = await readShares(work, round, signal);
  const results = await readResults(work, signal, round);
  const left = shares.flat().filter((task) => !results.has(task));
  await writeShares(
    work,
    round + 1,
    divideWork(left, shares.length, (task) => workOf(taskOf(task))),
    signal,
  );
  const sum = sumOfResults(results, taskOf);
  const { done } = state;
  await exports.recordRound(id, round, {
    bytes: done.bytes + sum.bytes,
    rows: done.rows + sum.rows,
    tables: done.tables + sum.tables,
  });
  return { left: left.length, exported: results.size };
}
