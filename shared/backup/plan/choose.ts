import type pg from 'pg';
import * as z from 'zod';
import { OperationError } from '../../errors.ts';
import { type NamePattern, parseNamePattern } from '../../postgres/name-pattern.ts';
import { selectableRelationsSql, selectableSchemasSql } from './selectable.sql.ts';

/** Patterns of what a backup is of and without; null: no such list. */
export interface BackupSelection {
  include: readonly string[] | null;
  exclude: readonly string[] | null;
}

const relationSchema = z.object({
  oid: z.coerce.number(),
  schema: z.string(),
  name: z.string(),
  kind: z.string(),
  extension: z.string().nullable(),
  ancestors: z.array(z.coerce.number()),
  counts_for: z.array(z.coerce.number()),
});

type Relation = z.output<typeof relationSchema>;

/** What the patterns of a selection have come to mean in the snapshot's database. */
export interface ChosenRelations {
  /** Schemas that the patterns choose as a whole; null: all that is not excluded, and the database's own objects. */
  schemas: string[] | null;
  tables: { schema: string; table: string }[];
  excluded: { schemas: string[]; tables: { schema: string; table: string }[] };
  /** Extensions whose configuration tables are chosen. */
  extensions: string[];
  /** Whether a relation, given by its OID, is chosen itself or by a partitioned table above it. */
  isChosen(oid: number): boolean;
  /** The extension whose configuration a table is. */
  extensionOf(oid: number): string | null;
  /** Sequences that are chosen, or count for a column of a chosen table. */
  sequences: { schema: string; name: string }[];
  warnings: string[];
}

/**
 * Reads what there is in the database, and holds the patterns against it.
 *
 * @throws OperationError `nothing_matched` naming every pattern of `include` that matches nothing, `nothing_selected` when all
 *   that is included is excluded
 */
export async function chooseRelations(client: pg.Client, selection: BackupSelection): Promise<ChosenRelations> {
  const relations = z.array(relationSchema).parse((await client.query(selectableRelationsSql)).rows);
  const { rows } = await client.query<{ name: string }>(selectableSchemasSql);
  return chosen(
    relations,
    rows.map(({ name }) => name),
    selection,
  );
}

/** A pattern with its text, for messages. */
export interface Pattern extends NamePattern {
  text: string;
}

export const readPatterns = (patterns: readonly string[]): Pattern[] =>
  patterns.map((text) => ({ text, ...parseNamePattern(text) }));

/** Whether a pattern chooses a relation, by its own name or its schema's. */
export const fits = (pattern: Pattern, { schema, name }: Pick<Relation, 'schema' | 'name'>): boolean =>
  pattern.matchesSchema(schema) && (pattern.matchesRelation?.(name) ?? true);

const named = ({ schema, name }: Relation) => ({ schema, table: name });

function chosen(
  relations: readonly Relation[],
  schemas: readonly string[],
  selection: BackupSelection,
): ChosenRelations {
  const include = selection.include && readPatterns(selection.include);
  const exclude = readPatterns(selection.exclude ?? []);
  const byOid = new Map(relations.map((relation) => [relation.oid, relation]));
  const isMatched = (relation: Relation, patterns: readonly Pattern[]): boolean =>
    [relation, ...relation.ancestors.flatMap((oid) => byOid.get(oid) ?? [])].some((each) =>
      patterns.some((pattern) => fits(pattern, each)),
    );
  const schemasOf = (patterns: readonly Pattern[]): string[] =>
    schemas.filter((schema) => patterns.some((each) => !each.matchesRelation && each.matchesSchema(schema)));
  const unmatched = (patterns: readonly Pattern[]): string[] =>
    patterns
      .filter((each) => !relations.some((relation) => fits(each, relation)) && schemasOf([each]).length === 0)
      .map(({ text }) => text);

  const missing = unmatched(include ?? []);
  if (missing.length > 0) {
    throw new OperationError(
      'nothing_matched',
      `include: nothing in the database matches ${missing.join(', ')}`,
      'Correct include: a pattern with a dot names tables, one without names schemas; names with capitals stand in double quotes.',
    );
  }
  const excluded = { schemas: schemasOf(exclude), relations: relations.filter((each) => isMatched(each, exclude)) };
  const without = new Set(excluded.relations.map(({ oid }) => oid));
  const kept = relations.filter((each) => !without.has(each.oid) && (include === null || isMatched(each, include)));
  const keptSchemas = (include ? schemasOf(include) : schemas).filter((schema) => !excluded.schemas.includes(schema));
  if (kept.length === 0 && keptSchemas.length === 0) {
    throw new OperationError(
      'nothing_selected',
      include === null ? 'exclude leaves nothing to back up' : 'exclude takes away all that include chooses',
      'Correct include and exclude.',
    );
  }
  const oids = new Set(kept.map(({ oid }) => oid));
  return {
    schemas: include === null ? null : keptSchemas,
    tables: kept.filter(({ extension }) => extension === null).map(named),
    excluded: { schemas: excluded.schemas, tables: excluded.relations.map(named) },
    extensions: [...new Set(kept.flatMap(({ extension }) => extension ?? []))],
    isChosen: (oid) => oids.has(oid),
    extensionOf: (oid) => byOid.get(oid)?.extension ?? null,
    sequences: relations.filter(
      ({ oid, kind, counts_for: tables }) =>
        kind === 'S' && (oids.has(oid) || (!without.has(oid) && tables.some((table) => oids.has(table)))),
    ),
    warnings: unmatched(exclude).map((text) => `exclude: nothing in the database matches ${text}`),
  };
}
