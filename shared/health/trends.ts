import { DAY_MS } from '../time.ts';
import type { MetricName, MetricValues } from './metrics.ts';
import { periodStart, type RollUp } from './roll-ups.ts';

/** A straight line through points: y = level + slope (x - now). */
export interface Fit {
  /** Per day. */
  slope: number;
  /** Of the line, at the last point. */
  level: number;
  /** Coefficient of determination, from 0 (no line at all) to 1 (all points on it). */
  confidence: number;
  points: number;
}

/** Fewer points than this are no trend: two hours of periods of ten minutes. */
const LEAST_POINTS = 12;
/** A fit of less confidence says nothing about the days to come. */
const LEAST_CONFIDENCE = 0.8;
/** With even less there is no line any more: what was forecast by it is off. Between the two a forecast stays as it is. */
const NO_CONFIDENCE = 0.5;
/** A forecast of more days than this is no news; it stands for all that is not in sight. */
const MOST_DAYS = 3650;

type Point = readonly [at: number, value: number];

/** Ordinary least squares over points of (milliseconds, value). @returns null with too few points */
export function fitLine(points: readonly Point[]): Fit | null {
  const last = points.at(-1)?.[0];
  if (last === undefined || points.length < LEAST_POINTS) return null;
  const xs = points.map(([at]) => (at - last) / DAY_MS);
  const ys = points.map(([, value]) => value);
  const [meanX, meanY] = [mean(xs), mean(ys)];
  const sumOf = (term: (x: number, y: number) => number): number =>
    xs.reduce((sum, x, index) => sum + term(x - meanX, (ys[index] ?? 0) - meanY), 0);
  const [xx, xy, yy] = [sumOf((x) => x * x), sumOf((x, y) => x * y), sumOf((_, y) => y * y)];
  if (xx === 0) return null;
  const slope = xy / xx;
  return { slope, level: meanY - slope * meanX, confidence: yy === 0 ? 0 : xy ** 2 / (xx * yy), points: points.length };
}

/** Days until the line of a fit reaches a limit: ten years when it does not head there, null when that is not known with confidence. */
export function daysUntil(limit: number, fit: Fit | null): number | null {
  if (fit === null) return null;
  if (fit.slope <= 0 || fit.confidence < NO_CONFIDENCE) return MOST_DAYS;
  if (fit.confidence < LEAST_CONFIDENCE) return null;
  return Math.min(MOST_DAYS, Math.max(0, (limit - fit.level) / fit.slope));
}

/** The most (or mean) of a metric in each period. */
function pointsOf(rollUps: readonly RollUp[], name: MetricName, which: 'max' | 'mean'): Point[] {
  return rollUps.flatMap(({ at, metrics }): Point[] => {
    const summary = metrics[name];
    if (!summary || summary[3] === 0) return [];
    return [[at, which === 'max' ? summary[2] : summary[1] / summary[3]]];
  });
}

/** Median absolute deviations to standard deviations of a normal distribution (Rousseeuw and Croux, 1993). */
const MAD_TO_DEVIATION = 1.4826;
/** A deviation is at least this share of the median: on a quiet database every twitch would be an anomaly. */
const LEAST_DEVIATION = 0.1;
const LEAST_DAYS = 3;
const HOUR_SECONDS = 3600;

/**
 * How far the last period is from what was usual in the same hour of past days, in robust standard deviations: above zero, more
 * than usual.
 *
 * @returns null with fewer than three days to compare with
 */
export function deviation(rollUps: readonly RollUp[], name: MetricName): number | null {
  const points = pointsOf(rollUps, name, 'mean');
  const last = points.at(-1);
  if (!last) return null;
  const hour = periodStart(last[0], HOUR_SECONDS);
  const past = points.filter(([at]) => {
    const before = hour - periodStart(at, HOUR_SECONDS);
    return before >= DAY_MS && before % DAY_MS === 0;
  });
  const days = new Set(past.map(([at]) => periodStart(at, HOUR_SECONDS)));
  if (days.size < LEAST_DAYS) return null;
  const usual = median(past.map(([, value]) => value));
  const spread = median(past.map(([, value]) => Math.abs(value - usual))) * MAD_TO_DEVIATION;
  const unit = Math.max(spread, Math.abs(usual) * LEAST_DEVIATION, Number.EPSILON);
  return (last[1] - usual) / unit;
}

/** Forecasts of when a share reaches the whole, and from which share on they are news: below it, it goes up and down. */
const forecasts = {
  days_until_disk_full: { of: 'disk_usage', from: 0.3 },
  days_until_connections_exhausted: { of: 'connection_usage', from: 0.3 },
  // Autovacuum freezes rows from 0.09 on, unless told otherwise.
  days_until_wraparound: { of: 'transaction_id_usage', from: 0.12 },
} as const satisfies Partial<Record<MetricName, { of: MetricName; from: number }>>;

/** The lines behind forecasts, by the forecast. */
export type Fits = Partial<Record<MetricName, Fit>>;

/** What the past periods, oldest first, say about the days to come and about what is unusual now. */
export function trendsOf(rollUps: readonly RollUp[]): { values: MetricValues; fits: Fits } {
  const values: MetricValues = {
    response_time_deviation: deviation(rollUps, 'response_time_ms'),
    query_rate_deviation: deviation(rollUps, 'queries_per_second'),
  };
  const fits: Fits = {};
  const growth = fitLine(pointsOf(rollUps, 'database_bytes', 'max'));
  values.growth_bytes_per_day = growth && growth.confidence >= LEAST_CONFIDENCE ? growth.slope : null;
  if (growth) fits.growth_bytes_per_day = growth;
  for (const [name, { of, from }] of Object.entries(forecasts)) {
    const fit = fitLine(pointsOf(rollUps, of, 'max'));
    const forecast = name as keyof typeof forecasts;
    if (fit) fits[forecast] = fit;
    values[forecast] = fit && fit.level < from ? MOST_DAYS : daysUntil(1, fit);
  }
  return { values, fits };
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const upper = sorted[middle] ?? 0;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? 0) + upper) / 2;
}
