/** Lets any number of shared runs pass together, and an exclusive one only alone. */
export type Gate = {
  shared<T>(run: () => Promise<T>): Promise<T>;
  exclusive<T>(run: () => Promise<T>): Promise<T>;
};

export function createGate(): Gate {
  const running = new Set<Promise<unknown>>();
  let lastExclusive: Promise<unknown> = Promise.resolve();
  return {
    shared: async (run) => {
      await lastExclusive;
      const current = run();
      running.add(current);
      try {
        return await current;
      } finally {
        running.delete(current);
      }
    },
    exclusive: (run) => {
      const before = lastExclusive;
      const current = (async () => {
        await before;
        await Promise.allSettled(running);
        return run();
      })();
      lastExclusive = current.catch(() => undefined);
      return current;
    },
  };
}
