import { quoteIdentifier, quoteLiteral, quoteQualified } from '../../postgres/identifiers.ts';
import { PREAMBLE } from '../../postgres/pg-dump/archive-entries.ts';
import type { SchemaDump, SchemaEntry } from '../../postgres/pg-dump/schema-dump.ts';
import { valueSettingsSql } from '../../postgres/session-settings.ts';
import type { Manifest, StoredChunk } from '../manifest.ts';
import { copyInSql } from '../plan/plan.ts';
import { grantStatements } from '../restore/privileges.ts';
import { closePublicSchemaSql } from '../restore/public-schema.ts';
import { scheduleEntries } from '../restore/schedule-entries.ts';
import { loadTargets } from './load-targets.ts';
import { scriptHeader } from './script-header.ts';

/** A stretch of a script: text, or the rows of one stored object, which are COPY text as psql reads it. */
export type ScriptPiece = { text: string } | { chunk: StoredChunk };

/** Texts are gathered up to this many UTF-16 units, so that they compress well and are never many. */
const TEXT_UNITS = 262_144;

/**
 * A backup as a script for psql, in the order of pg_restore: definitions, rows, large objects, positions of sequences, then
 * indexes, keys, triggers, privileges, materialized views, event triggers. The same backup gives the same pieces each time.
 *
 * @param restrictKey - letters and digits that the backup's contents cannot know; see `scriptHeader`
 */
export function* scriptPieces(
  manifest: Manifest,
  schema: SchemaDump,
  restrictKey: string,
): Generator<ScriptPiece, void, undefined> {
  let text = '';
  for (const piece of statementsAndRows(manifest, schema, restrictKey)) {
    if (typeof piece === 'string') text += piece;
    if (text !== '' && (typeof piece !== 'string' || text.length >= TEXT_UNITS)) {
      yield { text };
      text = '';
    }
    if (typeof piece !== 'string') yield { chunk: piece };
  }
  if (text !== '') yield { text };
}

function* statementsAndRows(
  manifest: Manifest,
  schema: SchemaDump,
  restrictKey: string,
): Generator<string | StoredChunk, void, undefined> {
  const preData = schema.entries.filter(({ section }) => section === 'pre-data');
  const postData = schema.entries.filter(({ section }) => section === 'post-data');
  const { parallel, privileges, last } = scheduleEntries(preData, postData, () => 0);

  yield scriptHeader(manifest, schema, restrictKey);
  yield `${schema.preamble || PREAMBLE}${valueSettingsSql}\n\n`;
  if (manifest.backup_type !== 'data') yield `${closePublicSchemaSql};\n\n`;
  yield* preData.map(entryText);
  yield* tableRows(manifest, schema.entries);
  yield* largeObjects(manifest.large_objects);
  for (const { schema: namespace, name, last_value: value, is_called: isCalled } of manifest.sequences) {
    yield `SELECT pg_catalog.setval(${quoteLiteral(quoteQualified(namespace, name))}, ${value}, ${isCalled});\n`;
  }
  yield '\n';
  yield* parallel.map(({ entry }) => entryText(entry));
  yield* privileges.map(entryText);
  yield* materializedViews(manifest, preData);
  yield* last.map(entryText);
  yield `--\n-- The backup is complete.\n--\n\n\\unrestrict ${restrictKey}\n`;
}

/** `public` is there already in a database that was made from a template. */
function entryText({ type, name, sql }: SchemaEntry): string {
  const present = type === 'SCHEMA' && name === 'public';
  return `${present ? sql.replace(/^CREATE SCHEMA /, 'CREATE SCHEMA IF NOT EXISTS ') : sql}\n`;
}

function* tableRows(
  { tables, encoding }: Manifest,
  entries: readonly SchemaEntry[],
): Generator<string | StoredChunk, void, undefined> {
  const targetOf = loadTargets(entries);
  const filled = tables.filter(({ rows }) => rows > 0);
  if (filled.length === 0) return;
  // The rows are in the encoding of the database, as the server gave them; the definitions are in UTF-8.
  yield `SET client_encoding = ${quoteLiteral(encoding)};\n\n`;
  for (const table of filled) {
    yield `${copyInSql({ ...targetOf(table), columns: table.columns })};\n`;
    yield* table.chunks.filter(({ rows }) => rows > 0);
    yield '\\.\n\n';
  }
  yield "SET client_encoding = 'UTF8';\n\n";
}

/** Numbers of large objects in one statement. */
const OBJECTS_PER_STATEMENT = 1000;

function* largeObjects({
  objects,
  chunks,
}: Manifest['large_objects']): Generator<string | StoredChunk, void, undefined> {
  if (objects.length === 0) return;
  for (let start = 0; start < objects.length; start += OBJECTS_PER_STATEMENT) {
    const numbers = objects.slice(start, start + OBJECTS_PER_STATEMENT).map(({ oid }) => oid);
    yield `SELECT pg_catalog.count(pg_catalog.lo_create(number)) FROM pg_catalog.unnest('{${numbers.join()}}'::pg_catalog.oid[]) AS number;\n`;
  }
  // COPY cannot write large objects itself: their pieces pass through a temporary table.
  yield 'CREATE TEMPORARY TABLE loaded_pieces (object pg_catalog.oid, start pg_catalog.int8, piece pg_catalog.bytea);\n\n';
  for (const chunk of chunks.filter(({ rows }) => rows > 0)) {
    yield 'COPY pg_temp.loaded_pieces FROM STDIN;\n';
    yield chunk;
    yield '\\.\n\nSELECT pg_catalog.count(pg_catalog.lo_put(object, start, piece)) FROM pg_temp.loaded_pieces;\n';
    yield 'TRUNCATE pg_temp.loaded_pieces;\n\n';
  }
  yield 'DROP TABLE pg_temp.loaded_pieces;\n\n';
  for (const { oid, owner, comment, has_privileges: hasPrivileges, privileges } of objects) {
    const object = `LARGE OBJECT ${oid}`;
    if (comment !== null) yield `COMMENT ON ${object} IS ${quoteLiteral(comment)};\n`;
    yield `ALTER ${object} OWNER TO ${quoteIdentifier(owner)};\n`;
    if (hasPrivileges) for (const grant of grantStatements(object, privileges, { owner })) yield `${grant};\n`;
  }
  yield '\n';
}

/** Those that had content, each after the views that it reads: in the order in which they were defined. */
function* materializedViews(
  { materialized_views: views }: Manifest,
  preData: readonly SchemaEntry[],
): Generator<string, void, undefined> {
  const position = new Map(
    preData.filter(({ type }) => type === 'MATERIALIZED VIEW').map(({ oid }, index) => [oid, index]),
  );
  const order = ({ oid }: { oid: number }): number => position.get(oid) ?? oid;
  for (const { schema, name } of [...views].sort((a, b) => order(a) - order(b))) {
    yield `REFRESH MATERIALIZED VIEW ${quoteQualified(schema, name)};\n`;
  }
  yield '\n';
}
