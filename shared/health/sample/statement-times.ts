/** What a statement has taken so far, or within an interval. */
export interface StatementTimes {
  calls: number;
  /** Milliseconds. */
  total: number;
  /** Sum of the squares of all times. */
  squares: number;
}

export type Statements = ReadonlyMap<string, StatementTimes>;

/**
 * What each statement took between two readings. One that was not there before, or counts less than before, was new or forgotten
 * meanwhile: all it has counts.
 */
export function betweenStatements(before: Statements, now: Statements): StatementTimes[] {
  return [...now].flatMap(([id, times]) => {
    const earlier = before.get(id);
    const { calls, total, squares } =
      earlier && earlier.calls <= times.calls
        ? {
            calls: times.calls - earlier.calls,
            total: times.total - earlier.total,
            squares: times.squares - earlier.squares,
          }
        : times;
    return calls > 0 ? [{ calls, total: Math.max(0, total), squares: Math.max(0, squares) }] : [];
  });
}

/** Calls and mean time in milliseconds of all statements together; the mean of no calls is null. */
export function meanTime(times: readonly StatementTimes[]): { calls: number; mean: number | null } {
  const calls = times.reduce((sum, each) => sum + each.calls, 0);
  const total = times.reduce((sum, each) => sum + each.total, 0);
  return { calls, mean: calls > 0 ? total / calls : null };
}

/** Halvings of the interval that holds a percentile: to a millionth of its width. */
const HALVINGS = 20;

/**
 * Estimates a percentile of the times of all calls. The server keeps no histogram, but mean and deviation of each statement: each
 * is taken for a log-normal distribution with these two moments, and the percentile is that of their mixture, weighted by calls.
 * Times of one statement that have several humps are smoothed by this.
 *
 * @param percent - such as 95
 * @returns milliseconds; null without calls
 */
export function estimatePercentile(times: readonly StatementTimes[], percent: number): number | null {
  const { calls } = meanTime(times);
  if (calls === 0) return null;
  const parts = times.map(({ calls: count, total, squares }) => {
    const mean = Math.max(total / count, 1e-6);
    const variance = Math.max(0, squares / count - mean ** 2);
    const sigma = Math.sqrt(Math.log1p(variance / mean ** 2));
    return { weight: count / calls, mu: Math.log(mean) - sigma ** 2 / 2, sigma };
  });
  const below = (logTime: number): number =>
    parts.reduce((sum, { weight, mu, sigma }) => {
      if (sigma === 0) return sum + (logTime >= mu ? weight : 0);
      return sum + weight * normalBelow((logTime - mu) / sigma);
    }, 0);
  let low = Math.min(...parts.map(({ mu, sigma }) => mu - 6 * sigma));
  let high = Math.max(...parts.map(({ mu, sigma }) => mu + 6 * sigma));
  for (let step = 0; step < HALVINGS; step++) {
    const middle = (low + high) / 2;
    if (below(middle) < percent / 100) low = middle;
    else high = middle;
  }
  return Math.exp(high);
}

/** Share of a standard normal distribution below `x`: Abramowitz and Stegun, 26.2.17; its error is below 7.5e-8. */
function normalBelow(x: number): number {
  const t = 1 / (1 + 0.2316419 * Math.abs(x));
  const tail =
    (Math.exp(-(x ** 2) / 2) / Math.sqrt(2 * Math.PI)) *
    t *
    (0.31938153 + t * (-0.356563782 + t * (1.781477937 + t * (-1.821255978 + t * 1.330274429))));
  return x >= 0 ? 1 - tail : tail;
}
