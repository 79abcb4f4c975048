import type { Progress } from '../contract/schemas/job.ts';

/** Takes a progress as it is now; may be slow or fail without harm to the job. */
export type ReportProgress = (progress: Progress) => Promise<void>;

interface Totals {
  tables: number | null;
  rows: number | null;
  bytes: number | null;
}

/**
 * A progress in the form that a job has: with rate and time left, as far as anything can be said of them.
 *
 * @param seconds - since the phase began
 * @param phaseBytes - done in the phase
 */
export function describeProgress({
  phase,
  done,
  totals,
  seconds,
  phaseBytes,
  at,
}: {
  phase: string;
  done: Record<keyof Totals, number>;
  totals: Totals;
  seconds: number;
  phaseBytes: number;
  at: Date;
}): Progress {
  const bytesPerSecond = seconds > 0.5 && phaseBytes > 0 ? phaseBytes / seconds : null;
  const left = totals.bytes === null ? null : Math.max(0, totals.bytes - done.bytes);
  return {
    phase,
    tables: { done: done.tables, total: totals.tables },
    rows: { done: done.rows, total: totals.rows === null ? null : Math.max(totals.rows, done.rows) },
    bytes: { done: done.bytes, total: totals.bytes === null ? null : Math.max(totals.bytes, done.bytes) },
    bytes_per_second: bytesPerSecond === null ? null : Math.round(bytesPerSecond),
    seconds_left: bytesPerSecond === null || left === null ? null : Math.round(left / bytesPerSecond),
    updated_at: at.toISOString(),
  };
}

export interface ProgressMeter {
  /** Begins a phase; the rate is counted anew. */
  phase(name: string): void;
  total(totals: Partial<Totals>): void;
  /** Says that all is counted: the totals, estimates until now, become what was done. */
  settle(): void;
  add(done: Partial<Record<keyof Totals, number>>): void;
  snapshot(): Progress;
  /** Reports the last state and stops. */
  close(): Promise<void>;
}

/**
 * Counts what a job has done and reports it at most every `intervalMs`, one report at a time. A failing report is dropped:
 * progress is information, the job's end state is recorded elsewhere.
 */
export function startProgress(report: ReportProgress, intervalMs = 1000, now: () => number = Date.now): ProgressMeter {
  const done = { tables: 0, rows: 0, bytes: 0 };
  const totals: Totals = { tables: null, rows: null, bytes: null };
  let phase = 'starting';
  let phaseStarted = now();
  let phaseBytes = 0;
  let reporting: Promise<void> | undefined;
  let changed = true;

  const snapshot = (): Progress =>
    describeProgress({ phase, done, totals, seconds: (now() - phaseStarted) / 1000, phaseBytes, at: new Date(now()) });
  const send = (): void => {
    if (reporting || !changed) return;
    changed = false;
    reporting = report(snapshot())
      .catch(() => undefined)
      .finally(() => {
        reporting = undefined;
      });
  };
  const timer = setInterval(send, intervalMs);
  timer.unref();

  return {
    phase(name) {
      phase = name;
      phaseStarted = now();
      phaseBytes = 0;
      changed = true;
    },
    total(next) {
      Object.assign(totals, next);
      changed = true;
    },
    settle() {
      Object.assign(totals, done);
      changed = true;
    },
    add({ tables = 0, rows = 0, bytes = 0 }) {
      done.tables += tables;
      done.rows += rows;
      done.bytes += bytes;
      phaseBytes += bytes;
      changed = true;
    },
    snapshot,
    async close() {
      clearInterval(timer);
      await reporting;
      changed = true;
      send();
      await reporting;
    },
  };
}
