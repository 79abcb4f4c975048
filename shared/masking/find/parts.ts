import type { ColumnFacts } from '../column.ts';
import { readElements } from '../within/array-text.ts';
import { type PathStep, writePath } from '../within/json-path.ts';

/** Values of a column that belong together: all of them, or those at one path of its documents. */
export interface Part {
  /** null: the values are the column's own, or the elements of its arrays. */
  path: string | null;
  /** What the values are called. */
  name: string;
  values: string[];
}

/** Documents with names of members that are values themselves have paths without end. */
const MOST_PATHS = 200;
const MOST_DEPTH = 12;

/**
 * Takes apart what holds other values: arrays into elements, documents into the texts at each of their paths.
 *
 * @param kind - of the values
 * @param values - as the server writes them; what was cut off is not looked at
 */
export function partsOf(
  column: string,
  kind: ColumnFacts['kind'] | 'array' | 'xml',
  values: readonly string[],
): Part[] {
  if (kind === 'array') {
    return [{ path: null, name: column, values: values.flatMap((value) => attempt(() => readElements(value)) ?? []) }];
  }
  if (kind === 'xml') return partsOfXml(values);
  if (kind !== 'json') return [{ path: null, name: column, values: [...values] }];
  const parts = new Map<string, Part>();
  const collect = (value: unknown, steps: readonly PathStep[], name: string): void => {
    if (typeof value === 'string') {
      const path = writePath(steps);
      const known = parts.get(path);
      if (known) known.values.push(value);
      // What is at the top has no path.
      else if (steps.length > 0 && parts.size < MOST_PATHS) parts.set(path, { path, name, values: [value] });
    } else if (typeof value === 'object' && value !== null && steps.length < MOST_DEPTH) {
      for (const [key, below] of Object.entries(value)) {
        // An element is called as the array is.
        if (Array.isArray(value)) collect(below, [...steps, null], name);
        else collect(below, [...steps, key], key);
      }
    }
  };
  for (const value of values)
    collect(
      attempt(() => JSON.parse(value)),
      [],
      column,
    );
  return [...parts.values()];
}

/** A text between two tags, and the value of an attribute. Each ends at the next sign of its own, so that a scan is linear. */
const XML_TEXT = /<([\p{L}_][\p{L}\d_.:-]{0,100})[^<>]{0,1000}>([^<>]{1,1000})</gu;
const XML_ATTRIBUTE = /\s([\p{L}_][\p{L}\d_.:-]{0,100})\s?=\s?(?:"([^"<>]{1,1000})"|'([^'<>]{1,1000})')/gu;

/** The texts of XML by the names of their elements and attributes. Nothing is expanded: entities stay as they are written. */
function partsOfXml(values: readonly string[]): Part[] {
  const parts = new Map<string, Part>();
  const add = (qualified: string, value: string): void => {
    const name = qualified.replace(/^.*:/, '');
    const known = parts.get(name);
    if (known) known.values.push(value);
    else if (parts.size < MOST_PATHS && !/^xmlns$/i.test(qualified.replace(/:.*$/, ''))) {
      parts.set(name, { path: null, name, values: [value] });
    }
  };
  for (const value of values) {
    for (const [, name = '', text = ''] of value.matchAll(XML_TEXT)) if (text.trim() !== '') add(name, text);
    for (const [, name = '', double, single] of value.matchAll(XML_ATTRIBUTE)) add(name, double ?? single ?? '');
  }
  return [...parts.values()];
}

function attempt<Result>(read: () => Result): Result | null {
  try {
    return read();
  } catch {
    return null;
  }
}
