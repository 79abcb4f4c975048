import type { ColumnFacts } from './column.ts';
import { type ColumnMask, type CopyMasker, createCopyMasker } from './copy-masker.ts';
import { createPrf, deriveKey } from './prf.ts';
import { isShuffle, type Mask, makeColumnMask } from './rules/registry.ts';
import { createShuffler } from './shuffler.ts';

/** A column whose values are to be masked, with all that it takes to do so. Plain data, so that it can be stored. */
export interface PlannedMask {
  column: string;
  mask: Mask;
  facts: ColumnFacts;
}

/**
 * The masker of one stretch of a table's rows; each stretch needs one of its own.
 *
 * @param columns - in the order of the rows' fields
 * @param masks - of the table; those of columns that the rows do not have are none of it
 * @returns null when nothing of the rows is masked
 */
export function createTableMasker(
  columns: readonly string[],
  masks: readonly PlannedMask[],
  maskingKey: Uint8Array,
): CopyMasker | null {
  const byName = new Map(masks.map((planned) => [planned.column, planned]));
  const planned = columns.map((column) => byName.get(column) ?? null);
  const shuffled = planned.flatMap((each, index) => (each && isShuffle(each.mask) ? [index] : []));
  const replaced = planned.map((each): ColumnMask | null =>
    each && !isShuffle(each.mask) ? makeColumnMask(each.mask, each.facts, maskingKey) : null,
  );
  const stages = [
    ...(replaced.some(Boolean) ? [createCopyMasker(replaced)] : []),
    ...(shuffled.length > 0 ? [createShuffler(shuffled, createPrf(deriveKey(maskingKey, 'shuffle')))] : []),
  ];
  const [first, second] = stages;
  if (!first || !second) return first ?? null;
  return { transform: (block) => second.transform(first.transform(block)) };
}
