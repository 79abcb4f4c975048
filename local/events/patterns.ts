import { matches as matchesWildcard } from '../iam/pattern.ts';

/**
 * Whether an event fits an EventBridge event pattern: values, `prefix`, `suffix`, `wildcard`, `equals-ignore-case`, `exists`,
 * `anything-but` and `numeric`.
 *
 * @throws Error for a kind of comparison that is not known here, rather than matching what the deployed rule would not.
 */
export function matchesPattern(pattern: Readonly<Record<string, unknown>>, event: unknown): boolean {
  return Object.entries(pattern).every(([name, wanted]) => {
    const value = isObject(event) ? event[name] : undefined;
    if (Array.isArray(wanted)) return wanted.some((condition) => fits(condition, value));
    return isObject(wanted) && matchesPattern(wanted, value);
  });
}

function fits(condition: unknown, value: unknown): boolean {
  if (Array.isArray(value)) return value.some((each) => fits(condition, each));
  if (!isObject(condition)) return condition === value;
  return Object.entries(condition).every(([kind, argument]) => compare(kind, argument, value));
}

function compare(kind: string, argument: unknown, value: unknown): boolean {
  const text = typeof value === 'string' ? value : null;
  switch (kind) {
    case 'exists':
      return argument === (value !== undefined);
    case 'prefix':
      return text?.startsWith(String(argument)) ?? false;
    case 'suffix':
      return text?.endsWith(String(argument)) ?? false;
    case 'wildcard':
      return text !== null && matchesWildcard(String(argument), text);
    case 'equals-ignore-case':
      return text?.toLowerCase() === String(argument).toLowerCase();
    case 'anything-but':
      return (
        value !== undefined && !(Array.isArray(argument) ? argument : [argument]).some((each) => fits(each, value))
      );
    case 'numeric':
      return typeof value === 'number' && Array.isArray(argument) && numeric(argument, value);
    default:
      throw new Error(`An event pattern compares with "${kind}", which does not run locally`);
  }
}

function numeric(comparisons: readonly unknown[], value: number): boolean {
  const operators: Record<string, (limit: number) => boolean> = {
    '=': (limit) => value === limit,
    '<': (limit) => value < limit,
    '<=': (limit) => value <= limit,
    '>': (limit) => value > limit,
    '>=': (limit) => value >= limit,
  };
  for (let index = 0; index < comparisons.length; index += 2) {
    if (!operators[String(comparisons[index])]?.(Number(comparisons[index + 1]))) return false;
  }
  return true;
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
