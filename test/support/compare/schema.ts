import { join } from 'node:path';
import type pg from 'pg';
import { catalogSql } from '../../../shared/postgres/definitions/catalog.sql.ts';
import { RUN_SCHEMA } from '../../../shared/postgres/own-schema.ts';
import { runNativePgDump } from '../../../shared/postgres/pg-dump/native-pg-dump.ts';
import { runWasmPgDump } from '../../../shared/postgres/pg-dump/wasm-pg-dump.ts';
import type { ScratchDatabase, TestServer } from '../servers.ts';
import { mapDifferences } from './maps.ts';

const postgresToolsPath = join(import.meta.dirname, '../../../node_modules');

/**
 * Compares two databases' schemas twice: by pg_dump's text of each, and by what the catalogs say, which pg_dump has no part in.
 * The dumps are the machine's own pg_dump's where it knows both servers; for a newer server than that they are the WebAssembly
 * pg_dump's, which the product uses as well, so that there only the catalogs are an independent witness.
 *
 * @returns the differences in words
 */
export async function schemaDifferences(first: SchemaSource, second: SchemaSource): Promise<string[]> {
  const pgDump = nativePgDumpFor(first.database.server, second.database.server);
  const dumps = [await dump(first.database, pgDump), await dump(second.database, pgDump)] as const;
  const sameVersion = first.database.server.version === second.database.server.version;
  const catalogs = [await readCatalog(first, sameVersion), await readCatalog(second, sameVersion)] as const;
  return [
    ...mapDifferences(...dumps).map(({ name, kind, values }) => `dump of ${name}: ${kind}${values}`),
    ...catalogDifferences(...catalogs),
  ];
}

export interface SchemaSource {
  database: ScratchDatabase;
  /** For the catalogs; with an empty search_path, so that every name is qualified. */
  client: pg.Client;
}

/** A pg_dump dumps servers of its own version and older ones. */
function nativePgDumpFor(...servers: TestServer[]): string | undefined {
  const needed = Math.max(...servers.map(({ version }) => version));
  return servers.find(({ version, pgDump }) => version === needed && pgDump)?.pgDump;
}

/** The dump's entries by what pg_dump calls them; an entry is what follows its `-- Name: ...; Type: ...; Schema: ...` line. */
async function dump(database: ScratchDatabase, pgDump: string | undefined): Promise<Map<string, string>> {
  const args = ['--schema-only', '--format=plain', '--encoding=UTF8', '--no-sync', `--exclude-schema=${RUN_SCHEMA}`];
  const run = { target: database.target(), args };
  const bytes = await (pgDump ? runNativePgDump(run, pgDump) : runWasmPgDump(run, postgresToolsPath));
  const [preamble = '', ...blocks] = Buffer.from(bytes)
    .toString('utf8')
    .split(/^--\n-- Name: /m);
  const entries = new Map([['preamble', withoutVersions(preamble)]]);
  for (const block of blocks) {
    const title = block.slice(0, block.indexOf('\n'));
    entries.set(title, (entries.get(title) ?? '') + withoutVersions(block.slice(title.length)));
  }
  return entries;
}

/** pg_dump names the server in the preamble, and says at the end that it is one, with a word that is another each time. */
function withoutVersions(text: string): string {
  return text
    .replace(/^-- Dumped .*$/gm, '')
    .replace(/^\\(un)?restrict \w+$/gm, '')
    .replace(/^--\n-- PostgreSQL database dump complete\n--\n/m, '')
    .trim();
}

/** Definitions by kind and name of the object. */
async function readCatalog({ database, client }: SchemaSource, sameVersion: boolean): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  for (const [kind, sql] of Object.entries(catalogSql(database.server.version, sameVersion))) {
    const { rows } = await client.query<{ name: string; definition: unknown }>(sql);
    for (const { name, definition } of rows)
      if (name !== RUN_SCHEMA && !name.startsWith(`${RUN_SCHEMA}.`))
        found.set(`${kind} ${name}`, JSON.stringify(definition));
  }
  return found;
}

/** Says of objects that differ in which properties. */
function catalogDifferences(first: ReadonlyMap<string, string>, second: ReadonlyMap<string, string>): string[] {
  return mapDifferences(first, second).flatMap(({ name, kind }) => {
    if (kind !== 'differs') return [`catalog of ${name}: ${kind}`];
    return mapDifferences(properties(first.get(name)), properties(second.get(name))).map(
      (property) => `catalog of ${name}, ${property.name}: ${property.kind}${property.values}`,
    );
  });
}

function properties(definition = '{}'): Map<string, string> {
  const parsed: unknown = JSON.parse(definition);
  const entries = parsed !== null && typeof parsed === 'object' ? Object.entries(parsed) : [['value', parsed]];
  return new Map(entries.map(([property, value]) => [String(property), JSON.stringify(value)]));
}
