import { existsSync, globSync } from 'node:fs';
import { join } from 'node:path';
import { importsOf } from './imports.ts';

const root = join(import.meta.dirname, '../..');

/** What takes seconds to load, to start or to compute: the CDK, stand-ins of AWS, functions in processes of their own. */
const HEAVY = [
  'infra/',
  'test/infra/',
  'local/aws/services.ts',
  'local/lambda/service.ts',
  'test/backup/support/many-tables.ts',
];

/**
 * The files of tests that neither import one of those, also by way of others, nor start a process: they run in milliseconds.
 *
 * @returns paths from the project's folder
 */
export function unitTestFiles(): string[] {
  const isHeavy = (path: string): boolean => HEAVY.some((heavy) => path.startsWith(join(root, heavy)));
  const known = new Map<string, readonly string[]>();
  const imports = (file: string): readonly string[] => {
    const found = known.get(file) ?? importsOf(file, { values: true }).filter((path) => existsSync(path));
    known.set(file, found);
    return found;
  };
  const isLight = (file: string): boolean => {
    const reached = new Set([join(root, file)]);
    // A set may grow while one goes through it.
    for (const one of reached) for (const next of imports(one)) reached.add(next);
    return ![...reached].some(isHeavy);
  };
  const files = globSync('test/**/*.test.ts', { cwd: root, exclude: ['test/**/*.{db,alone}.test.ts', 'test/e2e/**'] });
  return files.filter(isLight).sort();
}
