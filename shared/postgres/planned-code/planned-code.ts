import type pg from 'pg';
import * as z from 'zod';
import { callsWithoutColumn, ownNumbers } from './node-tree.ts';
import {
  inheritanceSql,
  plannedFunctionsSql,
  plannedOperatorsSql,
  planningExpressionsSql,
} from './planned-code.sql.ts';

const expressionSchema = z.object({ relation: z.coerce.number(), what: z.string(), tree: z.string() });
const functionSchema = z.object({ oid: z.string(), name: z.string(), replaced: z.boolean() });
const operatorSchema = z.object({ oid: z.string(), name: z.string() });
const edgeSchema = z.object({ child: z.coerce.number(), parent: z.coerce.number() });

/**
 * Tables on which no statement can be planned without running functions of people with the rights of this session: as it plans, the server computes
 * what of the expressions of indexes, statistics and partition keys depends on no column. `COPY table TO` is not planned. Functions of superusers are
 * trusted, and those that are given a column are not called; one in the language SQL may be replaced by its text, whatever it is given.
 *
 * @returns by the numbers of tables, and of those that they inherit from or that inherit from them: which expression calls what
 */
export async function readPlannedCode(client: pg.Client): Promise<ReadonlyMap<number, string>> {
  const versions = await client.query<{ version: number }>(
    `SELECT pg_catalog.current_setting('server_version_num')::int AS version`,
  );
  const found = await client.query(planningExpressionsSql(versions.rows[0]?.version ?? 0));
  const expressions = z
    .array(expressionSchema)
    .parse(found.rows)
    .map((each) => ({ ...each, own: ownNumbers(each.tree) }))
    .filter(({ own }) => own.functions.length + own.operators.length > 0);
  if (expressions.length === 0) return new Map();
  const functions = new Map(
    functionSchema
      .array()
      .parse((await client.query(plannedFunctionsSql, [expressions.flatMap(({ own }) => own.functions)])).rows)
      .map((each) => [each.oid, each]),
  );
  const operators = new Map(
    operatorSchema
      .array()
      .parse((await client.query(plannedOperatorsSql, [expressions.flatMap(({ own }) => own.operators)])).rows)
      .map((each) => [each.oid, each]),
  );
  const code = new Map<number, string>();
  for (const { relation, what, tree, own } of expressions) {
    const called =
      own.operators.flatMap((oid) => operators.get(oid) ?? [])[0] ??
      own.functions
        .flatMap((oid) => functions.get(oid) ?? [])
        .find(({ oid, replaced }) => replaced || callsWithoutColumn(tree, oid));
    if (called && !code.has(relation)) code.set(relation, `${what} calls ${called.name}`);
  }
  if (code.size > 0) spread(code, edgeSchema.array().parse((await client.query(inheritanceSql)).rows));
  return code;
}

/** To all tables of a hierarchy: a statement on one is planned for those below, and reads the partition key above. */
function spread(code: Map<number, string>, edges: readonly z.output<typeof edgeSchema>[]): void {
  for (let before = -1; before < code.size; ) {
    before = code.size;
    for (const { child, parent } of edges) {
      const why = code.get(child) ?? code.get(parent);
      if (why === undefined) continue;
      code.set(child, code.get(child) ?? why);
      code.set(parent, code.get(parent) ?? why);
    }
  }
}
