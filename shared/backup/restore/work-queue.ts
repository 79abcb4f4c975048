import type pg from 'pg';

/** One thing to do on a session. */
export interface WorkItem {
  /** @returns warnings */
  run(client: pg.Client, signal: AbortSignal): Promise<string[]>;
  /** It is cut short by its signal, and is to be awaited; the server brings other items to an end without their client. */
  stops: boolean;
  done(): void;
}

/** Where items come from; what is ready may depend on what is done. */
export interface WorkSource {
  /** The next item to begin; undefined when none can begin now. */
  take(): WorkItem | undefined;
  readonly remaining: number;
}

/**
 * Works through a source on several sessions at a time. The first failure stops the taking of items and what can be stopped, and
 * is thrown once what runs has ended.
 *
 * @param signal - on abort, the server is left at work with what it goes on with by itself: the next attempt finds the outcome
 * @returns the warnings of all items
 */
export async function runWork(
  clients: readonly pg.Client[],
  source: WorkSource,
  signal: AbortSignal,
): Promise<string[]> {
  const idle = [...clients];
  const warnings: string[] = [];
  const stoppable = new Set<Promise<void>>();
  const stop = new AbortController();
  const combined = AbortSignal.any([signal, stop.signal]);
  let failure: { error: unknown } | undefined;

  let begin = (): void => undefined;
  await new Promise<void>((resolve) => {
    begin = () => {
      while (idle.length > 0 && !failure && !signal.aborted) {
        const item = source.take();
        if (!item) break;
        const client = idle.pop();
        if (!client) break;
        const running = item
          .run(client, combined)
          .then((found) => {
            warnings.push(...found);
          })
          .catch((error: unknown) => {
            failure ??= { error };
            stop.abort(error);
          })
          .finally(() => {
            item.done();
            idle.push(client);
            stoppable.delete(running);
            begin();
          });
        if (item.stops) stoppable.add(running);
      }
      if (idle.length !== clients.length && !signal.aborted) return;
      // Nobody works and nothing can begin: done, failed, or a circle of dependencies, which pg_dump never writes.
      if (source.remaining > 0)
        failure ??= { error: signal.reason ?? new Error('The items of work depend on each other in a circle') };
      resolve();
    };
    signal.addEventListener('abort', begin, { once: true });
    begin();
  });
  signal.removeEventListener('abort', begin);
  await Promise.allSettled(stoppable);
  if (failure) throw (failure as { error: unknown }).error;
  return warnings;
}
