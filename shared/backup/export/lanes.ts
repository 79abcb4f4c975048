/**
 * Works through `items` on `lanes` at a time, in order. The first failure stops the taking of new items, aborts `signal`
 * of the work under way, and is thrown once every lane has ended.
 */
export async function runLanes<Item, Lane>(
  items: readonly Item[],
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
  let next = 0;
  let failure: { error: unknown } | undefined;

  const run = async (): Promise<void> => {
    let lane: Lane | undefined;
    try {
      while (next < items.length && !combined.aborted) {
        lane ??= await open();
        if (combined.aborted) break;
        const item = items[next++];
        if (item !== undefined) await work(lane, item, combined);
      }
    } catch (error) {
      failure ??= { error };
      stop.abort(error);
    } finally {
      if (lane !== undefined) await close(lane).catch(() => undefined);
    }
  };
  await Promise.all(Array.from({ length: Math.max(1, Math.min(lanes, items.length)) }, run));
  if (failure) throw failure.error;
  signal.throwIfAborted();
}
