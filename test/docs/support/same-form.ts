/** Values that are others each time: only that they are of the same form counts. */
const forms = [
  /^(bkp|job|alr)-[0-9A-HJKMNP-TV-Z]{26}$/,
  /^\d{4}-\d{2}-\d{2}T[\d:.]+Z$/,
  /^https?:\/\//,
  /^[0-9a-f]{32,}$/,
];

/**
 * In what a JSON answer differs from the one that a document shows: its fields must be there, texts and truths the same, but
 * for ids, times and addresses; of numbers and lists, that they are some.
 *
 * @param path - names the place in messages
 */
export function differencesOfForm(shown: unknown, given: unknown, path = 'answer'): string[] {
  if (Array.isArray(shown)) {
    if (!Array.isArray(given)) return [`${path} is no list`];
    return shown.length > 0 && given.length === 0
      ? [`${path} is empty`]
      : shown.slice(0, given.length).flatMap((each, at) => differencesOfForm(each, given[at], `${path}[${at}]`));
  }
  if (shown !== null && typeof shown === 'object') {
    if (given === null || typeof given !== 'object') return [`${path} is no object`];
    return Object.entries(shown).flatMap(([name, value]) =>
      name in given
        ? differencesOfForm(value, (given as Record<string, unknown>)[name], `${path}.${name}`)
        : [`${path}.${name} is not there`],
    );
  }
  if (typeof shown === 'number') return typeof given === 'number' ? [] : [`${path} is no number`];
  if (
    typeof shown === 'string' &&
    typeof given === 'string' &&
    forms.some((form) => form.test(shown) && form.test(given))
  )
    return [];
  return shown === given ? [] : [`${path} is ${JSON.stringify(given)}, shown as ${JSON.stringify(shown)}`];
}

/** The last JSON value of what a command wrote. */
export function lastJson(output: string): unknown {
  for (const line of output.trim().split('\n').reverse()) {
    try {
      return JSON.parse(line);
    } catch {
      // A line of another kind.
    }
  }
  throw new Error(`There is no JSON in ${output}`);
}
