import type { SchemaDump, SchemaEntry } from '../../postgres/pg-dump/schema-dump.ts';

export interface TableName {
  schema: string;
  table: string;
}

/** What is wanted of a database or a backup; both lists together. */
export interface Selection {
  schemas: readonly string[];
  /** Tables, views, materialized views, foreign tables and sequences by their exact names. */
  tables: readonly TableName[];
  /** In place of both lists: all there is, with what belongs to the database as a whole. */
  everything?: boolean;
  extensions?: readonly string[];
  /** Not chosen, though it is in a list. It comes along where something else needs it. */
  excluded?: { schemas: readonly string[]; tables: readonly TableName[] };
}

export interface SelectedEntries {
  entries: SchemaEntry[];
  /** Relations that come with their rows or their content. */
  wanted: ReadonlySet<SchemaEntry>;
  /** What of the selection the backup does not hold, in words. */
  unknown: string[];
  warnings: string[];
}

const RELATIONS = new Set(['TABLE', 'FOREIGN TABLE', 'VIEW', 'MATERIALIZED VIEW', 'SEQUENCE']);
const TABLES = new Set(['TABLE', 'FOREIGN TABLE']);
/** Entries that belong to another object and come with it, never by themselves. */
const PARTS = new Set([
  'CHECK CONSTRAINT',
  'CONSTRAINT',
  'DEFAULT',
  'INDEX',
  'POLICY',
  'ROW SECURITY',
  'RULE',
  'STATISTICS',
  'TRIGGER',
]);
const REMARKS = new Set(['ACL', 'COMMENT', 'SECURITY LABEL']);
const KEYS = new Set(['CONSTRAINT', 'INDEX']);
/** What joins two objects that may each come alone. */
const JOINTS = new Set(['FK CONSTRAINT', 'INDEX ATTACH', 'SEQUENCE OWNED BY', 'TABLE ATTACH']);
const PUBLISHED = new Set(['PUBLICATION TABLE', 'PUBLICATION TABLES IN SCHEMA']);
/** Concern the whole database or other servers; a selection leaves them out. */
const OF_THE_DATABASE = new Set(['DEFAULT ACL', ...PUBLISHED]);

const nameOf = ({ schema, name }: SchemaEntry): string => (schema === null ? name : `${schema}.${name}`);
const key = (schema: string | null, name: string): string => JSON.stringify([schema, name]);

/**
 * Chooses the entries that the selected schemas and tables consist of and need, by pg_dump's own dependencies.
 *
 * - Needs (types, domains, functions, sequences, extensions, schemas) come along. A table that is needed only as a definition,
 *   by inheritance, as a row type or by a view, comes without rows.
 * - A partitioned table comes with all its partitions; a partition without its parent becomes a table of its own.
 * - A foreign key whose parent is not selected is left out.
 *
 * What a function's body names as text is beyond these dependencies.
 */
export function selectEntries({ entries }: SchemaDump, selection: Selection): SelectedEntries {
  const byId = new Map(entries.map((entry) => [entry.dump_id, entry]));
  const dependencies = new Map(
    entries.map((entry) => [entry, [...new Set(entry.depends_on)].flatMap((id) => byId.get(id) ?? [])]),
  );
  const needs = (entry: SchemaEntry): SchemaEntry[] => dependencies.get(entry) ?? [];
  const needsOf = (entry: SchemaEntry, types: ReadonlySet<string>) =>
    needs(entry).filter(({ type }) => types.has(type));
  const partitions = partitionsOf(entries, needs);
  const owned = new Set(entries.filter(({ type }) => type === 'SEQUENCE OWNED BY').flatMap((entry) => needs(entry)));

  const included = new Set<SchemaEntry>();
  const wanted = new Set<SchemaEntry>();
  const warnings: string[] = [];

  /** Whether `entry` can be created without `need`: the dependency is one of order alone. */
  const isSoft = (entry: SchemaEntry, need: SchemaEntry): boolean =>
    (TABLES.has(entry.type) && partitions.parentOf.get(entry) === need) ||
    (entry.type === 'SEQUENCE' && owned.has(entry) && TABLES.has(need.type)) ||
    (KEYS.has(entry.type) && KEYS.has(need.type));

  const include = (first: SchemaEntry): void => {
    const waiting = [first];
    for (let entry = waiting.pop(); entry; entry = waiting.pop()) {
      if (included.has(entry)) continue;
      included.add(entry);
      for (const need of needs(entry)) if (!isSoft(entry, need)) waiting.push(need);
    }
  };
  const want = (entry: SchemaEntry): void => {
    if (wanted.has(entry)) return;
    wanted.add(entry);
    include(entry);
    for (const partition of partitions.childrenOf.get(entry) ?? []) if (!isExcluded(partition)) want(partition);
  };

  const { everything = false, extensions = [], excluded = { schemas: [], tables: [] } } = selection;
  const excludedSchemas = new Set(excluded.schemas);
  const excludedTables = new Set(excluded.tables.map(({ schema, table }) => key(schema, table)));
  const isExcluded = ({ type, schema, name }: SchemaEntry): boolean =>
    excludedSchemas.has(type === 'SCHEMA' ? name : (schema ?? '')) ||
    (RELATIONS.has(type) && excludedTables.has(key(schema, name)));

  const schemas = new Set(selection.schemas);
  for (const entry of entries) {
    if (isExcluded(entry)) continue;
    const isChosen =
      (everything && !isPart(entry)) ||
      (entry.type === 'SCHEMA' && schemas.has(entry.name)) ||
      (entry.type === 'EXTENSION' && extensions.includes(entry.name)) ||
      (entry.schema !== null && schemas.has(entry.schema) && !isPart(entry));
    if (isChosen) want(entry);
    const isDefault = entry.type === 'DEFAULT ACL' && (everything || schemas.has(entry.schema ?? ''));
    if (isDefault) include(entry);
  }
  const relations = new Map(
    entries.filter(({ type }) => RELATIONS.has(type)).map((entry) => [key(entry.schema, entry.name), entry]),
  );
  const unknown: string[] = [];
  for (const { schema, table } of selection.tables) {
    const entry = relations.get(key(schema, table));
    if (entry) want(entry);
    else unknown.push(`table ${schema}.${table}`);
  }
  const present = new Set(entries.flatMap(({ type, schema, name }) => (type === 'SCHEMA' ? name : (schema ?? []))));
  unknown.unshift(...selection.schemas.filter((name) => !present.has(name)).map((name) => `schema ${name}`));

  /** The relation or domain that a part belongs to: of those it depends on, the one its tag names first. */
  const owner = (entry: SchemaEntry): SchemaEntry | undefined => {
    const candidates = needs(entry).filter(({ type }) => RELATIONS.has(type) || type === 'DOMAIN');
    const named = candidates.filter(
      ({ schema, name }) => schema === entry.schema && (entry.name === name || entry.name.startsWith(`${name} `)),
    );
    return (
      named.sort((a, b) => b.name.length - a.name.length)[0] ??
      candidates.find(({ type }) => TABLES.has(type)) ??
      candidates[0]
    );
  };
  const isIncluded = (entry: SchemaEntry): boolean => included.has(entry);
  const belongs = (entry: SchemaEntry): boolean => {
    if (PARTS.has(entry.type)) {
      const whole = owner(entry);
      return whole !== undefined && (TABLES.has(whole.type) ? wanted.has(whole) : included.has(whole));
    }
    if (REMARKS.has(entry.type)) {
      const about = needs(entry);
      if (about.length > 0) return about.every(isIncluded);
      // The schema `public` has no entry of its own: every database has it.
      if (entry.name === 'SCHEMA public')
        return (everything && !excludedSchemas.has('public')) || schemas.has('public');
      return everything;
    }
    if (PUBLISHED.has(entry.type)) {
      return (
        everything && needs(entry).every((need) => (TABLES.has(need.type) ? wanted.has(need) : included.has(need)))
      );
    }
    // Also a sequence that an identity column is made of, or that goes when its table does.
    if (entry.type === 'SEQUENCE') return needsOf(entry, TABLES).some((table) => wanted.has(table));
    if (entry.type === 'SEQUENCE OWNED BY') {
      return needs(entry).every((sequence) => included.has(sequence) && needs(sequence).every(isIncluded));
    }
    if (entry.type === 'TABLE ATTACH') return needsOf(entry, TABLES).every((table) => wanted.has(table));
    return entry.type === 'INDEX ATTACH' && needs(entry).every(isIncluded);
  };
  // What comes along may have parts of its own, so until nothing more comes.
  for (let before = -1; before !== included.size; ) {
    before = included.size;
    for (const entry of entries) {
      if (included.has(entry) || !belongs(entry)) continue;
      if (entry.type === 'SEQUENCE') want(entry);
      else include(entry);
    }
  }

  for (const entry of entries) {
    if (entry.type !== 'FK CONSTRAINT') continue;
    const child = owner(entry);
    if (!child || !wanted.has(child)) continue;
    const missing = needsOf(entry, TABLES).filter((table) => !wanted.has(table));
    if (missing.length === 0) include(entry);
    else {
      const constraint = entry.name.slice(child.name.length + 1);
      warnings.push(
        `Foreign key ${constraint} of ${nameOf(child)} is left out: its parent ${missing.map(nameOf).join(', ')} is not selected`,
      );
    }
  }
  for (const [partition, parent] of partitions.parentOf) {
    if (wanted.has(partition) && !wanted.has(parent)) {
      warnings.push(
        `${nameOf(partition)} becomes a table of its own: the table it is a partition of, ${nameOf(parent)}, is not selected`,
      );
    }
  }
  for (const entry of included) {
    if (entry.type === 'TABLE' && !wanted.has(entry)) {
      warnings.push(`${nameOf(entry)} comes without rows: it is not selected, but its definition is needed`);
    }
  }
  return { entries: entries.filter(isIncluded), wanted, unknown, warnings };
}

const isPart = ({ type }: SchemaEntry): boolean =>
  PARTS.has(type) || REMARKS.has(type) || JOINTS.has(type) || OF_THE_DATABASE.has(type);

function partitionsOf(entries: readonly SchemaEntry[], needs: (entry: SchemaEntry) => SchemaEntry[]) {
  const parentOf = new Map<SchemaEntry, SchemaEntry>();
  const childrenOf = new Map<SchemaEntry, SchemaEntry[]>();
  for (const entry of entries) {
    if (entry.type !== 'TABLE ATTACH') continue;
    const tables = needs(entry).filter(({ type }) => TABLES.has(type));
    const child = tables.find(({ schema, name }) => schema === entry.schema && name === entry.name);
    const parent = tables.find((table) => table !== child);
    if (!child || !parent) continue;
    parentOf.set(child, parent);
    childrenOf.set(parent, [...(childrenOf.get(parent) ?? []), child]);
  }
  return { parentOf, childrenOf };
}
