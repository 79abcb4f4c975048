/**
 * Puts an item where it belongs in a sorted list, behind those that are equal to it.
 *
 * @param compare - as for `Array.prototype.sort`
 */
export function insertSorted<Item>(sorted: Item[], item: Item, compare: (a: Item, b: Item) => number): void {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (compare(sorted[middle] as Item, item) <= 0) low = middle + 1;
    else high = middle;
  }
  sorted.splice(low, 0, item);
}
