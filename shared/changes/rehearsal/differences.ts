import type pg from 'pg';
import { type Definitions, readDefinitions } from '../../postgres/definitions/catalog-seen.ts';

/** Kinds of objects that every version lists alike, by the names that it gives them. */
const SAME_NAMES: ReadonlySet<string> = new Set([
  ...['relation', 'column', 'index', 'trigger', 'rule', 'policy', 'event trigger', 'type', 'statistics', 'schema'],
]);

/** Depends on the server, or on rights of the source's that are not known elsewhere, more than on any command. */
const NOT_COMPARED: ReadonlySet<string> = new Set([
  'user mapping',
  'extension',
  'language',
  'access method',
  'foreign data wrapper',
]);
const PROPERTIES_NOT_COMPARED = ['owner', 'acl', 'tablespace', 'collation', 'statistics', 'row security'] as const;

/**
 * Compares the definitions of a database with those of the source. Of servers of one version, all that definitions say, but for owners and
 * privileges, which depend on memberships; of others, whether the same objects are there.
 *
 * @returns what differs, in words
 */
export async function definitionDifferences(
  client: pg.Client,
  source: Definitions,
  { sameVersion }: { sameVersion: boolean },
): Promise<string[]> {
  await client.query("SELECT pg_catalog.set_config('search_path', '', false)");
  const found = await readDefinitions(client);
  const isCompared = ({ kind }: { kind: string }): boolean =>
    sameVersion ? !NOT_COMPARED.has(kind) : SAME_NAMES.has(kind);
  const differences: string[] = [];
  for (const [key, definition] of source) {
    const { kind } = definition;
    if (!isCompared({ kind })) continue;
    const other = found.get(key);
    if (!other) differences.push(`${key} is missing`);
    else if (sameVersion) {
      const changed = changedProperties(definition.definition, other.definition);
      if (changed.length > 0) differences.push(`${key} differs in ${changed.join(', ')}`);
    }
  }
  for (const [key, { kind }] of found) {
    if (isCompared({ kind }) && !source.has(key)) differences.push(`${key} is one too many`);
  }
  return differences;
}

function changedProperties(first: string, second: string): string[] {
  if (first === second) return [];
  const [a, b] = [propertiesOf(first), propertiesOf(second)];
  return [...new Set([...Object.keys(a), ...Object.keys(b)])].filter(
    (name) =>
      !(PROPERTIES_NOT_COMPARED as readonly string[]).includes(name) &&
      JSON.stringify(a[name]) !== JSON.stringify(b[name]),
  );
}

function propertiesOf(definition: string): Record<string, unknown> {
  const parsed: unknown = definition === '' ? {} : JSON.parse(definition);
  return parsed !== null && typeof parsed === 'object' && !Array.isArray(parsed)
    ? (parsed as Record<string, unknown>)
    : { text: parsed };
}
