/** What a metric's values within one storage period (a second or a minute) add up to. */
export type Point = {
  /** Start of the storage period, milliseconds since 1970. */
  at: number;
  count: number;
  sum: number;
  min: number;
  max: number;
  /** Value and how often it came, for percentiles; empty once too many differ. */
  values: [number, number][];
};

export type Series = {
  namespace: string;
  name: string;
  dimensions: { Name: string; Value: string }[];
  unit: string;
  points: Point[];
};

/** The most points of a series that are kept: a week of minutes. */
const maxPoints = 10_080;
const maxValues = 150;

/** Adds a sample to a series and forgets the oldest points beyond the limit. */
export function addSample(series: Series, sample: Point): void {
  const { points } = series;
  let index = points.length;
  while (index > 0 && (points[index - 1]?.at ?? 0) > sample.at) index -= 1;
  const existing = points[index - 1];
  if (existing?.at === sample.at) points[index - 1] = merge([existing, sample]);
  else points.splice(index, 0, sample);
  if (points.length > maxPoints) points.splice(0, points.length - maxPoints);
}

function merge(points: readonly Point[]): Point {
  const values = points.every((point) => point.values.length > 0) ? points.flatMap((point) => point.values) : [];
  return {
    at: points[0]?.at ?? 0,
    count: points.reduce((total, { count }) => total + count, 0),
    sum: points.reduce((total, { sum }) => total + sum, 0),
    min: Math.min(...points.map(({ min }) => min)),
    max: Math.max(...points.map(({ max }) => max)),
    values: values.length <= maxValues ? values : [],
  };
}

/** The points from `start` (inclusive) to `end` (exclusive), both in milliseconds, gathered into periods of so many seconds. */
export function gather(series: Series, start: number, end: number, periodSeconds: number): Point[] {
  const period = periodSeconds * 1000;
  const groups = new Map<number, Point[]>();
  for (const point of series.points) {
    if (point.at < Math.floor(start / period) * period || point.at >= end) continue;
    const at = Math.floor(point.at / period) * period;
    groups.set(at, [...(groups.get(at) ?? []), point]);
  }
  return [...groups].map(([at, points]) => ({ ...merge(points), at }));
}

/** A statistic by CloudWatch's name: `Average`, `Sum`, `Minimum`, `Maximum`, `SampleCount` or a percentile such as `p95`. */
export function statistic(point: Point, name: string): number | undefined {
  switch (name) {
    case 'Average':
      return point.sum / point.count;
    case 'Sum':
      return point.sum;
    case 'Minimum':
      return point.min;
    case 'Maximum':
      return point.max;
    case 'SampleCount':
      return point.count;
    default:
      return percentile(point, Number(/^p(\d+(\.\d+)?)$/.exec(name)?.[1]));
  }
}

/** The nearest-rank percentile. */
function percentile({ values, count }: Point, percent: number): number | undefined {
  if (Number.isNaN(percent) || values.length === 0) return undefined;
  let seen = 0;
  for (const [value, times] of [...values].sort(([a], [b]) => a - b)) {
    seen += times;
    if (seen >= (percent / 100) * count) return value;
  }
  return undefined;
}
