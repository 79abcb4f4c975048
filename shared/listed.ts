/** Names that a message shows of many: enough to act on. */
const MAX_LISTED = 20;

/**
 * Names in one sentence: the first ones of many, and how many more there are.
 *
 * @param total - how many there are, where `names` were cut before; by default all are given
 */
export function listed(
  names: readonly string[],
  { total = names.length, separator = ', ' }: { total?: number; separator?: string } = {},
): string {
  const shown = names.slice(0, MAX_LISTED);
  const more = total - shown.length;
  return `${shown.join(separator)}${more > 0 ? ` and ${more} more` : ''}`;
}
