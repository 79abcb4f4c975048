import type { Progress } from '../../contract/schemas/job.ts';
import { describeProgress } from '../../progress/progress.ts';
import type { ExportState, LaneProgress } from '../../state/exports.ts';
import type { ExportTask } from '../export/tasks.ts';
import type { Manifest } from '../manifest.ts';
import type { Result } from './work.ts';

/** What stored chunks are in a progress. A table counts with its last chunk; pieces of large objects are no rows. */
export function sumOfResults(results: Iterable<Result>, taskOf: (task: number) => ExportTask): LaneProgress {
  const sum = { bytes: 0, rows: 0, tables: 0 };
  for (const [number, chunk] of results) {
    const { table, last } = taskOf(number);
    sum.bytes += chunk.bytes;
    if (table !== null) sum.rows += chunk.rows;
    if (last) sum.tables += 1;
  }
  return sum;
}

/** How far a distributed backup has come: the sum over its lanes. */
export function progressOfExport({ plan, done, lanes }: ExportState, at: Date): Progress {
  const all = [done, ...Object.values(lanes)];
  const sum = (name: keyof typeof done): number => all.reduce((total, each) => total + each[name], 0);
  const bytes = sum('bytes');
  return describeProgress({
    phase: plan ? 'data' : 'snapshot',
    done: { tables: sum('tables'), rows: sum('rows'), bytes },
    totals: plan ?? { tables: null, rows: null, bytes: null },
    seconds: plan ? (at.getTime() - Date.parse(plan.planned_at)) / 1000 : 0,
    phaseBytes: bytes,
    at,
  });
}

/** The last words of a distributed backup: the totals, estimates until now, are what was done. */
export function finishedProgress({ tables, rows, bytes }: Manifest['totals'], at: Date): Progress {
  const done = { tables, rows, bytes };
  return describeProgress({ phase: 'finishing', done, totals: done, seconds: 0, phaseBytes: 0, at });
}
