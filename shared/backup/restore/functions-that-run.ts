import type { SchemaDump, SchemaEntry } from '../../postgres/pg-dump/schema-dump.ts';

/** A function of the backup that its restore runs, with the rights of the login that restores. */
export interface FunctionThatRuns {
  name: string;
  /** Its owner in the backup; null: unknown. */
  owner: string | null;
  /** What has it run: tables, domains, constraints, indexes, views. */
  used_by: string[];
}

/**
 * Definitions whose expressions the server evaluates while it restores: as rows are loaded (CHECK constraints, domains, generated
 * columns, partition keys), as keys and indexes are built, as materialized views are filled. Triggers, policies and rules come after the
 * rows, and defaults are not used, as every row brings its values.
 */
const EVALUATED: ReadonlySet<string> = new Set([
  ...['TABLE', 'TABLE ATTACH', 'DOMAIN', 'TYPE', 'CHECK CONSTRAINT', 'CONSTRAINT', 'FK CONSTRAINT'],
  ...['INDEX', 'STATISTICS', 'MATERIALIZED VIEW'],
]);
const FUNCTIONS: ReadonlySet<string> = new Set(['FUNCTION', 'AGGREGATE']);
/** What leads to a function without being one, and is not listed for itself. */
const LEADING: ReadonlySet<string> = new Set([
  ...[
    'OPERATOR',
    'OPERATOR CLASS',
    'OPERATOR FAMILY',
    'CAST',
    'TYPE',
    'SHELL TYPE',
    'DOMAIN',
    'VIEW',
    'COLLATION',
    'AGGREGATE',
  ],
]);

/**
 * Lists the functions that a restore of these definitions runs, as far as the dump's dependencies tell. What these functions call in
 * their turn is text within them, which nobody follows.
 */
export function functionsThatRun({ entries }: Pick<SchemaDump, 'entries'>): FunctionThatRuns[] {
  const byId = new Map(entries.map((entry) => [entry.dump_id, entry]));
  const found = new Map<number, FunctionThatRuns>();
  for (const entry of entries) {
    if (!EVALUATED.has(entry.type)) continue;
    for (const called of reachedFrom(entry, byId)) {
      const { dump_id, owner } = called;
      const listed = found.get(dump_id) ?? { name: nameOf(called), owner, used_by: [] };
      listed.used_by.push(`${entry.type} ${nameOf(entry)}`);
      found.set(dump_id, listed);
    }
  }
  return [...found.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
}

const nameOf = ({ schema, name }: SchemaEntry): string => (schema === null ? name : `${schema}.${name}`);

function reachedFrom(start: SchemaEntry, byId: ReadonlyMap<number, SchemaEntry>): Set<SchemaEntry> {
  const functions = new Set<SchemaEntry>();
  const passed = new Set([start]);
  // A set takes what is added while it is walked through.
  for (const { depends_on } of passed)
    for (const id of depends_on) {
      const entry = byId.get(id);
      if (!entry) continue;
      if (FUNCTIONS.has(entry.type)) functions.add(entry);
      if (LEADING.has(entry.type)) passed.add(entry);
    }
  return functions;
}
