/** How the same database reads on a server of another version: what came with `since` and shows on both sides of it. */
const DIFFERENCES: readonly { since: number; patterns: readonly RegExp[] }[] = [
  {
    // Columns in the text of a view are not qualified where it has but one table. What it answers is compared with the rows.
    since: 16,
    patterns: [
      /^dump of .*; Type: (VIEW|MATERIALIZED VIEW|RULE); .*: differs/s,
      /^catalog of relation .*, query: differs/s,
      /^catalog of rule "_RETURN" on .*, definition: differs/s,
    ],
  },
  {
    // There is one more privilege on tables, which shows where an owner gave up another one.
    since: 17,
    patterns: [/^dump of TABLE (mine|nobodys); Type: ACL; Schema: owned; /s],
  },
  {
    // NOT NULL is a constraint, whose name shows where it is not made of its table's and column's.
    since: 18,
    patterns: [/^dump of .*; Type: TABLE; .*: differs: .*_not_null/s],
  },
  {
    // Each range type has a multirange type, with functions and a cast, and catalogs tell how a column is compressed.
    since: 14,
    patterns: [
      /^catalog of (cast|routine|type) .*_span_multirange/,
      /^(catalog of type types\.\w+_span, range|dump of \w+_span; Type: TYPE; .*): differs: .*multirange/s,
      /^catalog of column .*, compression: differs: "(\\"\\"|null)" in the first/s,
    ],
  },
  {
    // An ICU collation has one locale, and catalogs tell of publications and of triggers on partitions what they did not.
    since: 15,
    patterns: [
      /^catalog of collation code\."Icu nocase", locale: differs/,
      /^catalog of publication \w+, (schemas|tables): /,
      /^catalog of trigger on_parts on guards\.parts_\w+: only in /,
    ],
  },
];

/** Only of restores into older servers: until 14, the schema public belongs to whom template0 does, and "char" is read otherwise. */
const DOWNWARDS_FROM_15 = [
  /^dump of (SCHEMA )?public; Type: (ACL|COMMENT|SCHEMA); Schema: -; /,
  /^catalog of schema public, (acl|owner): differs/,
  /^rows of types\.texts: other values in single$/,
];

/**
 * The differences that the versions do not explain.
 *
 * @param from - major version that the database was backed up from
 * @param to - and of the server that it was restored into
 */
export function beyondVersions(differences: readonly string[], { from, to }: { from: number; to: number }): string[] {
  const [older, newer] = [Math.min(from, to), Math.max(from, to)];
  const known = DIFFERENCES.filter(({ since }) => older < since && since <= newer).flatMap(({ patterns }) => patterns);
  if (to < 15 && from >= 15) known.push(...DOWNWARDS_FROM_15);
  return differences.filter((difference) => !known.some((one) => one.test(difference)));
}
