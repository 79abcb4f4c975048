const FIRST_MS = 5 * 60_000;
const LONGEST_MS = 6 * 3_600_000;

/** How long to wait before something is tried again: not at all before the first time, then five minutes, twice as long each time, up to six hours. */
export function growingWaitMs(attempts: number): number {
  return attempts === 0 ? 0 : Math.min(LONGEST_MS, FIRST_MS * 2 ** (attempts - 1));
}
