/** Warnings kept with a job: enough to act on, and far below the size limit of its record. */
const MAX_WARNINGS = 100;
/** From how many objects on a warning that is the same for each of them becomes one. */
const MIN_GROUPED = 6;
/** Objects that such a warning names. */
const MAX_NAMED = 5;

/**
 * What a job keeps of its warnings. What was said of many objects one by one (`TABLE public.orders: permission denied`) becomes one
 * warning with their number and some of their names, where the first of them stood; of very many others the first ones are kept.
 */
export function keepWarnings(warnings: readonly string[]): string[] {
  const groups = new Map<string, string[]>();
  for (const warning of warnings) {
    const [object, reason] = partsOf(warning);
    if (object !== undefined) groups.set(reason, [...(groups.get(reason) ?? []), object]);
  }
  const told = new Set<string>();
  const grouped = warnings.flatMap((warning) => {
    const [object, reason] = partsOf(warning);
    const objects = groups.get(reason) ?? [];
    if (object === undefined || objects.length < MIN_GROUPED) return [warning];
    if (told.has(reason)) return [];
    told.add(reason);
    const named = objects.slice(0, MAX_NAMED).join(', ');
    return [`${objects.length} objects: ${reason} (${named} and ${objects.length - MAX_NAMED} more)`];
  });
  const more = grouped.length - MAX_WARNINGS;
  return more > 0 ? [...grouped.slice(0, MAX_WARNINGS), `... and ${more} more warnings`] : grouped;
}

/** The object that a warning begins with, in capitals as pg_dump names its kind, and what is said of it. */
function partsOf(warning: string): [object: string | undefined, reason: string] {
  const [, object, reason = warning] = /^([A-Z]+(?: [A-Z]+)* [^\n]+?): (.*)$/s.exec(warning) ?? [];
  return [object, reason];
}
