import { quoteQualified } from '../../postgres/identifiers.ts';
import type { Manifest } from '../manifest.ts';

/** Since then `"char"` is written as an octal number where it is beyond ASCII; before, of such a number the backslash is read. */
const OCTAL_CHAR_SINCE = 150_000;

/**
 * Names columns whose values an older server would read as others, in words. Nothing else in COPY text is read differently by any of the
 * supported versions.
 *
 * @param version - of the server that the rows go to, as `server_version_num`
 */
export function changedValues(
  { server_version, tables }: Pick<Manifest, 'server_version' | 'tables'>,
  version: number,
): string[] {
  if (server_version < OCTAL_CHAR_SINCE || version >= OCTAL_CHAR_SINCE) return [];
  return tables.flatMap(({ schema, name, columns, types, rows }) => {
    const found = rows > 0 ? columns.filter((_, index) => /^"char"(\[\])*$/.test(types?.[index] ?? '')) : [];
    return found.length === 0
      ? []
      : [
          `${quoteQualified(schema, name)}: values beyond ASCII of ${found.join(', ')} (type "char") arrive as backslashes, as this server is older than PostgreSQL 15`,
        ];
  });
}
