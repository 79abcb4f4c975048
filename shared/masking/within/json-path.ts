/** One step of a path: the name of a member; null: any member, or any element of an array. */
export type PathStep = string | null;

const MOST_STEPS = 20;
const STEP = /\.(?:(\*)|"((?:[^"\\]|\\.)*)"|([^\s."*[\]]+))/y;

/**
 * Reads a path such as `$.contact.email`, `$.people.*.email` or `$."odd.name"`.
 *
 * @returns null when it is none
 */
export function readPath(path: string): PathStep[] | null {
  if (!path.startsWith('$.')) return null;
  const steps: PathStep[] = [];
  STEP.lastIndex = 1;
  while (STEP.lastIndex < path.length) {
    const match = STEP.exec(path);
    if (!match) return null;
    const [, any, quoted, plain] = match;
    try {
      steps.push(any ? null : (plain ?? JSON.parse(`"${quoted}"`)));
    } catch {
      return null;
    }
  }
  return steps.length > MOST_STEPS ? null : steps;
}

/** Writes a path as {@link readPath} reads it. */
export function writePath(steps: readonly PathStep[]): string {
  const written = steps.map((step) => {
    if (step === null) return '*';
    return /^[^\s."*[\]]+$/.test(step) ? step : JSON.stringify(step);
  });
  return ['$', ...written].join('.');
}
