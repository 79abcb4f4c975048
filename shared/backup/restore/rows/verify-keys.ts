import * as z from 'zod';
import { OperationError } from '../../../errors.ts';
import { listed } from '../../../listed.ts';
import { quoteIdentifier, quoteQualified } from '../../../postgres/identifiers.ts';
import { runLanes } from '../../export/lanes.ts';
import { type RestoreRecord, recordTable } from '../restore-record.ts';
import { deferrableKeysSql } from './foreign-keys.sql.ts';
import { openRowsSession, type RowsPlace, unlessAborted } from './session.ts';
import type { ForeignKey } from './target.ts';

const deferrableKeySchema = z.object({
  oid: z.string(),
  name: z.string(),
  schema: z.string(),
  table: z.string(),
  nulls_equal: z.boolean(),
  expressions: z.array(z.string()),
  predicate: z.string().nullable(),
  operators: z.array(z.string()).nullable(),
});

type DeferrableKey = z.output<typeof deferrableKeySchema>;

/**
 * Checks what the server does not while `session_replication_role` is `replica`: foreign keys, and unique and exclusion constraints
 * that are deferrable.
 *
 * @param members - numbers of the relations that have got rows
 * @throws OperationError `constraint_violated` naming every constraint that the rows break
 */
export async function verifyKeys(
  keys: readonly ForeignKey[],
  members: readonly string[],
  { place, lanes, record, signal }: { place: RowsPlace; lanes: number; record: RestoreRecord; signal: AbortSignal },
): Promise<void> {
  const first = await openRowsSession(place);
  const deferrable = await first
    .query(deferrableKeysSql, [members])
    .then(({ rows }) => z.array(deferrableKeySchema).parse(rows))
    .finally(() => first.end().catch(() => undefined));
  const checks = [
    ...keys.map((key) => ({
      oid: key.oid,
      name: `${key.name} of ${key.child_schema}.${key.child_name} (its parent is ${key.parent_schema}.${key.parent_name})`,
      sql: orphansSql(key),
    })),
    ...deferrable.map((key) => ({
      oid: key.oid,
      name: `${key.name} of ${key.schema}.${key.table}`,
      sql: key.operators ? conflictsSql(key, key.operators) : duplicatesSql(key),
    })),
  ];
  const found = new Map([...record.items].filter(isOutcome).map((item) => [item.split(' ')[1], item]));
  await runLanes(
    checks.filter(({ oid }) => !found.has(oid)),
    lanes,
    {
      open: async () => {
        const client = await openRowsSession(place);
        // As the server itself when it adds a foreign key (ri_triggers.c, RI_Initial_Check): one large join, nothing beside it.
        await client.query(
          "SELECT pg_catalog.set_config('work_mem', pg_catalog.current_setting('maintenance_work_mem'), false)",
        );
        return client;
      },
      // One statement checks and records, so that it is of use also when it takes longer than the attempt.
      work: async (client, { oid, sql }, laneSignal) => {
        const { rows } = await unlessAborted(
          laneSignal,
          client.query<{ item: string }>(
            `INSERT INTO ${recordTable(place.record)}
             SELECT CASE WHEN count = 0 THEN '${VERIFIED}${oid}' ELSE '${VIOLATED}${oid} ' || count END, '{}' FROM (${sql}) AS counted
             RETURNING item`,
          ),
        );
        found.set(oid, rows[0]?.item ?? '');
      },
      close: (client) => client.end(),
      signal,
    },
  );
  const violated = checks.flatMap(({ oid, name }) => {
    const item = found.get(oid) ?? '';
    return item.startsWith(VIOLATED) ? `${name}: ${item.slice(item.lastIndexOf(' ') + 1)} rows` : [];
  });
  if (violated.length === 0) return;
  throw new OperationError(
    'constraint_violated',
    `The loaded rows break constraints of the database: ${listed(violated)}`,
    'Load the tables that they refer to as well, or drop the constraints, then restore again.',
  );
}

const VERIFIED = 'verified ';
const VIOLATED = 'violated ';

/** Whether an item of a record tells what has become of the check of a key. */
export const isOutcome = (item: string): boolean => item.startsWith(VERIFIED) || item.startsWith(VIOLATED);

/** Counts rows without the row that they refer to, as the server does when a foreign key is added (RI_Initial_Check). */
export function orphansSql(key: ForeignKey): string {
  const { columns, period, match_full: full } = key;
  const from = (partitioned: boolean, schema: string, name: string) =>
    `${partitioned ? '' : 'ONLY '}${quoteQualified(schema, name)}`;
  const child = from(key.child_partitioned, key.child_schema, key.child_name);
  const parent = from(key.parent_partitioned, key.parent_schema, key.parent_name);
  const equal = (some: ForeignKey['columns']): string[] =>
    some.map(
      ({ child: mine, parent: theirs, operator, collation }) =>
        `parent.${quoteIdentifier(theirs)} ${operator} child.${quoteIdentifier(mine)}${collation === null ? '' : ` COLLATE ${collation}`}`,
    );
  const counts = columns
    .map(({ child: mine }) => `child.${quoteIdentifier(mine)} IS NOT NULL`)
    .join(full ? ' OR ' : ' AND ');
  const last = columns.at(-1);
  if (period && last) {
    // The parents' periods together must cover the child's.
    const [mine, theirs] = [`child.${quoteIdentifier(last.child)}`, `parent.${quoteIdentifier(last.parent)}`];
    const covering = [...equal(columns.slice(0, -1)), `${theirs} OPERATOR(pg_catalog.&&) ${mine}`].join(' AND ');
    return `
SELECT pg_catalog.count(*) AS count FROM ${child} AS child
 WHERE (${counts})
   AND NOT coalesce((SELECT pg_catalog.range_agg(${theirs}) FROM ${parent} AS parent WHERE ${covering})
                    OPERATOR(pg_catalog.@>) ${mine}, false)`;
  }
  const [first] = columns;
  return `
SELECT pg_catalog.count(*) AS count
  FROM ${child} AS child LEFT JOIN ${parent} AS parent ON ${equal(columns).join(' AND ')}
 WHERE parent.${quoteIdentifier(first?.parent ?? '')} IS NULL AND (${counts})`;
}

/** Counts values that more than one row has, where no two may be equal. */
function duplicatesSql({ schema, table, expressions, nulls_equal: nullsEqual }: DeferrableKey): string {
  const counts = nullsEqual ? '' : ` WHERE ${expressions.map((each) => `(${each}) IS NOT NULL`).join(' AND ')}`;
  return `
SELECT pg_catalog.count(*) AS count FROM (
  SELECT FROM ONLY ${quoteQualified(schema, table)}${counts}
   GROUP BY ${expressions.join(', ')} HAVING pg_catalog.count(*) > 1) AS duplicate`;
}

/** Counts pairs of rows that an exclusion constraint does not let be together. */
function conflictsSql({ schema, table, expressions, predicate }: DeferrableKey, operators: readonly string[]): string {
  const values = expressions.map((expression, index) => `${expression} AS value_${index}`).join(', ');
  const rows = `(SELECT ctid AS place, ${values} FROM ONLY ${quoteQualified(schema, table)}${predicate === null ? '' : ` WHERE ${predicate}`})`;
  const conflict = operators.map((operator, index) => `a.value_${index} ${operator} b.value_${index}`).join(' AND ');
  return `
SELECT pg_catalog.count(*) AS count FROM ${rows} AS a JOIN ${rows} AS b ON ${conflict} AND a.place < b.place`;
}
