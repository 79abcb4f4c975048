/** A value, or several, of every built-in type, and of types made from them; the extremes and what escapes badly among them. */
export const typesSql = (version: number): string => String.raw`
CREATE SCHEMA types;
SET search_path = types, public;

CREATE TYPE mood AS ENUM ('sad', 'it''s ok', 'happy; \.', 'with "quotes"', '😀');
CREATE TYPE place AS (x float8, "the y" numeric(12,3), tags text[]);
CREATE TYPE journey AS (name text, start place, stops place[], felt mood);
CREATE DOMAIN positive AS int CONSTRAINT "above zero" CHECK (VALUE > 0);
CREATE DOMAIN postal_code AS text COLLATE "C" DEFAULT '00000' NOT NULL CHECK (VALUE ~ '^.{1,10}$');
CREATE DOMAIN positives AS positive[] CHECK (cardinality(VALUE) < 5);
CREATE DOMAIN checked_place AS place CHECK ((VALUE).x > 0);
CREATE TYPE float_span AS RANGE (subtype = float8, subtype_diff = float8mi);
CREATE TYPE text_span AS RANGE (subtype = text, collation = "C");
COMMENT ON TYPE mood IS 'How it is; isn''t it?';
COMMENT ON DOMAIN positive IS E'Never zero\n\\. and never less';
COMMENT ON CONSTRAINT "above zero" ON DOMAIN positive IS 'for a reason';

CREATE TABLE numbers (
  id int PRIMARY KEY, small int2, whole int4, big int8, exact numeric, fixed numeric(20,10), rounded numeric(${version >= 15 ? '5,-2' : '5'}),
  single float4, twice float8, cash money, yes bool
);
INSERT INTO numbers VALUES
  (1, -32768, -2147483648, -9223372036854775808, 'NaN', 'NaN', 'NaN', 'NaN', 'NaN', '-92233720368547758.08', true),
  (2, 32767, 2147483647, 9223372036854775807, ${version >= 14 ? "'Infinity'" : '1e100'}, 9999999999.9999999999, 12345, 'Infinity', 'Infinity',
     '92233720368547758.07', false),
  (3, 0, 0, 0, ${version >= 14 ? "'-Infinity'" : '-1e100'}, -0.0000000001, 99900, '-Infinity', '-Infinity', 0, NULL),
  (4, NULL, NULL, NULL, 0.000, 0, 0, '-0', '-0', '0.01', NULL),
  (5, 1, 1, 1, ('1' || repeat('0', 1000) || '.' || repeat('9', 1000))::numeric, 1.5, 150, '1e-45', '4.9e-324', 1, true),
  (6, 2, 2, 2, ('-' || repeat('7', 131072))::numeric, 2, -250, '3.4028235e38', '1.7976931348623157e308', 2, true),
  (7, 3, 3, 3, 0.1, 0.1, 1, 0.1, 0.30000000000000004, 3, true),
  (8, 4, 4, 4, ('0.' || repeat('0', 16000) || '1')::numeric, 4, 4, 16777217, 9007199254740993, 4, true);

CREATE TABLE texts (
  id int PRIMARY KEY, plain text, limited varchar(20), padded char(6), single "char", called name, code postal_code
);
INSERT INTO texts VALUES
  (1, '', '', '', '', '', 'x'),
  (2, NULL, NULL, NULL, NULL, NULL, '12345'),
  (3, E'tab\there', E'a\tb', E'a\tb', E'\t', E'new\nline', E'\n'),
  (4, E'line\nbreak\r\ncarriage\rreturn', E'\r\n', E'\r', E'\n', E'tab\t', E'\\.'),
  (5, E'\\.', E'\\.', E'\\.', E'\\', E'\\.', E'\\N'),
  (6, E'\\N', E'\\N', E'\\N', 'N', E'\\N', 'NULL'),
  (7, E'\\\\ \\t \\x41 \\101 \b\f\v', E'\\\\', E'\\b', '"', 'two "quotes"', '''"'),
  (8, '😀 Ünïcödé 漢字 ‏עברית‏ é (combining) ‍👩‍👩‍👧', '漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字', '漢字', 'z', repeat('ü', 31), '🐘'),
  (9, E'\x01\x02\x7f', ' leading', 'a  ', ' ', ' x ', ' '),
  (10, repeat('x', 10000), 'trailing ', '123456', '\200', 'NULL', '1234567890'),
  (11, E'\\.\n', '{}', '()', '{', '$$', '$1'),
  (12, (SELECT string_agg(chr(code), '') FROM generate_series(1, 1200) AS code), 'all', 'all', '~', 'all', 'all');

CREATE TABLE bytes (id int PRIMARY KEY, content bytea);
INSERT INTO bytes VALUES (1, ''), (2, NULL), (3, '\x00'), (4, '\x5c2e0a'), (5, '\x5c785c'),
  (6, (SELECT decode(string_agg(lpad(to_hex(byte), 2, '0'), '' ORDER BY byte), 'hex') FROM generate_series(0, 255) AS byte)),
  (7, decode(repeat('00ff', 5000), 'hex'));

CREATE TABLE times (
  id int PRIMARY KEY, day date, at timestamp, zoned timestamptz, clock time, zoned_clock timetz, took interval,
  rounded timestamp(0), coarse interval(2)
);
INSERT INTO times VALUES
  (1, 'infinity', 'infinity', 'infinity', '00:00', '00:00+15:59:59', '0', '2020-01-01 00:00:00.6', '1.239 s'),
  (2, '-infinity', '-infinity', '-infinity', '24:00:00', '24:00-15:59:59', '-178000000 years', 'infinity', '0'),
  (3, '4713-01-01 BC', '4713-01-01 00:00 BC', '4713-01-01 00:00+00 BC', '23:59:59.999999', '12:00+05:30', '178000000 years', '0044-03-15 BC', '1 day'),
  (4, '5874897-12-31', '294276-12-31 23:59:59.999999', '294276-12-31 23:59:59.999999+00', '00:00:00.000001',
     '00:00:00.000001-03:30:52', '1 year -2 months 3 days -04:05:06.789', 'epoch', '-1 year'),
  (5, 'epoch', 'epoch', 'epoch', NULL, NULL, '-1 mon +1 day -00:00:00.000001', '0001-01-01 BC', '1 mon -1 day'),
  (6, '0001-01-01', '1883-11-18 12:03:57', '1800-01-01 00:00:00 America/New_York', '12:34:56.5', '12:34:56.5Z', '1000000:00:00', '1999-12-31 23:59:59.5', '0.005'),
  (7, '1900-02-28', '2021-03-28 02:30', '2021-10-31 02:30:00+01', '01:02', '01:02+00', 'P1Y2M3DT4H5M6S', '2020-02-29', '1 s');

CREATE TABLE arrays (
  id int PRIMARY KEY, whole int[], words text[], deep text[][], bounded int[], moods mood[], places place[], bin bytea[],
  strict positives, docs jsonb[], moments timestamptz[], real float8[]
);
INSERT INTO arrays VALUES
  (1, '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}'),
  (2, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
  (3, '{1,NULL,3}', ARRAY[NULL, 'NULL', '', ' ', '"', E'\\', '{', '}', ',', E'\n', E'\t', '😀', E'\\.'],
     ARRAY[ARRAY['a', NULL], ARRAY['c"', E'd\\']], '[-2:0]={7,8,9}', '{sad,"it''s ok","😀",NULL}',
     ARRAY[ROW(1, 2, '{a,NULL,"b,c"}')::place, NULL, ROW(NULL, NULL, NULL)::place], ARRAY['\x00ff'::bytea, '\x5c', '', NULL],
     '{1,2}', ARRAY['{"a": [1, "\"q\""]}'::jsonb, 'null', NULL], '{infinity,"2020-01-01 00:00+00",NULL}', '{NaN,Infinity,-0,1e-300}'),
  (4, '{{{1,2},{3,4}},{{5,6},{7,8}}}', '{a}', '{{{{{{x}}}}}}', '[0:1][-5:-4]={{1,2},{3,4}}', '{}', '{}', '{}', '{7}', '{}', '{}', '{0.1}');

CREATE TABLE ranges (
  id int PRIMARY KEY, i4 int4range, i8 int8range, n numrange, ts tsrange, tz tstzrange, d daterange, f float_span, t text_span
  ${version >= 14 ? ', mi int4multirange, mn nummultirange, mt tstzmultirange, mf float_span_multirange' : ''}
);
INSERT INTO ranges (id, i4, i8, n, ts, tz, d, f, t) VALUES
  (1, 'empty', 'empty', 'empty', 'empty', 'empty', 'empty', 'empty', 'empty'),
  (2, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
  (3, '(,)', '[,5)', '(0.1,NaN]', '[-infinity,infinity]', '(,"2020-01-01 00:00+00")', '[2020-02-28,2020-02-29]', '[-Infinity,0)', '["a,b","c)"""]'),
  (4, '[1,2]', '(1,9223372036854775806]', '[1.0,1.00]', '["2000-01-01 00:00","2000-01-01 00:00:00.000001")', '[epoch,infinity)', '(,infinity)', '(0,1e308]', '("",😀)');
${
  version >= 14
    ? `
UPDATE ranges SET mi = '{}', mn = '{[1,2),(3.5,)}', mt = '{}', mf = '{[0,1]}' WHERE id = 1;
UPDATE ranges SET mi = '{[1,3),[7,8)}', mn = '{(,)}', mt = '{["2020-01-01 00:00+00","2020-01-02 00:00+00")}', mf = '{(,0),(1,)}' WHERE id = 3;`
    : ''
}

CREATE TABLE composites (id int PRIMARY KEY, at place, trip journey, area checked_place, plenty positive, felt mood);
INSERT INTO composites VALUES
  (1, ROW('NaN', 'NaN', '{}'), ROW('', NULL, '{}', 'sad'), ROW(1, NULL, NULL), 1, 'sad'),
  (2, NULL, ROW(NULL, NULL, NULL, NULL), NULL, NULL, NULL),
  (3, ROW(NULL, NULL, NULL), ROW(E'tab\t"quote" \\ (paren), comma\n', ROW(-0.0, 1.5, ARRAY[E'a"b\\c', NULL, '']),
     ARRAY[ROW(1, 1, '{}')::place, NULL], 'happy; \.'), ROW('Infinity', 0, '{x}'), 2147483647, 'with "quotes"');

CREATE TABLE documents (id int PRIMARY KEY, kept json, parsed jsonb, path jsonpath, mark xml);
INSERT INTO documents VALUES
  (1, '{"a":1,  "a":2 , "b":[ ]}', '{"a":1,"a":2,"b":[]}', '$.a[*] ? (@ > 1 && @.b == "x\"y")', '<a b="c">d &amp; e</a>'),
  (2, 'null', 'null', 'strict $', ''),
  (3, NULL, NULL, NULL, NULL),
  (4, '"\u00e9 \ud83d\ude00 \\ \n"', '"\u00e9 \ud83d\ude00 \\ \n \t"', 'lax $."key with \"quotes\""', 'just text, <b>then</b> a fragment'),
  (5, '1e1000', '1.10000000000000000000000000000000001', '$[last, 0 to 2].size()', E'<x>tab\tand\nline \\. </x>'),
  (6, '[[[[[[]]]]]]', ('{"long": "' || repeat('é', 20000) || '", "n": [' || repeat('0,', 5000) || '0]}')::jsonb, '$', '<?xml version="1.0"?><!-- c --><r><![CDATA[ <>& ]]></r>');

CREATE TABLE searches (id int PRIMARY KEY, vector tsvector, query tsquery);
INSERT INTO searches VALUES
  (1, to_tsvector('english', 'The quick brown foxes'' jumps: over the lazy dogs'), to_tsquery('english', 'fox & (dog | !cat) <2> jump')),
  (2, '', ''), (3, NULL, NULL),
  (4, '''it''''s'':1A,3B ''back\\slash'':2 😀:4C', '''it''''s'':AB & ''a b'':*'),
  (5, setweight('a:1 b:2'::tsvector, 'D'), 'a <-> b');

CREATE TABLE networks (id int PRIMARY KEY, host inet, net cidr, mac macaddr, mac8 macaddr8);
INSERT INTO networks VALUES
  (1, '0.0.0.0', '0.0.0.0/0', '00:00:00:00:00:00', 'ff:ff:ff:ff:ff:ff:ff:ff'),
  (2, '192.168.1.7/24', '192.168.1.0/24', '08:00:2b:01:02:03', '08:00:2b:ff:fe:01:02:03'),
  (3, '::1', '::/0', NULL, NULL), (4, '2001:db8::ffff:1.2.3.4/64', '2001:db8::/32', 'ff:ff:ff:ff:ff:ff', '00:00:00:00:00:00:00:00'),
  (5, '::ffff:1.2.3.4/128', '10.1.2.3/32', NULL, NULL);

CREATE TABLE bits (id int PRIMARY KEY, fixed bit(5), vary varbit(40), free varbit);
INSERT INTO bits VALUES (1, B'00000', B'', B''), (2, B'10101', B'1', (repeat('10', 1000))::varbit), (3, NULL, NULL, NULL);

CREATE TABLE shapes (
  id int PRIMARY KEY, spot point, straight line, piece lseg, frame box, way path, area polygon, round circle
);
INSERT INTO shapes VALUES
  (1, '(0,-0)', '{1,-1,0}', '[(0,0),(1,1)]', '(1,1),(0,0)', '[(0,0),(1,1)]', '((0,0),(1,1),(1,0))', '<(0,0),1>'),
  (2, '(NaN,Infinity)', '{0,1,0.1}', '[(1e-300,1e300),(-1,-1)]', '(Infinity,Infinity),(-Infinity,-Infinity)', '((0,0),(1,1),(2,0))', '((0.1,0.2))', '<(0.1,0.2),0>'),
  (3, NULL, NULL, NULL, NULL, NULL, NULL, NULL);

CREATE FUNCTION named_function(int, text) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT $1';
CREATE TABLE systems (
  id int PRIMARY KEY, u uuid, lsn pg_lsn, row_id tid, o oid, t xid, t8 xid8, c cid, snap pg_snapshot, old_snap txid_snapshot,
  class regclass, kind regtype, proc regproc, full_proc regprocedure, op regoper, full_op regoperator, role_ regrole, space regnamespace,
  config regconfig, dict regdictionary, coll regcollation, vec oidvector, vec2 int2vector, acl aclitem, acls aclitem[]
);
INSERT INTO systems VALUES
  (1, '00000000-0000-0000-0000-000000000000', '0/0', '(0,0)', 0, '0', '0', '0', '1:1:', '10:20:10,14,15', '-', '-', '-', '-', '0', '0', '-', '-', '-', '-', '-', '', '', NULL, '{}'),
  (2, 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', 'FFFFFFFF/FFFFFFFF', '(4294967295,65535)', 4294967295, '4294967295', '18446744073709551615',
     '4294967295', '10:20:10,14,15', '1:1:', 'types.numbers', 'types.mood[]', 'pg_catalog.now', 'types.named_function(int,text)',
     'pg_catalog.||/', 'pg_catalog.+(int,int)', 'everything_owner', 'types', 'pg_catalog.english', 'pg_catalog.simple', '"C"', '1 2 3', '-1 0 1',
     'everything_reader=r*/everything_owner', '{everything_reader=r/everything_owner}'),
  (3, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
RESET search_path;
`;
