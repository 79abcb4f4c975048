/**
 * Quotes an identifier as the server's `quote_ident` does, always with quotes.
 *
 * @throws Error when it is empty or holds a NUL byte, which no PostgreSQL identifier can.
 */
export function quoteIdentifier(name: string): string {
  if (name.length === 0 || name.includes('\0'))
    throw new Error('An identifier must be non-empty and without NUL bytes');
  return `"${name.replaceAll('"', '""')}"`;
}

/** `"schema"."name"`. */
export function quoteQualified(schema: string, name: string): string {
  return `${quoteIdentifier(schema)}.${quoteIdentifier(name)}`;
}

/**
 * Quotes a literal as the server's `quote_literal` does, for the few statements that take no parameters (utility commands).
 *
 * @throws Error when it holds a NUL byte.
 */
export function quoteLiteral(value: string): string {
  if (value.includes('\0')) throw new Error('A literal must be without NUL bytes');
  const quoted = `'${value.replaceAll("'", "''")}'`;
  return value.includes('\\') ? ` E${quoted.replaceAll('\\', '\\\\')}` : quoted;
}
