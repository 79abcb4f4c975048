import type { ExportStore } from '../../state/exports.ts';
import type { ExportTask } from '../export/tasks.ts';
import type { StoredChunk } from '../manifest.ts';
import type { LaneEvent } from './events.ts';
import { sumOfResults } from './export-progress.ts';
import type { InvocationTime } from './invocation-time.ts';
import { exportOver, lostBy } from './published-snapshot.ts';
import { type Result, type Work, writeResults } from './work.ts';

/** Of the invocation: what a lane that is ended loses at most of its work. */
const STORE_SHARE = 0.05;
const LEAST_STORE_MS = 1000;
const LOOK_MS = 2000;
/** For the last words of a lane, in milliseconds. */
const LAST_STORE_MS = 20_000;

export interface LaneReport {
  /** Aborted when the backup has ended, or nobody holds its snapshot any more. */
  readonly over: AbortSignal;
  /** Bytes of a task were read; they count as soon as they are. */
  reading(task: number, bytes: number): void;
  stored(task: number, chunk: StoredChunk): void;
  /** How many tasks were stored here. */
  count(): number;
  /**
   * Stores what is not stored yet.
   *
   * @throws OperationError when that fails: then it is not done
   */
  close(): Promise<void>;
}

/** Stores now and then what a lane has exported, tells how far it is, and watches whether the backup goes on. */
export function keepLaneReported(
  { export_id: id, round, lane, writer }: LaneEvent & { writer: string },
  before: readonly Result[],
  {
    exports,
    work,
    time,
    taskOf,
  }: { exports: ExportStore; work: Work; time: InvocationTime; taskOf: (number: number) => ExportTask },
): LaneReport {
  const results: Result[] = [];
  const inFlight = new Map<number, number>();
  const over = new AbortController();
  let kept = 0;

  const store = async (signal: AbortSignal): Promise<void> => {
    const { length } = results;
    if (length === kept) return;
    await writeResults(work, { round, lane, writer }, results.slice(0, length), signal);
    kept = length;
  };
  const tell = async (): Promise<void> => {
    const { bytes, ...counts } = sumOfResults([...before, ...results], taskOf);
    const reading = [...inFlight.values()].reduce((sum, each) => sum + each, 0);
    const state = await exports.reportLane(id, lane, { ...counts, bytes: bytes + reading });
    if (state.lost) over.abort(lostBy(state));
    else if (state.ended) over.abort(exportOver());
  };
  const storing = repeated(Math.max(LEAST_STORE_MS, time.whole * STORE_SHARE), () =>
    store(AbortSignal.timeout(Math.ceil(time.whole))),
  );
  const telling = repeated(LOOK_MS, tell);

  return {
    over: over.signal,
    reading: (task, bytes) => void inFlight.set(task, (inFlight.get(task) ?? 0) + bytes),
    stored(task, chunk) {
      inFlight.delete(task);
      results.push([task, chunk]);
    },
    count: () => results.length,
    async close() {
      await Promise.all([storing(), telling()]);
      await store(AbortSignal.timeout(LAST_STORE_MS));
      inFlight.clear();
      await tell().catch(() => undefined);
    },
  };
}

/** Does something now and then, one at a time; a failure is made good by the next time. @returns ends it */
function repeated(milliseconds: number, work: () => Promise<void>): () => Promise<void> {
  let working: Promise<void> | undefined;
  const timer = setInterval(() => {
    working ??= work()
      .catch(() => undefined)
      .finally(() => {
        working = undefined;
      });
  }, milliseconds);
  return async () => {
    clearInterval(timer);
    await working;
  };
}
