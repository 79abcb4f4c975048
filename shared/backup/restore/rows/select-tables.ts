import type { Manifest } from '../../manifest.ts';
import type { Selection } from '../select-entries.ts';

export interface SelectedRows {
  /** Its totals are those of what is left. */
  manifest: Manifest;
  /** What of the selection the backup does not hold, in words. */
  unknown: string[];
  warnings: string[];
  /** Whether the position of a sequence is wanted for its own sake, not only for the columns that count with it. */
  isChosen(sequence: { schema: string; name: string }): boolean;
}

type Named = { schema: string; name: string };
const key = ({ schema, name }: Named): string => JSON.stringify([schema, name]);

/**
 * Chooses rows of a backup by the names of schemas and tables. The name of a partitioned table stands for its partitions. Tables
 * without rows are left out: nothing of them is loaded.
 */
export function selectRows(manifest: Manifest, selection: Selection | undefined): SelectedRows {
  const filled = manifest.tables.filter(({ rows }) => rows > 0);
  if (!selection) return { manifest: withTables(manifest, filled), unknown: [], warnings: [], isChosen: () => true };
  const schemas = new Set(selection.schemas);
  const names = new Set(selection.tables.map(({ schema, table }) => key({ schema, name: table })));
  const isChosen = (relation: Named): boolean => schemas.has(relation.schema) || names.has(key(relation));
  const { tables, sequences, materialized_views: views } = manifest;
  const roots = tables.flatMap(({ root }) => root ?? []);
  const held = [...tables, ...roots, ...sequences, ...views];
  const heldSchemas = new Set(held.map(({ schema }) => schema));
  const heldNames = new Set(held.map(key));
  const unknown = [
    ...selection.schemas.filter((schema) => !heldSchemas.has(schema)).map((schema) => `schema ${schema}`),
    ...selection.tables
      .filter(({ schema, table }) => !heldNames.has(key({ schema, name: table })))
      .map(({ schema, table }) => `table ${schema}.${table}`),
  ];
  const chosen = filled.filter((table) => isChosen(table) || (table.root !== undefined && isChosen(table.root)));
  const warnings =
    manifest.large_objects.objects.length > 0
      ? ['Large objects are left out: a restore of chosen schemas or tables cannot tell which ones belong to it']
      : [];
  return {
    manifest: {
      ...withTables(manifest, chosen),
      materialized_views: views.filter(isChosen),
      large_objects: { objects: [], chunks: [] },
    },
    unknown,
    warnings,
    isChosen,
  };
}

function withTables(manifest: Manifest, tables: Manifest['tables']): Manifest {
  const total = (field: 'rows' | 'bytes'): number => tables.reduce((sum, table) => sum + table[field], 0);
  const totals = { ...manifest.totals, tables: tables.length, rows: total('rows'), bytes: total('bytes') };
  return { ...manifest, tables, totals };
}
