import { quoteIdentifier } from '../../../shared/postgres/identifiers.ts';

/** Every built-in type that a column can have, with its extreme and odd values. */
export function valuesSql(version: number): string {
  const infiniteNumeric = version >= 14 ? ", 'Infinity', '-Infinity'" : '';
  const infiniteInterval = version >= 17 ? ", 'infinity', '-infinity'" : '';
  const column = (type: string, values: string): string => {
    const table = quoteIdentifier(type);
    // array_agg makes no array of these two, which are arrays themselves.
    const aggregate = type.endsWith('vector')
      ? ''
      : `INSERT INTO ${table} (vs) SELECT array_agg(v ORDER BY n) FROM ${table};`;
    return `
CREATE TABLE ${table} (n serial, v ${type}, vs ${type}[]);
INSERT INTO ${table} (v) SELECT unnest(ARRAY[${values}]::${type}[]);
INSERT INTO ${table} (v) VALUES (NULL);
${aggregate}
INSERT INTO ${table} (vs) VALUES ('{}'), ('{NULL}'), (ARRAY[ARRAY[NULL, NULL], ARRAY[NULL, NULL]]::${type}[]);
INSERT INTO ${table} (vs) SELECT ('[-2:-1][5:6]=' || ARRAY[ARRAY[v, NULL], ARRAY[NULL, v]]::text)::${type}[] FROM ${table} WHERE v IS NOT NULL ORDER BY n LIMIT 1;
`;
  };
  return `
CREATE SCHEMA "values";
SET search_path = "values";
${Object.entries({
  ...builtInValues,
  ...(version >= 14 ? multirangeValues : {}),
  numeric: `${extremeNumerics}${infiniteNumeric}`,
  interval: `${intervals}${infiniteInterval}`,
})
  .map(([type, values]) => column(type, values))
  .join('')}
CREATE TABLE "row of all" (i int, t text) ;
CREATE TABLE composite_of_table (r "row of all", rs "row of all"[]);
INSERT INTO composite_of_table VALUES (ROW(1, 'x'), ARRAY[ROW(NULL, '')::"row of all", NULL]);
CREATE TABLE json_like (j json, b jsonb, p jsonpath);
INSERT INTO json_like VALUES
 ('{"b":1, "a" : [1.0, 1e400, "\\u00e4\\ud83d\\ude00", null], "b":2}', '{"b":1, "a":[1.0, 1e100, "\\u00e4\\ud83d\\ude00", null], "b":2}', '$.a[*] ? (@ > 1).b'),
 ('  []  ', '[]', 'strict $'), ('"\\\\n\\\\t\\\\\\\\."', '"\\\\n\\\\t\\\\\\\\."', NULL), ('null', 'null', NULL), (NULL, NULL, NULL),
 ('-0', '-0.0', '$."odd key".**{2 to last}');
CREATE TABLE xmls (x xml, xs xml[]);
INSERT INTO xmls VALUES ('<?xml version="1.0"?><a b="1">t &amp; <![CDATA[<x>]]></a>', '{<a/>}'), ('just content <b/>', NULL), ('', '{}'), (NULL, NULL);
CREATE TABLE vectors (v tsvector, q tsquery);
INSERT INTO vectors VALUES ('a:1A fat:2B,4C cat:5 ''it''''s'':7 ''b\\\\s'':8', '!fat & (rat:AB <2> cat:* | ''odd word'')'), ('', ''), (NULL, NULL),
 (to_tsvector('english', 'The quick brown foxes jumped over'), to_tsquery('english', 'jumping & foxes'));
CREATE TABLE registered (c regclass, p regproc, pr regprocedure, o regoper, opr regoperator, t regtype, n regnamespace, r regrole, cfg regconfig, d regdictionary, col regcollation);
INSERT INTO registered VALUES ('"values"."row of all"', 'pg_catalog.now', 'pg_catalog.abs(int)', 'pg_catalog.||/', '+(int,int)', 'numeric(10,2)[]', '"values"', 'everything_reader', 'english', 'simple', '"C"'), (0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0), (1259, NULL, NULL, NULL, NULL, 'text', 'pg_catalog', NULL, NULL, NULL, NULL);
CREATE TABLE many_columns (${Array.from({ length: 300 }, (_, at) => `c${at} ${at % 3 === 0 ? 'int' : at % 3 === 1 ? 'text' : 'boolean'}`).join(', ')});
INSERT INTO many_columns (c0, c1, c299) VALUES (1, 'x', true), (NULL, NULL, NULL);
RESET search_path;
`;
}

const digits = (count: number): string => '1234567890'.repeat(Math.ceil(count / 10)).slice(0, count);

const extremeNumerics = `0, 0.0, 0.00000, -0, 1.10, 1.1, 'NaN', ${digits(1000)}.${digits(1000)}, '1e-1000', '1e5000', -0.${'0'.repeat(50)}1, 'NaN'`;
const intervals = `'0', '1 year 2 months 3 days 04:05:06.789012', '-1 year 2 months -3 days +04:05:06', '178000000 years', '-178000000 years', '25:00:00', '-00:00:00.000001', '1 mon -1 day'`;

/** Values by type. */
const builtInValues = {
  smallint: '-32768, 0, 32767',
  integer: "'-2147483648', 0, 2147483647",
  bigint: "'-9223372036854775808', 0, 9223372036854775807",
  'numeric(1000,500)': `1, ${digits(499)}.${digits(499)}`,
  'numeric(5,2)': "999.99, -0.01, 'NaN', 0",
  real: "'NaN', 'Infinity', '-Infinity', '-0', 0, 1e-45, 3.4028235e38, 0.1, 1.1754944e-38, 16777217",
  'double precision':
    "'NaN', 'Infinity', '-Infinity', '-0', 0, 5e-324, 1.7976931348623157e308, 0.1, '0.30000000000000004', 9007199254740993",
  money: "'-92233720368547758.08', '92233720368547758.07', '0.01'",
  boolean: 'true, false',
  '"char"': "'a', '', '\\\\', ' ', '''', '\\001'",
  'char(5)': "'a', '     ', '', 'ü', '🐘', 'abc  '",
  'varchar(5)': "'a', '     ', '', 'ü  ', '🐘🐘🐘🐘🐘', ' b '",
  text: "E'\\t', E'\\n', E'\\r', E'\\r\\n', E'\\b\\f\\v', E'\\\\', E'\\\\.', E'\\\\.\\n', E'\\n\\\\.\\n', E'\\\\N', E'\\\\n', 'NULL', '\"', '''', '{a,b}', '', ' ', '🐘', E'\\u0001\\u007f\\u0085\\u2028\\ufeff', 'e\u0301 é', repeat(E'\\\\\\n', 100)",
  name: "'a', '', 'Pg Name', repeat('x', 63)",
  bytea: "'', '\\x00', '\\x5c2e0a', '\\xdeadbeef00ff', decode(repeat('00ff5c', 1000), 'hex')",
  date: "'4713-01-01 BC', '5874897-12-31', '0001-12-31 BC', '0001-01-01', '2000-02-29', 'infinity', '-infinity'",
  time: "'00:00', '24:00', '23:59:59.999999', '12:34:56.000001'",
  'time(2)': "'00:00', '23:59:59.99'",
  timetz: "'00:00+15:59', '24:00-15:59', '23:59:59.999999+05:30', '12:00:00+00:00:01'",
  timestamp:
    "'4713-01-01 00:00 BC', '294276-12-31 23:59:59.999999', '0001-12-31 23:59:59.5 BC', 'infinity', '-infinity', '2000-01-01', '1999-12-31 23:59:59.999999'",
  timestamptz:
    "'4713-01-02 00:00+00 BC', '294276-12-31 23:59:59.999999+00', 'infinity', '-infinity', '2024-03-31 01:30+01', '1883-11-18 12:03:58-04:56:02'",
  'timestamptz(3)': "'2024-01-01 00:00:00.123+00'",
  'interval year to month': "'1-2', '-1-2'",
  uuid: "'00000000-0000-0000-0000-000000000000', 'ffffffff-ffff-ffff-ffff-ffffffffffff'",
  inet: "'0.0.0.0/0', '192.168.1.5/24', '::1', 'fe80::1/10', '::ffff:1.2.3.4/128'",
  cidr: "'0.0.0.0/0', '10.1.0.0/16', '2001:db8::/32'",
  macaddr: "'00:00:00:00:00:00', 'ff:ff:ff:ff:ff:fe'",
  macaddr8: "'00:00:00:00:00:00:00:00', '08:00:2b:01:02:03:04:05'",
  'bit(3)': "B'000', B'101'",
  varbit: "B'', B'1', B'10101010101010101'",
  'varbit(4)': "B'', B'1111'",
  point: "'(0,-0)', '(NaN,Infinity)', '(1e-300,1e300)'",
  line: "'{1,-1,0}', '{0.1,0.2,0.3}'",
  lseg: "'[(0,0),(1,1)]'",
  path: "'[(0,0),(1,1),(2,0)]', '((0,0),(1,1),(2,0))'",
  polygon: "'((0,0),(1,1),(2,0))'",
  circle: "'<(0.1,0.2),3.4>'",
  oid: '0, 4294967295',
  xid: "'0', '4294967295'",
  xid8: "'0', '18446744073709551615'",
  cid: "'0', '4294967295'",
  tid: "'(0,1)', '(4294967295,65535)'",
  pg_lsn: "'0/0', 'FFFFFFFF/FFFFFFFF'",
  pg_snapshot: "'10:20:10,14,15', '1:1:'",
  txid_snapshot: "'10:20:10,14,15', '1:1:'",
  int2vector: "'1 2 3', ''",
  oidvector: "'1 2 4294967295', ''",
  int4range: "'empty', '(,)', '[1,5]', '[,-7)'",
  int8range: "'empty', '[-9223372036854775808,9223372036854775807)'",
  numrange: "'[1.10,1.1]', '(0.1,NaN]', 'empty'",
  tsrange: `'[2020-01-01,infinity)', '["2020-01-01 00:00:00.000001",)'`,
  tstzrange: `'["2020-01-01 00:00+00","2020-01-02 00:00+00")', '(-infinity,infinity)'`,
  daterange: "'[-infinity,2020-01-01]', '(,infinity)'",
  aclitem: "'everything_owner=r*/everything_reader', '=X/everything_owner'",
  refcursor: "'a cursor', ''",
  box: "'(1,1),(0,0)', '(Infinity,NaN),(-Infinity,-0)'",
};

const multirangeValues = {
  int4multirange: "'{}', '{[1,3),[7,8)}', '{(,)}'",
  int8multirange: "'{}', '{[-9223372036854775808,0),(5,)}'",
  nummultirange: "'{}', '{[1.0,2.00),(3.5,)}'",
  tsmultirange: `'{}', '{["2020-01-01 00:00","2020-01-02 00:00")}'`,
  tstzmultirange: `'{}', '{["2020-01-01 00:00+00",infinity)}'`,
  datemultirange: "'{}', '{[2020-01-01,2020-02-01),[2021-01-01,)}'",
};
