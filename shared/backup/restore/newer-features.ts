import type { SchemaDump, SchemaEntry } from '../../postgres/pg-dump/schema-dump.ts';
import { splitStatements } from '../../postgres/statements.ts';
import { tokens } from '../../postgres/tokens.ts';

/** What a later version of PostgreSQL brought to definitions, by the words that pg_dump writes for it. */
const FEATURES: readonly { since: number; types: readonly string[]; words: RegExp; what: string }[] = [
  {
    since: 180_000,
    types: ['TABLE', 'FOREIGN TABLE'],
    words: / generated always as \(\)(?! stored)/,
    what: 'a virtual generated column',
  },
  {
    since: 180_000,
    types: ['TABLE', 'CHECK CONSTRAINT', 'FK CONSTRAINT'],
    words: / not enforced\b/,
    what: 'a constraint that is not enforced',
  },
  { since: 180_000, types: ['CONSTRAINT'], words: / without overlaps\b/, what: 'a key without overlaps' },
  {
    since: 180_000,
    types: ['TABLE'],
    words: /[(,] constraint \S+ not null /,
    what: 'a named NOT NULL constraint of an inherited column',
  },
  {
    since: 170_000,
    types: ['VIEW', 'MATERIALIZED VIEW', 'RULE'],
    words: / json_(table|query|value|exists) ?\(/,
    what: 'an SQL/JSON query function',
  },
  { since: 160_000, types: ['VIEW', 'MATERIALIZED VIEW', 'RULE', 'TABLE'], words: / is json\b/, what: 'IS JSON' },
  {
    since: 150_000,
    types: ['CONSTRAINT', 'INDEX'],
    words: / nulls not distinct\b/,
    what: 'a key whose nulls are not distinct',
  },
  {
    since: 150_000,
    types: ['TABLE', 'FOREIGN TABLE', 'TYPE', 'DOMAIN'],
    words: /\bnumeric\( ?\d+, ?-/,
    what: 'a numeric type of negative scale',
  },
  {
    since: 150_000,
    types: ['VIEW'],
    words: /[( ]security_invoker=/,
    what: 'a view that checks the rights of its invoker',
  },
  {
    since: 150_000,
    types: ['FK CONSTRAINT'],
    words: / on delete set (null|default) \(/,
    what: 'a foreign key that sets some of its columns',
  },
  {
    since: 140_000,
    types: ['FUNCTION', 'PROCEDURE'],
    words: / language sql .*\b(begin atomic|return)\b/,
    what: 'an SQL body that is not a string',
  },
  {
    since: 140_000,
    types: ['TABLE', 'MATERIALIZED VIEW', 'FOREIGN TABLE'],
    words: / set compression /,
    what: 'a compression method of a column',
  },
  {
    since: 140_000,
    types: ['TABLE', 'FOREIGN TABLE', 'TYPE', 'DOMAIN', 'FUNCTION'],
    words: /\b(int4|int8|num|date|ts|tstz)multirange\b/,
    what: 'a multirange type',
  },
  { since: 140_000, types: ['STATISTICS'], words: / on [^;]*\([^;]* from /, what: 'statistics of an expression' },
];

/** A definition that an older server cannot take. */
export interface UnsupportedEntry {
  entry: SchemaEntry;
  what: string;
  /** Major version that can. */
  since: number;
}

/** Names the entries that a server of `version` (`server_version_num`) would refuse, as far as they can be known by their form. */
export function unsupportedEntries(entries: readonly SchemaEntry[], version: number): UnsupportedEntry[] {
  const newer = FEATURES.filter(({ since }) => since > version);
  if (newer.length === 0) return [];
  return entries.flatMap((entry) => {
    const features = newer.filter(({ types }) => types.includes(entry.type));
    if (features.length === 0) return [];
    const text = plainWords(entry.sql);
    return features
      .filter(({ words }) => words.test(text))
      .map(({ what, since }) => ({ entry, what, since: Math.floor(since / 10_000) }));
  });
}

/** The words of a statement, in lower case, names in quotes and strings as `x`; of generated columns without the expression. */
function plainWords(sql: string): string {
  let text = ' ';
  let depth = 0;
  let expression = 0;
  for (const { kind, start, end } of tokens(sql)) {
    if (kind === 'comment') continue;
    const token = sql.slice(start, end);
    if (token === '(') {
      depth += 1;
      if (expression === 0 && / generated always as $/.test(text)) {
        expression = depth;
        text += '(';
        continue;
      }
    }
    if (expression > 0) {
      if (token === ')' && depth === expression) {
        expression = 0;
        text += ')';
      }
      if (token === ')') depth -= 1;
      continue;
    }
    if (token === ')') depth -= 1;
    if (kind === 'space') text = text.endsWith(' ') ? text : `${text} `;
    else if (kind === 'quoted-name' || kind === 'string') text += 'x';
    else text += token.toLowerCase();
    if (token === '(' || token === ',') text += ' ';
  }
  return text.replace(/([(,]) +/g, '$1 ');
}

const MAINTAIN_SINCE = 170_000;
const MULTIRANGES_SINCE = 140_000;

/**
 * The schema as a server of `version` takes it: without the privilege MAINTAIN, which came with PostgreSQL 17, and without the
 * names of the multirange types that each range type has since 14.
 *
 * @returns also a warning for each object that loses the privilege
 */
export function adaptToVersion(schema: SchemaDump, version: number): { schema: SchemaDump; warnings: string[] } {
  const warnings: string[] = [];
  const entries = schema.entries.map((entry) => {
    if (version < MULTIRANGES_SINCE && entry.type === 'TYPE') {
      return { ...entry, sql: withoutMultirangeName(entry.sql) };
    }
    if (version >= MAINTAIN_SINCE || !/ACL$/.test(entry.type) || !entry.sql.includes('MAINTAIN')) return entry;
    const statements = splitStatements(entry.sql);
    const adapted = statements.flatMap(withoutMaintain);
    if (adapted.join() === statements.join()) return entry;
    warnings.push(
      `${entry.schema === null ? '' : `${entry.schema}: `}${entry.name} loses the privilege MAINTAIN, which this server does not have`,
    );
    return { ...entry, sql: adapted.map((statement) => `${statement};\n`).join('') };
  });
  return { schema: { ...schema, entries }, warnings };
}

/** pg_dump writes it behind `AS RANGE (`, on a line of its own with a comma at the end of the one before it or of its own. */
function withoutMultirangeName(sql: string): string {
  if (!/^CREATE TYPE .+ AS RANGE \($/ms.test(sql)) return sql;
  return sql.replace(
    /,\s+multirange_type_name = (?:"(?:[^"]|"")*"|[^\s,")."])+(?:\.(?:"(?:[^"]|"")*"|[^\s,")."])+)?/,
    '',
  );
}

/** The list of privileges stands right after GRANT or REVOKE, or GRANT OPTION FOR. */
function withoutMaintain(statement: string): string[] {
  const list =
    /^((?:ALTER DEFAULT PRIVILEGES .*? )?(?:GRANT|REVOKE(?: GRANT OPTION FOR)?) )([A-Z]+(?:, ?[A-Z]+)*)( ON .*)$/s.exec(
      statement,
    );
  if (!list) return [statement];
  const [, before = '', privileges = '', after = ''] = list;
  const left = privileges.split(/, ?/).filter((privilege) => privilege !== 'MAINTAIN');
  return left.length === 0 ? [] : [`${before}${left.join(',')}${after}`];
}
