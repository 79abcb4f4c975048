import { compareLsn, type Lsn } from '../lsn.ts';
import type { SegmentRange } from '../segments/layout.ts';

/**
 * Follows segments from a position, each beginning where the one before ends. A run that was ended early may have left segments that
 * overlap: of those the one that reaches furthest is taken.
 *
 * @param ranges - in the order of their beginnings
 * @returns as far as there is no gap
 */
export function followSegments(ranges: readonly SegmentRange[], from: Lsn): SegmentRange[] {
  const chain: SegmentRange[] = [];
  let position = from;
  let index = 0;
  for (;;) {
    let furthest: SegmentRange | undefined;
    for (; index < ranges.length; index += 1) {
      const range = ranges[index];
      if (!range || compareLsn(range.firstLsn, position) > 0) break;
      if (compareLsn(range.lastLsn, furthest?.lastLsn ?? position) > 0) furthest = range;
    }
    if (!furthest) return chain;
    chain.push(furthest);
    position = furthest.lastLsn;
  }
}

/**
 * How many of the first items fulfil a condition that, from some item on, none does.
 *
 * @param test - asked about few of them
 */
export async function countLeading<Item>(
  items: readonly Item[],
  test: (item: Item) => Promise<boolean>,
): Promise<number> {
  let low = 0;
  let high = items.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (await test(items[middle] as Item)) low = middle + 1;
    else high = middle;
  }
  return low;
}
