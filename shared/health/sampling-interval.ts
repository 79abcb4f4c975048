const MINUTE_SECONDS = 60;

/** Seconds from one sample to the next: what a minute, the shortest in which EventBridge starts anything, makes of the configured interval. */
export function secondsBetweenSamples(intervalSeconds: number): number {
  if (intervalSeconds >= MINUTE_SECONDS) return Math.round(intervalSeconds / MINUTE_SECONDS) * MINUTE_SECONDS;
  return MINUTE_SECONDS / Math.floor(MINUTE_SECONDS / intervalSeconds);
}

/**
 * When within a minute samples are taken, in seconds from its beginning. EventBridge starts nothing more often than each minute: all
 * rounds but the first wait in a queue, which costs less than a function that sleeps.
 */
export function roundsOfMinute(intervalSeconds: number): number[] {
  const between = secondsBetweenSamples(intervalSeconds);
  return Array.from({ length: Math.max(1, Math.round(MINUTE_SECONDS / between)) }, (_, index) => index * between);
}

/**
 * Whether a minute has samples at all. Intervals of more than a minute are kept in whole minutes, counted from the epoch, so that it does
 * not matter which function counts.
 *
 * @param now - milliseconds since the epoch
 */
export function isMinuteOfSamples(intervalSeconds: number, now: number): boolean {
  const minutes = Math.max(1, Math.round(secondsBetweenSamples(intervalSeconds) / MINUTE_SECONDS));
  return Math.round(now / (MINUTE_SECONDS * 1000)) % minutes === 0;
}

/**
 * Whether something that samples see has lasted for so many seconds. A sample comes somewhat before or after its time: the one that is
 * nearest to when it was due counts for it, so that one at 59.98 s of 60 is not left to the next at 90 s. It must be due when the time is
 * over, not before: of 65 s at 30 s between samples, one at 60.3 s does not count.
 *
 * @param lastedMs - from the first sample that saw it to the present one
 * @param between - see {@link secondsBetweenSamples}
 */
export function hasLasted(lastedMs: number, seconds: number, between: number): boolean {
  const due = Math.ceil(seconds / between) * between;
  return lastedMs >= Math.min(seconds, due - between / 2) * 1000;
}
