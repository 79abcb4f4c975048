import { OperationError } from '../../errors.ts';
import { listed } from '../../listed.ts';
import { quoteQualified } from '../../postgres/identifiers.ts';
import { fits, readPatterns } from '../plan/choose.ts';
import type { PlannedTable } from '../plan/plan.ts';
import type { ColumnPair, ForeignKey, Relation, SampleCatalog } from './read-catalog.ts';

/** What is asked for: about so many percent of the rows of tables, given by patterns. */
export interface SampleRequest {
  percent: number;
  tables: readonly string[];
}

/** A table, or a partitioned one with all its partitions, of which not every row is kept. */
export interface SampledTable {
  oid: number;
  schema: string;
  name: string;
  isPartitioned: boolean;
  key: string[];
  /** Itself, or the partitions that hold rows. */
  leaves: number[];
  /** Those of them that the percentage is of; the others only follow what they refer to. */
  chosen: Set<number>;
  /** Its foreign keys to sampled tables. */
  references: Reference[];
}

/** A foreign key of a sampled table to one. */
export interface Reference {
  parent: number;
  columns: ColumnPair[];
  /** The partitions whose rows it holds for, and those that they refer to; null: all. */
  childLeaves: number[] | null;
  parentLeaves: number[] | null;
}

export interface SampleGraph {
  tables: Map<number, SampledTable>;
  /** The member of `tables` that a table with rows is, or is a partition of. */
  tableOf(leaf: number): SampledTable | undefined;
}

/**
 * Finds of which tables not every row is kept: those that the patterns choose, and all that refer to them, directly or over others.
 *
 * @param planned - the tables of the backup
 * @throws OperationError `nothing_matched` naming the patterns that choose no table of the backup, `sample_refused`, or
 *   `table_not_readable`
 */
export function findSampled(
  { relations, foreignKeys }: SampleCatalog,
  { tables: patterns }: Pick<SampleRequest, 'tables'>,
  planned: readonly PlannedTable[],
): SampleGraph {
  // What an extension has made is as the extension needs it.
  const own = planned.filter(({ condition, oid }) => condition === null && relations.has(oid));
  const chosen = choose(own, patterns, relations);
  const rootOf = (oid: number): number => relations.get(oid)?.root ?? oid;
  const present = new Set(planned.map(({ oid }) => rootOf(oid)));
  const keys = foreignKeys.filter(({ child, parent }) => present.has(rootOf(child)) && present.has(rootOf(parent)));
  const keysTo = Map.groupBy(keys, ({ parent }) => rootOf(parent));
  const reduced = new Set([...chosen].map(rootOf));
  // A set goes on with what is added to it meanwhile.
  for (const parent of reduced) for (const { child } of keysTo.get(parent) ?? []) reduced.add(rootOf(child));
  const references = [...reduced].flatMap((parent) => keysTo.get(parent) ?? []);
  const extensionTables = new Set(planned.filter(({ condition }) => condition !== null).map(({ oid }) => oid));
  assertPossible(references, extensionTables, relations);

  const leavesBelow = leafLists(relations);
  const referencesOf = Map.groupBy(references, ({ child }) => rootOf(child));
  const tables = new Map(
    [...reduced].flatMap((oid): [number, SampledTable][] => {
      const relation = relations.get(oid);
      if (!relation) return [];
      const { schema, name, is_partitioned: isPartitioned, key } = relation;
      const leaves = leavesBelow(oid);
      const sampled: SampledTable = {
        oid,
        schema,
        name,
        isPartitioned,
        key,
        leaves,
        chosen: new Set(leaves.filter((leaf) => chosen.has(leaf))),
        references: (referencesOf.get(oid) ?? []).map(({ child, parent, columns }) => ({
          parent: rootOf(parent),
          columns,
          childLeaves: child === oid ? null : leavesBelow(child),
          parentLeaves: parent === rootOf(parent) ? null : leavesBelow(parent),
        })),
      };
      return [[oid, sampled]];
    }),
  );
  assertReadable([...tables.keys()], relations);
  return { tables, tableOf: (leaf) => tables.get(rootOf(leaf)) };
}

/** The tables with rows that the patterns choose, themselves or by a partitioned table above them. */
function choose(
  planned: readonly PlannedTable[],
  texts: readonly string[],
  relations: ReadonlyMap<number, Relation>,
): Set<number> {
  const patterns = readPatterns(texts);
  const unmatched = new Set(patterns);
  const chosen = new Set<number>();
  for (const { oid } of planned) {
    const relation = relations.get(oid);
    for (const each of [oid, ...(relation?.ancestors ?? [])]) {
      const named = relations.get(each);
      for (const pattern of patterns) {
        if (!named || !fits(pattern, named)) continue;
        unmatched.delete(pattern);
        chosen.add(oid);
      }
    }
  }
  if (unmatched.size === 0) return chosen;
  throw new OperationError(
    'nothing_matched',
    `sample: no table of the backup matches ${[...unmatched].map(({ text }) => text).join(', ')}`,
    'Correct sample.tables: a pattern with a dot names tables, one without names schemas; names with capitals stand in double quotes.',
  );
}

function assertPossible(
  references: readonly ForeignKey[],
  extensionTables: ReadonlySet<number>,
  relations: ReadonlyMap<number, Relation>,
): void {
  for (const { name, child, parent, has_period: hasPeriod } of references) {
    const why = hasPeriod
      ? 'is one of periods (PERIOD)'
      : extensionTables.has(child)
        ? 'is that of a table of an extension'
        : null;
    if (why === null) continue;
    throw new OperationError(
      'sample_refused',
      `The foreign key ${name} from ${nameOf(child, relations)} to ${nameOf(parent, relations)} ${why}, which a sample cannot follow`,
      `Do not sample ${nameOf(parent, relations)} or what it refers to, or leave ${nameOf(child, relations)} out of the backup with exclude.`,
    );
  }
}

/** Rows of partitions are looked up through the partitioned table. */
function assertReadable(oids: readonly number[], relations: ReadonlyMap<number, Relation>): void {
  const refused = oids.filter((oid) => relations.get(oid)?.readable === false).map((oid) => nameOf(oid, relations));
  if (refused.length === 0) return;
  throw new OperationError(
    'table_not_readable',
    `The login may not read ${listed(refused)}, whose rows others of the sample refer to`,
    'Grant it SELECT on them, or membership of pg_read_all_data (PostgreSQL 14 and later).',
  );
}

function nameOf(oid: number, relations: ReadonlyMap<number, Relation>): string {
  const relation = relations.get(oid);
  return relation ? quoteQualified(relation.schema, relation.name) : String(oid);
}

/** The partitions with rows below a partitioned table; of an ordinary table, itself. */
function leafLists(relations: ReadonlyMap<number, Relation>): (oid: number) => number[] {
  const below = new Map<number, number[]>();
  for (const { oid, is_partitioned: isPartitioned, ancestors } of relations.values()) {
    if (isPartitioned) continue;
    for (const each of [oid, ...ancestors]) {
      const list = below.get(each);
      if (list) list.push(oid);
      else below.set(each, [oid]);
    }
  }
  return (oid) => below.get(oid) ?? [];
}
