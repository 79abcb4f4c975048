import type pg from 'pg';
import * as z from 'zod';
import { catalogFingerprintSql, definitionHashesSql, definitionsSql } from './catalog.sql.ts';

/** What the catalogs said of all definitions. */
export const catalogSeenSchema = z.object({
  /** Of the catalogs' rows: as long as it is the same, nothing was written to them. */
  fingerprint: z.string(),
  /** A hash over the definitions of each kind. */
  kinds: z.record(z.string(), z.string()),
  /** A time at which they were so, before anything that is not captured yet was committed; ISO 8601 with microseconds. */
  at: z.string(),
  /** Until where changes were captured then. */
  lsn: z.string(),
});
export type CatalogSeen = z.output<typeof catalogSeenSchema>;

/** All of a database's definitions, as the catalogs have them; not a word of it is from pg_dump. */
export type Definitions = ReadonlyMap<string, { kind: string; definition: string }>;

/**
 * Reads what the catalogs say. Definitions are hashed only where something was written to the catalogs since.
 *
 * @param client - with an empty search path
 */
export async function readCatalog(
  client: pg.Client,
  known: Pick<CatalogSeen, 'fingerprint' | 'kinds'> | null,
): Promise<Pick<CatalogSeen, 'fingerprint' | 'kinds'>> {
  // Before the definitions: what is written meanwhile is looked at again.
  const { rows } = await client.query<{ fingerprint: string }>(catalogFingerprintSql);
  const fingerprint = rows[0]?.fingerprint ?? '';
  if (known?.fingerprint === fingerprint) return { fingerprint, kinds: known.kinds };
  const { rows: hashes } = await client.query<{ kind: string; hash: string }>(
    definitionHashesSql(await versionOf(client)),
  );
  return { fingerprint, kinds: Object.fromEntries(hashes.map(({ kind, hash }) => [kind, hash])) };
}

/** @param client - with an empty search path */
export async function readDefinitions(client: pg.Client): Promise<Definitions> {
  const { rows } = await client.query<{ kind: string; name: string; definition: string | null }>(
    definitionsSql(await versionOf(client)),
  );
  return new Map(rows.map(({ kind, name, definition }) => [`${kind} ${name}`, { kind, definition: definition ?? '' }]));
}

/** Kinds of objects of which some are other ones, or others, than they were. */
export function changedKinds(before: CatalogSeen['kinds'], after: CatalogSeen['kinds']): string[] {
  const kinds = new Set([...Object.keys(before), ...Object.keys(after)]);
  return [...kinds].filter((kind) => before[kind] !== after[kind]).sort();
}

async function versionOf(client: pg.Client): Promise<number> {
  const { rows } = await client.query<{ version: number }>(
    "SELECT current_setting('server_version_num')::int / 10000 AS version",
  );
  return rows[0]?.version ?? 0;
}
