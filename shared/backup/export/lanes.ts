/**
 * Works through `items` on `lanes` at a time; the next one is asked for when a lane is free. The first failure stops the taking of new items, aborts `signal`
 * of the work under way, and is thrown once every lane has ended.
 */
export async function runLanes<Item, Lane>(
  items: Iterable<Item>,
  lanes: number,
  {
    open,
    work,
    close,
    signal,
  }: {
    open: () => Promise<Lane>;
    work: (lane: Lane, item: Item, signal: AbortSignal) => Promise<void>;
    close: (lane: Lane) => Promise<void>;
    signal: AbortSignal;
  },
): Promise<void> {
  const stop = new AbortController();
  const combined = AbortSignal.any([signal, stop.signal]);
  const source = items[Symbol.iterator]();
  let failure: { error: unknown } | undefined;

  const run = async (): Promise<void> => {
    let lane: Lane | undefined;
    try {
      while (!combined.aborted) {
        const { done, value } = source.next();
        if (done) break;
        lane ??= await open();
        if (combined.aborted) break;
        await work(lane, value, combined);
      }
    } catch (error) {
      failure ??= { error };
      stop.abort(error);
    } finally {
      if (lane !== undefined) await close(lane).catch(() => undefined);
    }
  };
  await Promise.all(Array.from({ length: Math.max(1, lanes) }, run));
  if (failure) throw failure.error;
  signal.throwIfAborted();
}
