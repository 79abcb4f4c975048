/** Names that a program which quotes, splits, escapes or cuts carelessly gets wrong. */
const long = 'ü'.repeat(31);
const line = `a "quoted" name\nwith a line; -- and \\ a 'tick'`;
const path = '../up/%2F%00 *?~!()[]{}<>|&$`#';

const quoted = (name: string): string => `"${name.replaceAll('"', '""')}"`;
const schemas = [
  line,
  path,
  `${long}x`,
  'SELECT',
  ' ',
  '.',
  '漢字 😀',
  "it's",
  '%s',
  '%I',
  'pgdata',
  'Pg_Temp_1',
  'PUBLIC',
];
const tables = [
  line,
  path,
  `${long}y`,
  'table',
  ' leading',
  'trailing ',
  '..',
  '🐘',
  '$$',
  '\\.',
  '\t',
  'CamelCase',
  "'; DROP TABLE x; --",
];
const columns = [line, path, `${long}z`, 'select', ' ', '.', 'ctid2', 'oid', '😀', '\\N', '\t', 'Mixed', 'é'];

export const namesSql = (): string =>
  schemas
    .map((schema, index) => {
      const table = tables[index % tables.length] ?? 'x';
      const name = `${quoted(schema)}.${quoted(table)}`;
      const all = columns.slice(0, index % 2 === 0 ? columns.length : 5);
      return `
CREATE SCHEMA ${quoted(schema)};
CREATE TABLE ${name} (id int PRIMARY KEY, ${all.map((column, n) => `${quoted(column)} text DEFAULT 'value ${n}'`).join(', ')});
INSERT INTO ${name} (id) SELECT generate_series(1, ${index + 3});
CREATE INDEX ${quoted(`index of ${table}`.slice(0, 30))} ON ${name} (lower(${quoted(all[0] ?? '')})) WHERE ${quoted(all[1] ?? '')} <> ';';
CREATE SEQUENCE ${quoted(schema)}.${quoted(`s ${table}`.slice(0, 30))} START ${index + 1};
CREATE VIEW ${quoted(schema)}.${quoted(`v ${table}`.slice(0, 30))} AS SELECT * FROM ${name};
COMMENT ON TABLE ${name} IS E'about; it''s\\n-- ${index}';
COMMENT ON COLUMN ${name}.${quoted(all[0] ?? '')} IS E'\\\\.';`;
    })
    .join('\n');
