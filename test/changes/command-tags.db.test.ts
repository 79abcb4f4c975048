import { expect, test } from 'vitest';
import { commandTag } from '../../shared/changes/definitions/command-tags.ts';
import { createScratchDatabase, forEachServer } from '../support/servers.ts';
import { parseStatements } from '../support/sql-parser.ts';

/** Commands of all kinds that event triggers are told of, each in a form that needs no more than the ones before it. */
const commands = `
CREATE SCHEMA s
CREATE SCHEMA gone CREATE TABLE within (n int)
ALTER SCHEMA gone RENAME TO going
DROP SCHEMA going CASCADE
CREATE TYPE mood AS ENUM ('a')
ALTER TYPE mood ADD VALUE 'b'
ALTER TYPE mood RENAME VALUE 'b' TO 'c'
CREATE TYPE pair AS (a int, b int)
ALTER TYPE pair ADD ATTRIBUTE c int
ALTER TYPE pair RENAME ATTRIBUTE c TO d
CREATE TYPE spans AS RANGE (SUBTYPE = float8)
CREATE TYPE shell
CREATE DOMAIN positive AS int
ALTER DOMAIN positive ADD CONSTRAINT more CHECK (VALUE > 0)
ALTER DOMAIN positive RENAME CONSTRAINT more TO above
CREATE TABLE t (id int PRIMARY KEY, b int, c text)
CREATE UNLOGGED TABLE u (n serial)
CREATE TABLE copied AS SELECT 1 AS n
CREATE MATERIALIZED VIEW m AS SELECT 1 AS n
CREATE VIEW v AS SELECT id, b FROM t
CREATE RECURSIVE VIEW r (n) AS SELECT 1
CREATE INDEX i ON t (b)
CREATE SEQUENCE q
CREATE TABLE parts (n int) PARTITION BY LIST (n)
CREATE TABLE part PARTITION OF parts FOR VALUES IN (1)
ALTER TABLE parts DETACH PARTITION part
ALTER TABLE t ADD COLUMN d int DEFAULT 1
ALTER TABLE t RENAME COLUMN d TO e
ALTER TABLE t RENAME CONSTRAINT t_pkey TO t_key
ALTER TABLE t DROP COLUMN e
ALTER TABLE t SET SCHEMA s
ALTER TABLE s.t SET SCHEMA public
ALTER INDEX i RENAME TO j
ALTER INDEX j SET (fillfactor = 80)
ALTER VIEW v RENAME COLUMN b TO bb
ALTER VIEW v ALTER COLUMN bb SET DEFAULT 1
ALTER MATERIALIZED VIEW m RENAME TO mm
ALTER SEQUENCE q RESTART
ALTER SEQUENCE q OWNER TO CURRENT_USER
CREATE FUNCTION f(int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT 1'
CREATE FUNCTION fired() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'
CREATE PROCEDURE p() LANGUAGE sql AS ''
ALTER FUNCTION f(int) COST 5
ALTER PROCEDURE p() RENAME TO pp
ALTER ROUTINE pp() SET SCHEMA s
CREATE AGGREGATE most(int) (SFUNC = int4larger, STYPE = int)
ALTER AGGREGATE most(int) RENAME TO mostly
CREATE OPERATOR === (LEFTARG = int, RIGHTARG = int, FUNCTION = int4eq)
ALTER OPERATOR === (int, int) SET (RESTRICT = eqsel)
CREATE OPERATOR FAMILY family USING btree
ALTER OPERATOR FAMILY family USING btree RENAME TO families
CREATE OPERATOR CLASS ops FOR TYPE int USING btree FAMILY families AS FUNCTION 1 btint4cmp(int, int)
CREATE CAST (mood AS int) WITH FUNCTION moody(mood)
CREATE COLLATION coll FROM "C"
ALTER COLLATION coll RENAME TO colls
CREATE CONVERSION conv FOR 'LATIN1' TO 'UTF8' FROM iso8859_1_to_utf8
CREATE TEXT SEARCH DICTIONARY dict (TEMPLATE = simple)
ALTER TEXT SEARCH DICTIONARY dict (StopWords = 'english')
CREATE TEXT SEARCH CONFIGURATION conf (COPY = simple)
ALTER TEXT SEARCH CONFIGURATION conf ALTER MAPPING FOR word WITH dict
CREATE STATISTICS stat ON id, b FROM t
ALTER STATISTICS stat SET STATISTICS 10
CREATE TRIGGER tr AFTER INSERT ON t FOR EACH ROW EXECUTE FUNCTION fired()
ALTER TRIGGER tr ON t RENAME TO trigger
CREATE RULE ru AS ON DELETE TO t DO ALSO NOTHING
ALTER RULE ru ON t RENAME TO rule
CREATE POLICY pol ON t USING (true)
ALTER POLICY pol ON t USING (false)
ALTER POLICY pol ON t RENAME TO policy
CREATE PUBLICATION pub FOR TABLE t
ALTER PUBLICATION pub SET (publish = 'insert')
CREATE EXTENSION pg_trgm
ALTER EXTENSION pg_trgm SET SCHEMA s
ALTER EXTENSION pg_trgm UPDATE
ALTER EXTENSION pg_trgm ADD TABLE copied
ALTER EXTENSION pg_trgm DROP TABLE copied
CREATE FOREIGN DATA WRAPPER wrapper
ALTER FOREIGN DATA WRAPPER wrapper OPTIONS (a 'b')
CREATE SERVER elsewhere FOREIGN DATA WRAPPER wrapper
ALTER SERVER elsewhere OPTIONS (a 'b')
CREATE USER MAPPING FOR CURRENT_USER SERVER elsewhere
ALTER USER MAPPING FOR CURRENT_USER SERVER elsewhere OPTIONS (a 'b')
CREATE FOREIGN TABLE far (n int) SERVER elsewhere
ALTER FOREIGN TABLE far ADD COLUMN m int
ALTER FOREIGN TABLE far RENAME COLUMN m TO o
CREATE ACCESS METHOD heap2 TYPE TABLE HANDLER heap_tableam_handler
COMMENT ON TABLE t IS 'x'
GRANT SELECT ON t TO PUBLIC
REVOKE SELECT ON t FROM PUBLIC
GRANT USAGE ON SCHEMA s TO PUBLIC
ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO PUBLIC
ALTER DEFAULT PRIVILEGES REVOKE SELECT ON TABLES FROM PUBLIC
DROP ACCESS METHOD heap2
DROP FOREIGN TABLE far
DROP USER MAPPING FOR CURRENT_USER SERVER elsewhere
DROP SERVER elsewhere
DROP FOREIGN DATA WRAPPER wrapper
DROP EXTENSION pg_trgm
DROP PUBLICATION pub
DROP POLICY policy ON t
DROP RULE rule ON t
DROP TRIGGER trigger ON t
DROP STATISTICS stat
DROP TEXT SEARCH CONFIGURATION conf
DROP TEXT SEARCH DICTIONARY dict
DROP CONVERSION conv
DROP COLLATION colls
DROP CAST (mood AS int)
DROP OPERATOR FAMILY families USING btree CASCADE
DROP OPERATOR === (int, int)
DROP AGGREGATE mostly(int)
DROP ROUTINE s.pp()
DROP FUNCTION f(int), fired()
DROP SEQUENCE q
DROP VIEW v
DROP MATERIALIZED VIEW mm
DROP TABLE t, u
DROP DOMAIN positive
DROP TYPE spans
DROP OWNED BY tags_role`
  .trim()
  .split('\n');

/** What the tag of a command that event triggers are told of is here. */
const tagOf = async (command: string): Promise<string | undefined> => {
  const [statement] = (await parseStatements(command)) ?? [];
  return statement && commandTag(statement);
};

forEachServer((server) => {
  test('the tags of commands are those that the server gives them', async () => {
    const database = await createScratchDatabase(server);
    const client = await database.connect();
    await client.query(`
      CREATE TABLE told (n serial, tag text);
      CREATE ROLE tags_role;
      CREATE FUNCTION tell() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN INSERT INTO public.told (tag) VALUES (TG_TAG); END';
      CREATE EVENT TRIGGER tell ON ddl_command_start EXECUTE FUNCTION tell()`);
    const found: [string, string | undefined][] = [];
    const given: [string, string | undefined][] = [];
    for (const command of commands) {
      if (command.includes('moody')) {
        await client.query(`SET session_replication_role = replica;
          CREATE FUNCTION moody(mood) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT 1'; RESET session_replication_role`);
      }
      await client.query('TRUNCATE told');
      await client.query(command);
      const { rows } = await client.query('SELECT tag FROM told ORDER BY n');
      given.push([command, rows[0]?.tag]);
      found.push([command, await tagOf(command)]);
    }
    expect(found).toEqual(given);
    await client.query('DROP ROLE tags_role');
    await client.end();
    await database.drop();
  });

  test.skipIf(server.version !== 18)('other commands have none', async () => {
    for (const command of [
      'ALTER ROLE mallory SUPERUSER',
      "COPY (SELECT 1) TO PROGRAM 'true'",
      'DO $$ BEGIN END $$',
      'SELECT 1 INTO t',
      'ALTER SYSTEM SET wal_level = minimal',
      'SET ROLE postgres',
      'RESET SESSION AUTHORIZATION',
      'CREATE DATABASE d',
      'GRANT postgres TO mallory',
      'CREATE EVENT TRIGGER e ON sql_drop EXECUTE FUNCTION f()',
      'CREATE SUBSCRIPTION s CONNECTION $$$$ PUBLICATION p',
      'IMPORT FOREIGN SCHEMA s FROM SERVER x INTO y',
      'INSERT INTO t VALUES (1)',
      'CALL p()',
      "LOAD 'x'",
      'EXPLAIN ANALYZE CREATE TABLE t AS SELECT 1',
    ]) {
      expect([command, await tagOf(command)]).toEqual([command, undefined]);
    }
    expect(await parseStatements('CREATE TABLE t (n int); RESET ROLE')).toHaveLength(2);
    expect(await parseStatements('CREATE TABLE')).toBeNull();
  });
});
