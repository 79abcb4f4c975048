/** Objects that a new database brings along have lower OIDs (FirstNormalObjectId). */
const FIRST_OWN_OID = 16_384;

/** Numbers of functions and operators in a `pg_node_tree` that are not the server's own. */
export function ownNumbers(tree: string): { functions: string[]; operators: string[] } {
  const numbers = (fields: string): string[] => [
    ...new Set(
      [...tree.matchAll(new RegExp(`:(?:${fields}) (\\d+)`, 'g'))]
        .map(([, oid = '']) => oid)
        .filter((oid) => Number(oid) >= FIRST_OWN_OID),
    ),
  ];
  return { functions: numbers('funcid|opfuncid|hashfuncid|negfuncid'), operators: numbers('opno') };
}

/**
 * Whether a function is called somewhere without a column among its arguments as it is: then the server may compute it once, though a column is
 * somewhere within an argument, as in `CASE WHEN true THEN 'x' ELSE note END`.
 */
export function callsWithoutColumn(tree: string, oid: string): boolean {
  const calls = [...tree.matchAll(new RegExp(`\\{FUNCEXPR :funcid ${oid} `, 'g'))];
  // Called by something else than a plain call.
  if (calls.length === 0) return true;
  return calls.some(({ index }) => !argumentsOf(nodeAt(tree, index)).some((argument) => isColumn(argument)));
}

/** A column, or one under another type of the same form. */
function isColumn(node: string): boolean {
  return node.startsWith('{VAR ') || node.startsWith('{RELABELTYPE :arg {VAR ');
}

/** The arguments of a call: nodes of the list that is its own. */
function argumentsOf(node: string): string[] {
  const found: string[] = [];
  const marker = ' :args (';
  const start = node.indexOf(marker);
  if (start < 0) return found;
  for (let at = start + marker.length; at < node.length; ) {
    if (node[at] === ')') break;
    if (node[at] !== '{') {
      at += 1;
      continue;
    }
    const argument = nodeAt(node, at);
    found.push(argument);
    at += argument.length;
  }
  return found;
}

/** From a brace to the one that closes it. A backslash takes the meaning of what follows it. */
function nodeAt(tree: string, start: number): string {
  let depth = 0;
  for (let at = start; at < tree.length; at += 1) {
    const character = tree[at];
    if (character === '\\') at += 1;
    else if (character === '{') depth += 1;
    else if (character === '}') {
      depth -= 1;
      if (depth === 0) return tree.slice(start, at + 1);
    }
  }
  return tree.slice(start);
}
