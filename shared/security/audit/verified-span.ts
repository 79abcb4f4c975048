import type { Verification } from '../../contract/schemas/audit-trail.ts';
import type { Item } from './check-chain.ts';

/** Of times and sort keys, which are in the order of texts; undefined for none. */
export function earliest(times: readonly string[]): string | undefined {
  return times.reduce<string | undefined>(
    (first, time) => (first === undefined || time < first ? time : first),
    undefined,
  );
}

/** Counts what is within the span. */
export function createCount(range: { first: string; last: string }) {
  const count = {
    records: 0,
    archived: 0,
    first: null as Verification['first'],
    last: null as Verification['last'],
    add({ sk, sequence, at, shard }: Item, isArchived: boolean): void {
      const key = String(sk);
      if (key < range.first || key > range.last) return;
      const place = {
        sequence: Number(sequence),
        at: String(at),
        ...(shard === undefined ? {} : { shard: Number(shard) }),
      };
      count.records += 1;
      if (isArchived) count.archived += 1;
      if (!count.first || place.at < count.first.at) count.first = place;
      if (!count.last || place.at >= count.last.at) count.last = place;
    },
  };
  return count;
}

/** The items of the table, next to the archive: of about the same time, as both are in the order of time but for clocks. */
export function createWindow(items: AsyncGenerator<Item>) {
  const seen = new Map<string, Item>();
  let ahead: Item | undefined;
  let isAtEnd = false;
  const next = async (): Promise<Item | undefined> => {
    if (ahead === undefined && !isAtEnd) {
      ahead = (await items.next()).value ?? undefined;
      isAtEnd = ahead === undefined;
    }
    return ahead;
  };
  return {
    /** The item with a key, which is then no longer looked for. */
    async take(key: string): Promise<Item | undefined> {
      for (let item = await next(); item && String(item.sk) <= key; item = await next()) {
        seen.set(String(item.sk), item);
        ahead = undefined;
      }
      const item = seen.get(key);
      seen.delete(key);
      return item;
    },
    /** All that were not taken; null when the time is over before. */
    async rest(timeIsOver: AbortSignal): Promise<Item[] | null> {
      for (let item = await next(); item; item = await next()) {
        if (timeIsOver.aborted) return null;
        seen.set(String(item.sk), item);
        ahead = undefined;
      }
      return timeIsOver.aborted ? null : [...seen.values()];
    },
  };
}
