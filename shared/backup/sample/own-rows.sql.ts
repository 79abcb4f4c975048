import { quoteIdentifier, quoteQualified } from '../../postgres/identifiers.ts';
import type { Reference, SampledTable } from './graph.ts';
import { hashCondition } from './hash.ts';

/** Which rows of a table are kept for what they are and refer to. The table is named `t`. */
export interface OwnRows {
  /** Of what the rows refer to. */
  joins: string[];
  /** For each foreign key, that it is whole. */
  whole: string[];
  /** That the percentage chooses it, or what it refers to; null: the table is not chosen, or its rows always follow others. */
  chosen: string | null;
  /** WITH queries that the joins name. */
  needs: string[];
}

/** As it stands in FROM. The rows of an ordinary table are its own alone, as foreign keys take it. */
export const fromTable = ({ schema, name, isPartitioned }: SampledTable, alias: string): string =>
  `${isPartitioned ? '' : 'ONLY '}${quoteQualified(schema, name)} ${alias}`;

/** `child` and `parent` are aliases. */
export function matchCondition({ columns, parentLeaves }: Reference, child: string, parent: string): string {
  const pairs = columns.map((pair) => {
    const cast = (type: string | null) => (type === null ? '' : `::${type}`);
    const collate = pair.collation === null ? '' : ` COLLATE ${pair.collation}`;
    const left = `${parent}.${quoteIdentifier(pair.parent)}${cast(pair.parent_cast)}${collate}`;
    return `${left} ${pair.operator} ${child}.${quoteIdentifier(pair.child)}${cast(pair.child_cast)}`;
  });
  return [...pairs, ...(parentLeaves === null ? [] : [`${parent}.tableoid ${amongOids(parentLeaves)}`])].join(' AND ');
}

export const amongOids = (oids: Iterable<number>): string => `= ANY ('{${[...oids].join(',')}}'::oid[])`;

export const conjunction = (conditions: readonly string[]): string =>
  conditions.length > 0 ? conditions.join(' AND ') : 'true';

/**
 * The rows of a table whose foreign keys are whole: what they refer to is kept. Of a chosen table, those that refer to no sampled row
 * are chosen by their own keys.
 *
 * @param references - the foreign keys that are looked at
 * @param leaf - the partition that is read alone; null: all of them
 */
export function ownRows(
  table: SampledTable,
  references: readonly Reference[],
  leaf: number | null,
  { percent, keptName }: { percent: number; keptName: (oid: number) => string },
): OwnRows {
  const rows: OwnRows = { joins: [], whole: [], chosen: null, needs: [] };
  const follows: string[] = [];
  let alwaysFollows = false;
  references.forEach((reference, index) => {
    const { parent, columns, childLeaves } = reference;
    if (leaf !== null && childLeaves && !childLeaves.includes(leaf)) return;
    const alias = `p${index + 1}`;
    const found = `${alias}.${quoteIdentifier(columns[0]?.parent ?? '')} IS NOT NULL`;
    // A key that is partly NULL refers to nothing; with MATCH FULL there is none.
    const free = columns.filter(({ nullable }) => nullable).map(({ child }) => `t.${quoteIdentifier(child)} IS NULL`);
    if (leaf === null && childLeaves) free.push(`NOT t.tableoid ${amongOids(childLeaves)}`);
    rows.joins.push(`LEFT JOIN ${keptName(parent)} ${alias} ON ${matchCondition(reference, 't', alias)}`);
    rows.needs.push(keptName(parent));
    rows.whole.push(free.length > 0 ? `(${[found, ...free].join(' OR ')})` : found);
    follows.push(found);
    alwaysFollows ||= free.length === 0;
  });
  const isChosen = leaf === null ? table.chosen.size > 0 : table.chosen.has(leaf);
  if (isChosen && !alwaysFollows) {
    const others =
      leaf === null && table.chosen.size < table.leaves.length ? [`NOT t.tableoid ${amongOids(table.chosen)}`] : [];
    rows.chosen = `(${[...follows, ...others, hashCondition('t', table.key, percent)].join(' OR ')})`;
  }
  return rows;
}
