import type { Database } from '../configuration/runtime.ts';
import { OperationError } from '../errors.ts';
import type { StateTable } from '../state/table.ts';
import { isMetricName, type MetricName, metricNames, metricOf, sourceOf } from './metrics.ts';
import {
  addValues,
  joinSummaries,
  periodStart,
  rollUpLevels,
  SAMPLES_UP_TO_HOURS,
  type Summaries,
} from './roll-ups.ts';
import { readRollUps, readSamples } from './sample-store.ts';

/** Points of a series at most: as many as a chart can show. */
const MOST_POINTS = 150;
/** The lengths of periods that are given, in seconds; the least that keeps a series short enough is taken. */
const PERIODS = [30, 60, 120, 180, 300, 600, 1200, 1800, 3600, 7200, 21_600, 43_200, 86_400, 172_800];
/** Serves the longest retention that can be configured. */
const LONGEST_PERIOD = 604_800;
const HOUR_MS = 3_600_000;

export interface HistoryRequest {
  database: { id: string; kind: Database['kind'] };
  hours: number;
  /** All when empty. */
  names: readonly string[];
  retentionHours: number;
}

/**
 * The metrics of the last hours as series of at most 150 points, each with least, mean and most of its period. Periods without a
 * value have no point.
 *
 * @throws OperationError `unknown_metric`, or `beyond_retention` when samples are not kept for so many hours
 */
export async function readHistory(
  table: StateTable,
  { database, hours, names, retentionHours }: HistoryRequest,
  now = Date.now(),
) {
  if (hours > retentionHours) {
    throw new OperationError(
      'beyond_retention',
      `Samples are kept for ${retentionHours} hours`,
      'Ask for fewer hours, or raise retention.metrics_hours in the configuration.',
    );
  }
  const wanted = names.length === 0 ? metricNames : names.map(knownMetric);
  const from = now - hours * HOUR_MS;
  const level = hours > SAMPLES_UP_TO_HOURS ? rollUpLevels.find(({ upToHours }) => hours <= upToHours) : undefined;
  const least = Math.max(level?.seconds ?? 0, (hours * 3600) / MOST_POINTS);
  const period = PERIODS.find((seconds) => seconds >= least) ?? LONGEST_PERIOD;
  const periods = await readPeriods(table, { database: database.id, level: level?.seconds ?? null, from, now, period });
  return {
    database: database.id,
    from: new Date(from).toISOString(),
    to: new Date(now).toISOString(),
    period_seconds: period,
    series: wanted.map((name) => ({
      metric: name,
      title: metricOf(name).title,
      unit: metricOf(name).unit,
      source: sourceOf(name, database),
      points: periods.flatMap(([at, summaries]) => {
        const summary = summaries[name];
        if (!summary) return [];
        const [min, sum, max, count] = summary;
        return [{ at: new Date(at).toISOString(), min, mean: sum / count, max }];
      }),
    })),
  };
}

interface PeriodRequest {
  database: string;
  /** Seconds of the roll-ups that are read; null for samples alone. */
  level: number | null;
  from: number;
  now: number;
  period: number;
}

/** Summaries by period, oldest first. What is not yet in a roll-up is added from the samples. */
async function readPeriods(
  table: StateTable,
  { database, level, from, now, period }: PeriodRequest,
): Promise<[number, Summaries][]> {
  const periods = new Map<number, Summaries>();
  const add = (at: number, summaries: Summaries): void => {
    const start = periodStart(at, period);
    periods.set(start, joinSummaries(periods.get(start) ?? {}, summaries));
  };
  let samplesFrom = from;
  if (level !== null) {
    const rollUps = await readRollUps(table, database, level, from, now);
    for (const { at, metrics } of rollUps) add(at, metrics);
    const covered = (rollUps.at(-1)?.at ?? Number.NEGATIVE_INFINITY) + level * 1000;
    samplesFrom = Math.max(covered, now - SAMPLES_UP_TO_HOURS * HOUR_MS);
  }
  for (const { at, values } of await readSamples(table, database, samplesFrom, now)) add(at, addValues({}, values));
  return [...periods].sort(([a], [b]) => a - b);
}

function knownMetric(name: string): MetricName {
  if (isMetricName(name)) return name;
  throw new OperationError('unknown_metric', `There is no metric ${name}`, `Use of: ${metricNames.join(', ')}.`);
}
