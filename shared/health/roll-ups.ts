import { type MetricName, type MetricValues, metricNames } from './metrics.ts';

/** Least, sum, most and number of a metric's values within a period. */
export type Summary = [min: number, sum: number, max: number, count: number];
export type Summaries = Partial<Record<MetricName, Summary>>;

/** A period of samples. */
export interface RollUp {
  /** Its start, milliseconds since the epoch. */
  at: number;
  metrics: Summaries;
}

/**
 * How long the periods are into which samples are summed up, in seconds, and for how many hours of history each serves: samples
 * themselves serve shorter ones. So a history is read from some thousand items, however long it is.
 */
export const rollUpLevels = [
  { seconds: 600, upToHours: 14 * 24 },
  { seconds: 21_600, upToHours: Number.POSITIVE_INFINITY },
] as const;

/** The longest history that is read from the samples themselves. */
export const SAMPLES_UP_TO_HOURS = 6;

/** Adds the values of a sample to summaries. Unknown values add nothing. */
export function addValues(summaries: Summaries, values: MetricValues): Summaries {
  const added: Summaries = { ...summaries };
  for (const name of metricNames) {
    const value = values[name];
    if (typeof value !== 'number' || !Number.isFinite(value)) continue;
    added[name] = join(added[name], [value, value, value, 1]);
  }
  return added;
}

/** Joins the summaries of two periods. */
export function joinSummaries(one: Summaries, other: Summaries): Summaries {
  const joined: Summaries = { ...one };
  for (const name of metricNames) {
    const summary = other[name];
    if (summary) joined[name] = join(joined[name], summary);
  }
  return joined;
}

function join(one: Summary | undefined, other: Summary): Summary {
  if (!one) return other;
  return [Math.min(one[0], other[0]), one[1] + other[1], Math.max(one[2], other[2]), one[3] + other[3]];
}

/** The start of the period of so many seconds in which a time lies. Both in milliseconds since the epoch. */
export function periodStart(at: number, seconds: number): number {
  return Math.floor(at / (seconds * 1000)) * seconds * 1000;
}

/**
 * Adds a sample to the open period of a level.
 *
 * @returns the open period, and the one that the sample has closed, if it begins a new one
 */
export function addToPeriod(
  open: RollUp | null,
  at: number,
  values: MetricValues,
  seconds: number,
): { open: RollUp; closed: RollUp | null } {
  const start = periodStart(at, seconds);
  const continues = open !== null && open.at === start;
  return {
    open: { at: start, metrics: addValues(continues ? open.metrics : {}, values) },
    closed: continues ? null : open,
  };
}
