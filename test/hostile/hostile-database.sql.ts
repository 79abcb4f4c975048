import { forgedMessages as forged } from '../changes/support/hostile-messages.sql.ts';
import { tripSql } from './tripwire.ts';

/**
 * What the owner of a database can put into it: every kind of object that carries code and that an ordinary login may create, each with a
 * tripwire. Run as the owner.
 */
export const hostileSql = (version: number): string => `
CREATE SCHEMA evil;
GRANT USAGE ON SCHEMA evil TO PUBLIC;
${tripSql('evil')}

-- Functions and operators in place of the server's own, for whoever has this schema in the search path.
CREATE FUNCTION evil.current_setting(text) RETURNS text LANGUAGE plpgsql AS $$ BEGIN PERFORM evil.trip('function'); RETURN pg_catalog.current_setting($1); END $$;
CREATE FUNCTION evil.format(text, VARIADIC text[]) RETURNS text LANGUAGE plpgsql AS $$ BEGIN PERFORM evil.trip('function'); RETURN ''; END $$;
CREATE FUNCTION evil.count(anyelement) RETURNS bigint LANGUAGE plpgsql AS $$ BEGIN PERFORM evil.trip('function'); RETURN 0; END $$;
CREATE FUNCTION evil.now() RETURNS timestamptz LANGUAGE plpgsql AS $$ BEGIN PERFORM evil.trip('function'); RETURN pg_catalog.now(); END $$;
CREATE FUNCTION evil.equal(name, text) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN PERFORM evil.trip('operator'); RETURN $1::text OPERATOR(pg_catalog.=) $2; END $$;
CREATE FUNCTION evil.equal(oid, int4) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN PERFORM evil.trip('operator'); RETURN $1::int8 OPERATOR(pg_catalog.=) $2::int8; END $$;
CREATE FUNCTION evil.equal(name, name) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN PERFORM evil.trip('operator'); RETURN $1::text OPERATOR(pg_catalog.=) $2::text; END $$;
CREATE FUNCTION evil.equal(oid, oid) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN PERFORM evil.trip('operator'); RETURN $1::int8 OPERATOR(pg_catalog.=) $2::int8; END $$;
CREATE FUNCTION evil.div(int4, float8) RETURNS float8 LANGUAGE plpgsql AS $$ BEGIN PERFORM evil.trip('operator'); RETURN $1::float8 OPERATOR(pg_catalog./) $2; END $$;
CREATE OPERATOR evil.= (LEFTARG = name, RIGHTARG = text, FUNCTION = evil.equal);
CREATE OPERATOR evil.= (LEFTARG = oid, RIGHTARG = int4, FUNCTION = evil.equal);
CREATE OPERATOR evil.= (LEFTARG = name, RIGHTARG = name, FUNCTION = evil.equal);
CREATE OPERATOR evil.= (LEFTARG = oid, RIGHTARG = oid, FUNCTION = evil.equal);
CREATE OPERATOR evil./ (LEFTARG = int4, RIGHTARG = float8, FUNCTION = evil.div);

-- What evaluates an expression when rows are written, read, compared, cast or indexed.
-- A restore of chosen tables brings what they depend on, which the tripwire is not.
CREATE FUNCTION evil.passes(kind text, value text) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
  IF pg_catalog.to_regprocedure('evil.trip(text)') IS NOT NULL THEN PERFORM evil.trip(kind); END IF;
  RETURN true;
END $$;
CREATE FUNCTION evil.same(kind text, value text) RETURNS text IMMUTABLE LANGUAGE plpgsql AS $$
BEGIN
  IF pg_catalog.to_regprocedure('evil.trip(text)') IS NOT NULL THEN PERFORM evil.trip(kind); END IF;
  RETURN value;
END $$;
CREATE DOMAIN evil.mail AS text CHECK (evil.passes('domain', VALUE));
CREATE TYPE evil.mood AS ENUM ('good', 'bad');
CREATE FUNCTION evil.mood_as_text(evil.mood) RETURNS text LANGUAGE plpgsql AS $$ BEGIN PERFORM evil.trip('cast'); RETURN 'good'; END $$;
CREATE FUNCTION evil.text_as_mood(text) RETURNS evil.mood LANGUAGE plpgsql AS $$ BEGIN PERFORM evil.trip('cast'); RETURN 'good'; END $$;
CREATE CAST (evil.mood AS text) WITH FUNCTION evil.mood_as_text AS ASSIGNMENT;
CREATE CAST (text AS evil.mood) WITH FUNCTION evil.text_as_mood AS ASSIGNMENT;
CREATE TYPE evil.pair AS (mail evil.mail, mood evil.mood);
CREATE FUNCTION evil.distance(int4, int4) RETURNS float8 IMMUTABLE LANGUAGE plpgsql AS $$
BEGIN
  IF pg_catalog.to_regprocedure('evil.trip(text)') IS NOT NULL THEN PERFORM evil.trip('range'); END IF;
  RETURN 0;
END $$;
CREATE TYPE evil.span AS RANGE (subtype = int4, subtype_diff = evil.distance);
CREATE TABLE evil.people (
  id int PRIMARY KEY, email evil.mail, note text DEFAULT evil.same('default', 'x') CHECK (evil.passes('check', note)),
  mood evil.mood, pair evil.pair, span evil.span, emails evil.mail[],
  made text GENERATED ALWAYS AS (evil.same('generated column', note)) STORED);
CREATE FUNCTION evil.on_row() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM evil.trip('trigger'); RETURN NEW; END $$;
INSERT INTO evil.people SELECT n, 'p' || n || '@mail.example', 'note ' || n, 'good'::evil.mood, '(a@mail.example,bad)', '[1,2]', ARRAY['b@mail.example']
  FROM generate_series(1, 20) n;
CREATE INDEX on_expression ON evil.people (evil.same('index expression', note));
CREATE INDEX on_condition ON evil.people (id) WHERE evil.same('index condition', note) <> '';
CREATE INDEX on_span ON evil.people USING gist (span);
${version >= 14 ? "CREATE STATISTICS evil.of_expression ON (evil.same('statistics', note)), id FROM evil.people;\nCREATE STATISTICS evil.of_constant ON (evil.same('constant of statistics', 'x') || note), id FROM evil.people;" : ''}
-- Parts of expressions without a column are computed as a statement is planned, and as a table is opened.
CREATE INDEX constant_condition ON evil.people (id) WHERE evil.same('constant of an index condition', 'x') <> '' AND id > 0;
CREATE INDEX constant_part ON evil.people ((evil.same('constant of an index', 'x') || note));
ALTER TABLE evil.people ADD CONSTRAINT constant_check CHECK (evil.same('constant of a check', 'x') <> '' OR id > 0);
CREATE TRIGGER each_row BEFORE INSERT OR UPDATE ON evil.people FOR EACH ROW EXECUTE FUNCTION evil.on_row();
CREATE CONSTRAINT TRIGGER later AFTER INSERT OR UPDATE ON evil.people DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION evil.on_row();
CREATE TABLE evil.parts (k text, n int) PARTITION BY LIST (evil.same('partition key', k));
CREATE TABLE evil.parts_a PARTITION OF evil.parts FOR VALUES IN ('a');
CREATE TABLE evil.parts_others PARTITION OF evil.parts DEFAULT;
INSERT INTO evil.parts VALUES ('a', 1), ('b', 2);
CREATE TABLE evil.constant_parts (k text, n int) PARTITION BY LIST ((evil.same('constant of a partition key', '') || k));
CREATE TABLE evil.constant_parts_a PARTITION OF evil.constant_parts FOR VALUES IN ('a');
CREATE TABLE evil.constant_parts_others PARTITION OF evil.constant_parts DEFAULT;
INSERT INTO evil.constant_parts VALUES ('a', 1), ('b', 2);
CREATE TABLE evil.large AS SELECT n, repeat('x', 1000) AS text FROM generate_series(1, 3000) n;
ANALYZE evil.large;
CREATE INDEX constant_of_large ON evil.large (n) WHERE evil.same('constant of an index condition', 'x') <> '' AND n > 0;
CREATE TABLE evil.generated (made text GENERATED ALWAYS AS (evil.same('generated column', 'x')) STORED);
INSERT INTO evil.generated DEFAULT VALUES;
CREATE INDEX constant_of_generated ON evil.generated (made) WHERE evil.same('constant of an index condition', 'x') <> '' AND made <> '';
CREATE TABLE evil.ruled (n int);
CREATE RULE noisy AS ON INSERT TO evil.ruled DO ALSO SELECT evil.trip('rule');
CREATE TABLE evil.guarded (n int, owner text);
INSERT INTO evil.guarded VALUES (1, 'somebody');
ALTER TABLE evil.guarded ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY noisy ON evil.guarded USING (evil.passes('policy', owner));
CREATE VIEW evil.seen AS SELECT evil.trip('view') AS tripped, id FROM evil.people;
CREATE MATERIALIZED VIEW evil.kept AS SELECT evil.trip('materialized view') AS tripped, id FROM evil.people;
CREATE PROCEDURE evil.act() LANGUAGE plpgsql AS $$ BEGIN PERFORM evil.trip('procedure'); END $$;
CREATE FUNCTION evil.add(text, text) RETURNS text LANGUAGE plpgsql AS $$ BEGIN PERFORM evil.trip('aggregate'); RETURN ''; END $$;
CREATE AGGREGATE evil.max(text) (SFUNC = evil.add, STYPE = text);
CREATE FUNCTION evil.on_ddl() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM evil.trip(pg_catalog.concat('event trigger ', TG_EVENT)); END $$;
SELECT pg_catalog.lo_from_bytea(0, 'of the owner');
`;

/**
 * Event triggers, which a superuser has made for an application with a function of its owner: whoever runs a command, or from 17 on logs in, runs
 * what the owner makes of it.
 */
export const eventTriggersSql = (version: number): string =>
  ['ddl_command_start', 'ddl_command_end', 'sql_drop', 'table_rewrite', ...(version >= 17 ? ['login'] : [])]
    .map(
      (event) => `
CREATE EVENT TRIGGER evil_${event} ON ${event} EXECUTE FUNCTION evil.on_ddl();
ALTER EVENT TRIGGER evil_${event} ENABLE ALWAYS;`,
    )
    .join('');

/** Settings that an owner gives a database: the last thing, as they hold for every session after it. */
export const hostileSettings = (database: string, owner: string): string[] =>
  [
    'search_path = evil, pg_catalog, public',
    `role = ${owner}`,
    'row_security = on',
    'standard_conforming_strings = off',
    'transform_null_equals = on',
    'default_transaction_isolation = serializable',
    "datestyle = 'SQL, DMY'",
    'bytea_output = escape',
    'array_nulls = off',
    'constraint_exclusion = on',
    'statement_timeout = 1000',
  ].map((setting) => `ALTER DATABASE ${database} SET ${setting}`);

/** What looks like messages of this system's event triggers, and is none. */
export const forgedMessages: readonly string[] = forged;
