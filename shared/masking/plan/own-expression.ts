/**
 * Whether the server can be asked for the value of an expression of somebody else's without running anything of theirs: it is made of
 * PostgreSQL's own immutable functions and operators alone. Those compute, and neither read nor write anything; others
 * of the server's own do, such as query_to_xml.
 */

/** Objects that a new database brings along have lower OIDs (FirstNormalObjectId). */
const FIRST_OWN_OID = 16_384;

/** Nodes that call nothing but the functions that they name; some had other names until PostgreSQL 15. */
const NODES: ReadonlySet<string> = new Set([
  ...['VAR', 'CONST', 'COERCETODOMAINVALUE', 'SQLVALUEFUNCTION', 'CASETESTEXPR'],
  ...['FUNCEXPR', 'OPEXPR', 'DISTINCTEXPR', 'NULLIFEXPR', 'SCALARARRAYOPEXPR', 'BOOLEXPR', 'NULLTEST', 'BOOLEANTEST'],
  ...['RELABELTYPE', 'COERCEVIAIO', 'COLLATEEXPR', 'COLLATE', 'SUBSCRIPTINGREF'],
  ...['ARRAYEXPR', 'ARRAY', 'CASEEXPR', 'CASE', 'CASEWHEN', 'WHEN', 'COALESCEEXPR', 'COALESCE', 'MINMAXEXPR', 'MINMAX'],
]);

/** Functions and operators that an expression calls, by their OIDs. */
export interface Called {
  functions: string[];
  operators: string[];
}

/**
 * @param tree - a `pg_node_tree` as text. It holds no text of its author's: constants are written as bytes
 * @returns what it calls; null when it is made of other things than what is known here, or of others' types and functions
 */
export function calledBy(tree: string): Called | null {
  for (const [, node = ''] of tree.matchAll(/\{([A-Z]+)/g)) if (!NODES.has(node)) return null;
  const numbers = (fields: string): string[] =>
    [...tree.matchAll(new RegExp(`:(?:${fields}) (\\d+)`, 'g'))]
      .map(([, oid = '']) => oid)
      .filter((oid) => oid !== '0');
  const functions = numbers('funcid|opfuncid|hashfuncid|negfuncid');
  const operators = numbers('opno');
  const types = numbers('funcresulttype|opresulttype|resulttype');
  return [...functions, ...operators, ...types].every((oid) => Number(oid) < FIRST_OWN_OID)
    ? { functions, operators }
    : null;
}

/** Which of the given functions (`$1`), and of those of the given operators (`$2`), do more than compute. */
export const notImmutableSql = `
SELECT pg_catalog.array_agg(p.oid::int8::text) AS functions,
       pg_catalog.array_agg(o.oid::int8::text) AS operators
  FROM pg_catalog.pg_proc p
  LEFT JOIN pg_catalog.pg_operator o ON o.oprcode = p.oid AND o.oid = ANY ($2::oid[])
 WHERE p.provolatile <> 'i' AND (p.oid = ANY ($1::oid[]) OR o.oid IS NOT NULL)`;
