import type { Reference, SampledTable } from './graph.ts';
import { amongOids, conjunction, fromTable, matchCondition, type OwnRows, ownRows } from './own-rows.sql.ts';
import type { Circle } from './rules.ts';

/**
 * The WITH queries that find the rows of a circle that are kept, as `relation` (OID of the table or partition) and `place` (ctid; as text,
 * since PostgreSQL 13 knows no hash of it). The last one has the circle's name.
 *
 * From the rows that begin it goes, row by row, to all that they refer to within the circle. Where tables of it refer to sampled tables
 * outside, a row that has lost such a row is no part of the sample (`fit` holds those that have not), nor is any that leads to it (`lost`).
 */
export function circleSql(
  name: string,
  circle: Circle,
  context: { percent: number; keptName: (oid: number) => string },
): { name: string; text: string; needs: string[] }[] {
  const inside = new Set(circle.members.map(({ oid }) => oid));
  const outward = new Map(
    circle.members.map((table) => [table, table.references.filter(({ parent }) => !inside.has(parent))]),
  );
  const inward = circle.members.flatMap((table) =>
    table.references.filter(({ parent }) => inside.has(parent)).map((reference) => ({ table, reference })),
  );
  const bound = circle.members.filter((table) => (outward.get(table) ?? []).length > 0);
  const begins = (table: SampledTable): boolean => !circle.isChosen || table.chosen.size > 0;
  const parts = new Map(
    circle.members.map((table) => [table, ownRows(table, outward.get(table) ?? [], null, context)]),
  );
  const partOf = (table: SampledTable): OwnRows =>
    parts.get(table) ?? { joins: [], whole: [], chosen: null, needs: [] };
  const chosenOf = (table: SampledTable): string[] => [partOf(table).chosen].filter((each) => each !== null);
  const rows = (table: SampledTable, list: string, conditions: readonly string[]): string =>
    `SELECT t.tableoid AS relation, t.ctid::text AS place${list} FROM ${[fromTable(table, 't'), ...partOf(table).joins].join(' ')} WHERE ${conjunction(conditions)}`;

  if (bound.length === 0) {
    const seeds = circle.members.filter(begins).map((table) => rows(table, '', chosenOf(table)));
    const step = `SELECT p.tableoid, p.ctid::text FROM ${name} r CROSS JOIN LATERAL (
    ${parentsSql(inward, circle.members)}) p`;
    return [
      {
        name,
        text: `${name} (relation, place) AS (\n  (${seeds.join('\n  UNION ALL ')})\n  UNION ${step})`,
        needs: [],
      },
    ];
  }

  const [fit, reached, lost] = [`${name}_fit`, `${name}_reached`, `${name}_lost`];
  const fits = bound.map((table) =>
    rows(table, `, ${begins(table) ? conjunction(chosenOf(table)) : 'false'} AS begins`, partOf(table).whole),
  );
  const free = circle.members
    .filter((table) => begins(table) && !bound.includes(table))
    .map((table) => rows(table, ', NULL::oid, NULL::text', chosenOf(table)));
  const seeds = [`SELECT relation, place, NULL::oid, NULL::text FROM ${fit} WHERE begins`, ...free];
  const boundLeaves = bound.flatMap(({ leaves }) => leaves);
  return [
    {
      name: fit,
      text: `${fit} AS MATERIALIZED (\n  ${fits.join('\n  UNION ALL ')})`,
      needs: circle.members.flatMap((table) => partOf(table).needs),
    },
    {
      name: reached,
      text: `${reached} (relation, place, from_relation, from_place) AS (
  (${seeds.join('\n  UNION ALL ')})
  UNION SELECT p.tableoid, p.ctid::text, r.relation, r.place FROM ${reached} r CROSS JOIN LATERAL (
    ${parentsSql(inward, circle.members)}) p)`,
      needs: [fit],
    },
    {
      name: lost,
      text: `${lost} (relation, place) AS (
  SELECT r.relation, r.place FROM ${reached} r LEFT JOIN ${fit} f ON f.relation = r.relation AND f.place = r.place
   WHERE f.relation IS NULL AND r.relation ${amongOids(boundLeaves)}
  UNION SELECT r.from_relation, r.from_place FROM ${lost} l JOIN ${reached} r ON r.relation = l.relation AND r.place = l.place
   WHERE r.from_relation IS NOT NULL)`,
      needs: [reached, fit],
    },
    {
      name,
      text: `${name} (relation, place) AS (
  (SELECT relation, place FROM ${reached} WHERE from_relation IS NULL EXCEPT SELECT relation, place FROM ${lost})
  UNION SELECT r.relation, r.place FROM ${name} k JOIN ${reached} r ON r.from_relation = k.relation AND r.from_place = k.place)`,
      needs: [reached, lost],
    },
  ];
}

/** The rows within the circle that the row `r` refers to. Each is looked up by the unique key that a foreign key goes to. */
function parentsSql(
  inward: readonly { table: SampledTable; reference: Reference }[],
  members: readonly SampledTable[],
): string {
  const one = ({ table, reference }: (typeof inward)[number]): string => {
    const parent = members.find(({ oid }) => oid === reference.parent);
    if (!parent) throw new Error('A foreign key within a circle leads out of it');
    const conditions = [
      `r.relation ${amongOids(reference.childLeaves ?? table.leaves)}`,
      ...(table.isPartitioned ? ['t.tableoid = r.relation'] : []),
      't.ctid = r.place::pg_catalog.tid',
    ];
    return `SELECT p.tableoid, p.ctid FROM ${fromTable(table, 't')} JOIN ${fromTable(parent, 'p')} ON ${matchCondition(reference, 't', 'p')} WHERE ${conjunction(conditions)}`;
  };
  return inward.map(one).join('\n    UNION ALL ');
}
