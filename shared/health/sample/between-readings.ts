import type { MetricValues } from '../metrics.ts';
import { betweenStatements, estimatePercentile, meanTime } from './statement-times.ts';
import type { Counters, Reading } from './take-reading.ts';

/** What the next sample needs of this one. */
export type EarlierReading = Pick<Reading, 'at' | 'counters'>;

/** Likewise of the statements, which stay in a process' memory: there are too many to store. */
export type EarlierStatements = Pick<Reading, 'at' | 'statements'>;

/** Fewer transactions than this say nothing about the share that is rolled back, but that none was; the sampler makes some itself. */
const LEAST_TRANSACTIONS = 50;
/** Fewer pages than this say nothing about the cache, but that none was missing in it. */
const LEAST_PAGES = 1000;
/** Readings further apart than this are not compared: their difference would hide what happened between. Milliseconds. */
const LONGEST_GAP_MS = 2 * 3_600_000;

/** Counters that must not have gone back for two readings to be comparable. */
const ALWAYS_COUNTED = ['commits', 'rollbacks', 'deadlocks', 'temp_bytes', 'blocks_read', 'blocks_hit'] as const;

/** Whether the server has counted on from one reading to the other: it was not restarted and its statistics were not reset. */
export function isContinued(before: Counters, now: Counters): boolean {
  return (
    before.started === now.started &&
    before.reset === now.reset &&
    ALWAYS_COUNTED.every((name) => now[name] >= before[name])
  );
}

/**
 * The values that are differences of two readings: rates, shares, response times. After a restart, a reset of the statistics or
 * a long pause they are unknown until the next reading.
 */
export function betweenReadings(
  before: EarlierReading | null,
  beforeStatements: EarlierStatements | null,
  now: Reading,
): MetricValues {
  return { ...ofCounters(before, now), ...ofStatements(beforeStatements, now) };
}

/** Seconds between two readings; null when they are not to be compared. */
function secondsBetween(before: { at: number } | null, now: { at: number }): number | null {
  const gap = before === null ? 0 : now.at - before.at;
  return gap <= 0 || gap > LONGEST_GAP_MS ? null : gap / 1000;
}

function ofCounters(earlier: EarlierReading | null, { at, counters: now }: Reading): MetricValues {
  const seconds = secondsBetween(earlier, { at });
  const before = earlier?.counters;
  if (seconds === null || !before || !now || !isContinued(before, now)) return {};
  /** null where one of the two is unknown, or a counter of its own statistics was reset. */
  const difference = (name: keyof Counters): number | null => {
    const [from, to] = [before[name], now[name]];
    return from === null || to === null || to < from ? null : to - from;
  };
  const rate = (name: keyof Counters): number | null => {
    const counted = difference(name);
    return counted === null ? null : counted / seconds;
  };
  const transactions = (difference('commits') ?? 0) + (difference('rollbacks') ?? 0);
  const pages = (difference('blocks_hit') ?? 0) + (difference('blocks_read') ?? 0);
  const missing = shareOf(difference('blocks_read') ?? 0, pages, LEAST_PAGES);
  return {
    commits_per_second: rate('commits'),
    rollbacks_per_second: rate('rollbacks'),
    error_rate: shareOf(difference('rollbacks') ?? 0, transactions, LEAST_TRANSACTIONS),
    deadlocks: difference('deadlocks'),
    temp_files: difference('temp_files'),
    temp_bytes_per_second: rate('temp_bytes'),
    cache_hit_ratio: missing === null ? null : 1 - missing,
    wal_bytes_per_second: rate('wal_bytes'),
    checkpoints_timed: difference('checkpoints_timed'),
    checkpoints_requested: difference('checkpoints_requested'),
    read_bytes_per_second: rate('read_bytes'),
    written_bytes_per_second: rate('written_bytes'),
  };
}

/** The share of a whole; of one too small to say, null, unless the part is nothing: then whatever was bad is over. */
function shareOf(part: number, whole: number, least: number): number | null {
  if (part === 0) return 0;
  return whole < least ? null : part / whole;
}

function ofStatements(before: EarlierStatements | null, now: Reading): MetricValues {
  const seconds = secondsBetween(before, now);
  // A restart keeps the statements: they are written to disk at shutdown.
  if (seconds === null || !before?.statements || !now.statements) return {};
  const times = betweenStatements(before.statements, now.statements);
  const { calls, mean } = meanTime(times);
  return {
    queries_per_second: calls / seconds,
    response_time_ms: mean,
    response_time_p95_ms: estimatePercentile(times, 95),
  };
}
