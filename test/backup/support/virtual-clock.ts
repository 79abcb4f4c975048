import { setImmediate } from 'node:timers/promises';

export interface VirtualClock {
  /** Seconds since the beginning. */
  now(): number;
  /** Resolves when that many seconds have passed, or earlier once `until` resolves. */
  sleep(seconds: number, until?: Promise<unknown>): Promise<void>;
  /** Runs work, letting time pass whenever all of it sleeps. */
  run<Result>(work: Promise<Result>): Promise<Result>;
}

/** Time that passes only when everything waits for it: hours of work in a moment. */
export function virtualClock(): VirtualClock {
  let now = 0;
  const sleepers: { at: number; wake: () => void }[] = [];
  return {
    now: () => now,
    sleep: (seconds, until) =>
      new Promise((resolve) => {
        const sleeper = { at: now + Math.max(0, seconds), wake: resolve };
        const after = sleepers.findIndex(({ at }) => at > sleeper.at);
        sleepers.splice(after < 0 ? sleepers.length : after, 0, sleeper);
        void until?.then(() => {
          const index = sleepers.indexOf(sleeper);
          if (index >= 0) sleepers.splice(index, 1);
          resolve();
        });
      }),
    async run(work) {
      let ended = false;
      const outcome = work.finally(() => {
        ended = true;
      });
      for (;;) {
        await setImmediate();
        if (ended) return outcome;
        const next = sleepers.shift();
        if (!next) throw new Error('Everything waits for something other than time');
        now = next.at;
        next.wake();
      }
    },
  };
}
