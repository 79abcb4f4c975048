import type pg from 'pg';
import type { FunctionThatRuns } from './functions-that-run.ts';
import { targetFunctionsSql } from './target-functions.sql.ts';

/**
 * Lists functions of a database that run as rows come into tables that are there, or into new ones beside them.
 *
 * @param typesAlone - new tables are made of the types of these
 * @param firesTriggers - the login cannot turn off triggers for its session
 */
export async function functionsOfTarget(
  client: pg.Client,
  tables: readonly { schema: string; name: string }[],
  { typesAlone, firesTriggers }: { typesAlone: boolean; firesTriggers: boolean },
): Promise<FunctionThatRuns[]> {
  const { rows } = await client.query<FunctionThatRuns>(targetFunctionsSql, [
    tables.map(({ schema }) => schema),
    tables.map(({ name }) => name),
    typesAlone,
    firesTriggers,
  ]);
  return rows;
}

/** Both lists as one; what is in both is used by the users of both. */
export function joinFunctions(
  some: readonly FunctionThatRuns[],
  others: readonly FunctionThatRuns[],
): FunctionThatRuns[] {
  const joined = new Map<string, FunctionThatRuns>();
  for (const each of [...some, ...others]) {
    const known = joined.get(each.name);
    joined.set(each.name, known ? { ...known, used_by: [...new Set([...known.used_by, ...each.used_by])] } : each);
  }
  return [...joined.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
}
