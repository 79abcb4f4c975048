import { cpSync, mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const nodeModules = fileURLToPath(new URL('../../node_modules', import.meta.url));

/**
 * The packages of the layer, and of each the files and folders that run. The parser's CommonJS form, the one that a layer can
 * serve, loads `@pgsql/types`. `@electric-sql/pglite` is the server in which definitions are rehearsed.
 */
const packages: Readonly<Record<string, readonly string[]>> = {
  '@electric-sql/pglite': ['dist'],
  '@electric-sql/pglite-tools': ['dist'],
  '@pgsql/types': ['index.js', 'types.js', 'enums.js'],
  'libpg-query': ['wasm'],
};

/** Source maps and declarations are for people with an editor. */
const leftOut = /\.(map|d\.c?ts)$/;

/**
 * Copies the WebAssembly pg_dump and the PostgreSQL parser from `node_modules` into the form of a Lambda layer. The same
 * versions give the same files.
 *
 * @param folder - receives `nodejs/node_modules/...`
 * @throws Error when a package is not installed or has another form
 */
export function assemblePostgresTools(folder: string): void {
  for (const [name, parts] of Object.entries(packages)) {
    const from = join(nodeModules, name);
    const to = join(folder, 'nodejs', 'node_modules', name);
    mkdirSync(to, { recursive: true });
    const rest = readdirSync(from).filter((file) => file === 'package.json' || /^licen[cs]e/i.test(file));
    for (const part of [...parts, ...rest]) {
      cpSync(join(from, part), join(to, part), { recursive: true, filter: (file) => !leftOut.test(file) });
    }
  }
}
