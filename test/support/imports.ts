import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';

/** The project's own files that a source file imports, as absolute paths; not those it takes types alone from, when `values` is set. */
export function importsOf(file: string, { values = false } = {}): string[] {
  const text = readFileSync(file, 'utf8');
  const source = values ? text.replaceAll(/^import type .*/gm, '') : text;
  return [...source.matchAll(/(?:from|import)\s*\(?\s*'(\.{1,2}\/[^']+)'/g)].map(([, target = '']) =>
    resolve(dirname(file), target),
  );
}
