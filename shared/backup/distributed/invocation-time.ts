/** The time of one invocation of a function; everything in milliseconds. */
export interface InvocationTime {
  /** Left now. */
  left(): number;
  /** That there was when the invocation began. */
  readonly whole: number;
}

/** @param left - `getRemainingTimeInMillis` of the invocation, asked at its beginning for the first time */
export function invocationTime(left: () => number): InvocationTime {
  return { left, whole: left() };
}

/** Kept for the end: closing connections, ending uploads, storing what was done. */
const CLOSING_SHARE = 0.05;
const LEAST_CLOSING_MS = 2000;

/** How long before its end an invocation stops what it does. */
export const closingTime = ({ whole }: Pick<InvocationTime, 'whole'>): number =>
  Math.max(LEAST_CLOSING_MS, whole * CLOSING_SHARE);

/** Aborts when nothing is left but the time for closing. The caller calls `clear`. */
export function closingSignal(time: InvocationTime): { signal: AbortSignal; clear(): void } {
  const closing = new AbortController();
  const timer = setTimeout(
    () => closing.abort(new DOMException('The time of the invocation is over', 'TimeoutError')),
    Math.max(0, time.left() - closingTime(time)),
  );
  return { signal: closing.signal, clear: () => clearTimeout(timer) };
}
