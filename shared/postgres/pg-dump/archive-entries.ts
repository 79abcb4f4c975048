import { quoteIdentifier, quoteQualified } from '../identifiers.ts';
import { ARCHIVE_SECTIONS, type Archive, type ArchiveEntry } from './archive.ts';
import type { SchemaDump, SchemaEntry } from './schema-dump.ts';

/**
 * What pg_restore sets before anything else (`_doSetFixedOutputState`), as far as every supported server knows it, and the
 * defaults from which single entries deviate.
 */
export const PREAMBLE = [
  'SET statement_timeout = 0;',
  'SET lock_timeout = 0;',
  'SET idle_in_transaction_session_timeout = 0;',
  "SET client_encoding = 'UTF8';",
  'SET standard_conforming_strings = on;',
  "SELECT pg_catalog.set_config('search_path', '', false);",
  'SET check_function_bodies = false;',
  'SET xmloption = content;',
  'SET client_min_messages = warning;',
  'SET row_security = off;',
  "SET default_tablespace = '';",
  'SET default_table_access_method = heap;',
  '',
].join('\n');

/** Entries that hold session settings, which the preamble makes, or concern the database itself, not what is in it. */
const LEFT_OUT = new Set(['ENCODING', 'STDSTRINGS', 'SEARCHPATH', 'DATABASE', 'DATABASE PROPERTIES']);
const ABOUT_OTHERS = new Set(['ACL', 'COMMENT', 'SECURITY LABEL']);

/** Kinds whose owner is set by name, and those whose DROP statement says how they are called (`_getObjectDescription`). */
const OWNED_BY_NAME = new Set([
  'COLLATION',
  'CONVERSION',
  'DOMAIN',
  'FOREIGN TABLE',
  'MATERIALIZED VIEW',
  'SEQUENCE',
  'STATISTICS',
  'TABLE',
  'TEXT SEARCH DICTIONARY',
  'TEXT SEARCH CONFIGURATION',
  'TYPE',
  'VIEW',
  'PROCEDURAL LANGUAGE',
  'SCHEMA',
  'EVENT TRIGGER',
  'FOREIGN DATA WRAPPER',
  'SERVER',
  'PUBLICATION',
  'SUBSCRIPTION',
]);
const OWNED_BY_DROP = new Set(['AGGREGATE', 'FUNCTION', 'OPERATOR', 'OPERATOR CLASS', 'OPERATOR FAMILY', 'PROCEDURE']);

/**
 * Turns an archive's contents into entries whose SQL is what pg_restore would send for them (`_printTocEntry`), in
 * pg_restore's order: everything, then privileges, then event triggers.
 *
 * Privileges count as post-data whatever their object is: a right taken from an owner could stop the loading of data or the
 * check of a foreign key, which is why pg_restore grants and revokes last.
 */
export function schemaEntries({ entries }: Archive): SchemaDump {
  const passes: [SchemaEntry[], SchemaEntry[], SchemaEntry[]] = [[], [], []];
  let section: SchemaEntry['section'] = 'pre-data';
  for (const entry of entries) {
    // A comment or label has no section of its own; it belongs where its object, just before it, does.
    if (entry.section === ARCHIVE_SECTIONS.preData) section = 'pre-data';
    if (entry.section === ARCHIVE_SECTIONS.postData) section = 'post-data';
    if (entry.section === ARCHIVE_SECTIONS.data || isLeftOut(entry)) continue;
    const pass = restorePass(entry);
    passes[pass].push({
      dump_id: entry.dumpId,
      class_id: entry.catalogOid,
      oid: entry.oid,
      depends_on: entry.dependencies,
      section: pass === 0 ? section : 'post-data',
      type: entry.description,
      schema: entry.schema,
      name: entry.tag,
      owner: entry.owner,
      sql: entrySql(entry),
    });
  }
  return { preamble: PREAMBLE, entries: passes.flat() };
}

const isLeftOut = ({ description, tag }: ArchiveEntry): boolean =>
  LEFT_OUT.has(description) || (ABOUT_OTHERS.has(description) && tag.startsWith('DATABASE '));

/** `_tocEntryRestorePass`: 0 main, 1 privileges, 2 what must not see or disturb the rest. */
function restorePass({ description, tag }: ArchiveEntry): 0 | 1 | 2 {
  if (description === 'ACL' || description === 'DEFAULT ACL') return 1;
  if (description === 'EVENT TRIGGER') return 2;
  return ABOUT_OTHERS.has(description) && tag.startsWith('EVENT TRIGGER ') ? 2 : 0;
}

function entrySql(entry: ArchiveEntry): string {
  const { definition, tablespace, accessMethod, schema, tag, owner, relationKind } = entry;
  const partitioned = relationKind === 'p';
  const parts: string[] = [];
  const after: string[] = [];
  if (tablespace) {
    parts.push(`SET default_tablespace = ${quoteIdentifier(tablespace)};`);
    after.push("SET default_tablespace = '';");
  }
  if (accessMethod && accessMethod !== 'heap' && !partitioned) {
    parts.push(`SET default_table_access_method = ${quoteIdentifier(accessMethod)};`);
    after.push('SET default_table_access_method = heap;');
  }
  if (definition.trim()) parts.push(definition.trim());
  const owned = owner && entry.dropStatement ? ownedObject(entry) : undefined;
  if (owner && owned) parts.push(`ALTER ${owned} OWNER TO ${quoteIdentifier(owner)};`);
  if (partitioned && accessMethod && schema) {
    parts.push(`ALTER TABLE ${quoteQualified(schema, tag)} SET ACCESS METHOD ${quoteIdentifier(accessMethod)};`);
  }
  return `${[...parts, ...after].join('\n\n')}\n`;
}

function ownedObject({ description, schema, tag, dropStatement }: ArchiveEntry): string | undefined {
  if (OWNED_BY_NAME.has(description)) {
    return `${description} ${schema ? quoteQualified(schema, tag) : quoteIdentifier(tag)}`;
  }
  if (OWNED_BY_DROP.has(description)) return dropStatement.replace(/^DROP /, '').replace(/[;\n]+$/, '');
  return undefined;
}
