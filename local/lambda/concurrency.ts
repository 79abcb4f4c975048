import { LambdaServiceError } from './errors.ts';

export type ConcurrencyOptions = {
  /** The account's quota of concurrent executions; by default as many as the machine bears. */
  readonly accountLimit?: number | undefined;
  /** Invocations of one function that this machine runs at the same time, where the function reserves no concurrency. */
  readonly perFunction?: number;
};

/** Who runs: the concurrency that Lambda gives to functions, of each and of all together. */
export type Concurrency = {
  /** Sets what functions reserve for themselves, which the others do not get. @throws Error as Lambda does when too little is left */
  readonly reserve: (reserved: ReadonlyMap<string, number>) => void;
  /**
   * Takes a place for one invocation, at once or when one is free.
   *
   * @param wait as the service's own queues do; otherwise the caller is told to come again
   * @returns what gives the place back
   * @throws LambdaServiceError TooManyRequestsException
   */
  readonly take: (functionName: string, wait: boolean) => Promise<() => void>;
  /** Lets everybody go who waits; see the caller for what they find. */
  readonly close: () => void;
  readonly accountLimit: () => number | undefined;
  readonly usage: () => {
    readonly running: number;
    readonly most: number;
    readonly throttled: ReadonlyMap<string, number>;
  };
};

export function createConcurrency({ accountLimit, perFunction = 16 }: ConcurrencyOptions = {}): Concurrency {
  let reserved: ReadonlyMap<string, number> = new Map();
  const running = new Map<string, number>();
  const throttled = new Map<string, number>();
  const waiting: { functionName: string; go: () => void }[] = [];
  let most = 0;

  const sum = (numbers: Iterable<number>) => [...numbers].reduce((total, each) => total + each, 0);
  const runningOf = (name: string) => running.get(name) ?? 0;
  const unreservedRunning = () => sum([...running].filter(([name]) => !reserved.has(name)).map(([, count]) => count));

  /** Why a function does not get another place; null: it does. */
  function obstacle(name: string): 'function' | 'account' | 'machine' | null {
    const own = reserved.get(name);
    if (own !== undefined) return runningOf(name) < own ? null : 'function';
    if (accountLimit !== undefined && unreservedRunning() >= accountLimit - sum(reserved.values())) return 'account';
    return runningOf(name) < perFunction ? null : 'machine';
  }

  function enter(name: string): () => void {
    running.set(name, runningOf(name) + 1);
    most = Math.max(most, sum(running.values()));
    let left = false;
    return () => {
      if (left) return;
      left = true;
      running.set(name, runningOf(name) - 1);
      admit();
    };
  }

  /** In their order, but nobody is kept waiting by a function that is at its own limit. */
  function admit(): void {
    for (let index = 0; index < waiting.length; ) {
      const next = waiting[index];
      if (next && obstacle(next.functionName) === null) {
        waiting.splice(index, 1);
        next.go();
      } else index += 1;
    }
  }

  return {
    reserve: (given) => {
      const least = Math.min(100, accountLimit ?? 100);
      const left = (accountLimit ?? Number.POSITIVE_INFINITY) - sum(given.values());
      if (given.size > 0 && left < least) {
        throw new Error(
          `Specified ReservedConcurrentExecutions for function decreases account's UnreservedConcurrentExecution below its minimum value of [${least}].`,
        );
      }
      reserved = given;
      admit();
    },
    take: async (name, wait) => {
      const reason = obstacle(name);
      if (reason === null) return enter(name);
      const isNever = reserved.get(name) === 0;
      if (isNever || (!wait && reason !== 'machine')) {
        throttled.set(name, (throttled.get(name) ?? 0) + 1);
        throw new LambdaServiceError(429, 'TooManyRequestsException', 'Rate Exceeded.');
      }
      return new Promise((resolve) => waiting.push({ functionName: name, go: () => resolve(enter(name)) }));
    },
    close: () => {
      for (const { go } of waiting.splice(0)) go();
    },
    accountLimit: () => accountLimit,
    usage: () => ({ running: sum(running.values()), most, throttled }),
  };
}
