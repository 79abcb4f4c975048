/**
 * Small items that are fetched before they are wanted: each takes a round trip or two, whatever its size, and a database may have
 * tens of thousands.
 */
export interface ReadAhead<Item> {
  /** An item's bytes, if it is one that was fetched. Items are asked for in the order in which they were given. */
  take(item: Item): Promise<Buffer> | undefined;
  /** Waits for what is being fetched and forgets it. */
  close(): Promise<void>;
}

/**
 * @param items - those that are small enough, in the order in which they will be wanted
 * @param depth - how many are fetched at a time
 */
export function readAhead<Item>(
  items: readonly Item[],
  depth: number,
  fetch: (item: Item) => Promise<Buffer>,
): ReadAhead<Item> {
  const fetched = new Map<Item, Promise<Buffer>>();
  const wanted = new Set(items);
  let next = 0;
  const fill = (): void => {
    while (fetched.size < depth && next < items.length) {
      const item = items[next++] as Item;
      const bytes = fetch(item);
      // Thrown where it is awaited, if it ever is.
      bytes.catch(() => undefined);
      fetched.set(item, bytes);
    }
  };
  return {
    take(item) {
      if (!wanted.has(item)) return undefined;
      fill();
      const bytes = fetched.get(item);
      fetched.delete(item);
      fill();
      return bytes;
    },
    async close() {
      next = items.length;
      await Promise.allSettled(fetched.values());
      fetched.clear();
    },
  };
}
