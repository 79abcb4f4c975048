import { quoteIdentifier, quoteLiteral } from '../../../shared/postgres/identifiers.ts';
import { everythingRoles } from './roles.sql.ts';

const odd = quoteIdentifier(everythingRoles[3]);

/** Owners other than the login, privileges of every kind, comments on every kind, and the database's own settings. */
export function privilegesSql(version: number, database: string): string {
  const name = quoteIdentifier(database);
  return `
CREATE SCHEMA owned AUTHORIZATION everything_owner;
GRANT USAGE ON SCHEMA owned TO everything_reader;
GRANT CREATE ON SCHEMA owned TO everything_grantor WITH GRANT OPTION;
GRANT CREATE ON SCHEMA owned TO ${odd};
CREATE TABLE owned.mine (id serial PRIMARY KEY, public_part text, secret text);
INSERT INTO owned.mine (public_part, secret) VALUES ('p', 's');
ALTER TABLE owned.mine OWNER TO everything_owner;
CREATE VIEW owned.shown AS SELECT public_part FROM owned.mine;
ALTER VIEW owned.shown OWNER TO ${odd};
CREATE MATERIALIZED VIEW owned.kept AS SELECT count(*) FROM owned.mine;
ALTER MATERIALIZED VIEW owned.kept OWNER TO everything_owner;
CREATE FUNCTION owned.run() RETURNS int LANGUAGE sql AS 'SELECT 1';
ALTER FUNCTION owned.run() OWNER TO ${odd};
CREATE TYPE owned.kind AS ENUM ('a');
ALTER TYPE owned.kind OWNER TO everything_owner;
CREATE DOMAIN owned.limited AS int;
ALTER DOMAIN owned.limited OWNER TO everything_owner;
CREATE SEQUENCE owned.counter;
ALTER SEQUENCE owned.counter OWNER TO everything_owner;
CREATE STATISTICS owned.stats ON id, secret FROM owned.mine;

SET ROLE everything_owner;
GRANT SELECT ON owned.mine TO everything_grantor WITH GRANT OPTION;
GRANT UPDATE (public_part), SELECT (public_part, id) ON owned.mine TO everything_reader;
GRANT INSERT (secret) ON owned.mine TO PUBLIC;
GRANT SELECT, TRIGGER, REFERENCES, TRUNCATE ON owned.mine TO ${odd};
REVOKE DELETE ON owned.mine FROM everything_owner;
RESET ROLE;
SET ROLE everything_grantor;
GRANT SELECT ON owned.mine TO everything_reader;
RESET ROLE;
CREATE TABLE owned.nobodys (id int);
REVOKE ALL ON owned.nobodys FROM CURRENT_USER;
GRANT USAGE, SELECT ON SEQUENCE owned.counter TO everything_reader;
REVOKE EXECUTE ON FUNCTION owned.run() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION owned.run() TO everything_reader WITH GRANT OPTION;
GRANT EXECUTE ON PROCEDURE code.commits TO everything_reader;
REVOKE USAGE ON TYPE owned.kind FROM PUBLIC;
GRANT USAGE ON DOMAIN owned.limited TO everything_reader;
GRANT USAGE ON LANGUAGE own_language TO everything_reader;
GRANT USAGE ON FOREIGN DATA WRAPPER "own wrapper" TO everything_reader;
GRANT USAGE ON FOREIGN SERVER "else;where" TO everything_reader WITH GRANT OPTION;
GRANT SELECT (id) ON far.away TO everything_reader;
${version >= 15 ? '' : 'REVOKE CREATE ON SCHEMA public FROM PUBLIC;'}
GRANT CREATE ON SCHEMA public TO everything_reader;
REVOKE USAGE ON LANGUAGE plpgsql FROM PUBLIC;
GRANT USAGE ON LANGUAGE plpgsql TO everything_reader;
ALTER DEFAULT PRIVILEGES FOR ROLE everything_owner IN SCHEMA owned GRANT SELECT ON TABLES TO everything_reader;
ALTER DEFAULT PRIVILEGES FOR ROLE everything_owner REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;
ALTER DEFAULT PRIVILEGES FOR ROLE everything_owner GRANT USAGE ON SEQUENCES TO ${odd} WITH GRANT OPTION;
ALTER DEFAULT PRIVILEGES FOR ROLE everything_owner GRANT USAGE ON SCHEMAS TO everything_reader;
ALTER DEFAULT PRIVILEGES FOR ROLE everything_owner REVOKE USAGE ON TYPES FROM PUBLIC;
${version >= 17 ? 'GRANT MAINTAIN ON owned.mine TO everything_reader;' : ''}

COMMENT ON SCHEMA owned IS ${quoteLiteral("it's a schema; \\ 🐘\n\\.\n")};
COMMENT ON SCHEMA public IS 'no longer standard';
COMMENT ON TYPE types.place IS 'a composite';
COMMENT ON COLUMN types.place."the y" IS 'a field';
COMMENT ON TYPE types.mood IS 'an enum';
COMMENT ON DOMAIN types.positive IS 'a domain';
COMMENT ON CONSTRAINT "above zero" ON DOMAIN types.positive IS 'its constraint';
COMMENT ON VIEW seen.plain IS 'a view';
COMMENT ON COLUMN seen.plain."Upper name" IS 'a column of a view';
COMMENT ON MATERIALIZED VIEW seen.z_first IS 'a materialized view';
COMMENT ON FUNCTION code.plain(int, text) IS 'a function';
COMMENT ON PROCEDURE code.commits(int) IS 'a procedure';
COMMENT ON AGGREGATE code.total(int) IS 'an aggregate';
COMMENT ON OPERATOR code.!# (NONE, code.pair) IS 'an operator';
COMMENT ON OPERATOR CLASS code.pair_by_a USING btree IS 'a class';
COMMENT ON OPERATOR FAMILY code.pairs USING btree IS 'a family';
COMMENT ON CAST (code.pair AS text) IS 'a cast';
COMMENT ON COLLATION code.plain_c IS 'a collation';
COMMENT ON CONVERSION code.latin IS 'a conversion';
COMMENT ON TEXT SEARCH CONFIGURATION code.searching IS 'a configuration';
COMMENT ON TEXT SEARCH DICTIONARY code.stems IS 'a dictionary';
COMMENT ON TEXT SEARCH TEMPLATE code.own_template IS 'a template';
COMMENT ON TEXT SEARCH PARSER code.own_parser IS 'a parser';
COMMENT ON ACCESS METHOD own_heap IS 'a method';
COMMENT ON LANGUAGE own_language IS 'a language';
COMMENT ON TRANSFORM FOR code.pair LANGUAGE sql IS 'a transform';
COMMENT ON TRIGGER before_row ON guards.watched IS 'a trigger';
COMMENT ON RULE also ON guards.ruled IS 'a rule';
COMMENT ON POLICY "own; rows" ON guards.secured IS 'a policy';
COMMENT ON CONSTRAINT to_boss ON keys.customers IS 'a foreign key';
COMMENT ON STATISTICS keys."all kinds" IS 'statistics';
COMMENT ON SEQUENCE counting.downwards IS 'a sequence';
COMMENT ON FOREIGN DATA WRAPPER "own wrapper" IS 'a wrapper';
COMMENT ON SERVER "else;where" IS 'a server';
COMMENT ON PUBLICATION whole IS 'a publication';
COMMENT ON DATABASE ${name} IS ${quoteLiteral("it's the database; \\")};

ALTER DATABASE ${name} OWNER TO everything_owner;
ALTER DATABASE ${name} SET work_mem = '5MB';
ALTER DATABASE ${name} SET search_path = "$user", public, 'odd', "o""d.d/sch%ema\\ 🐘";
ALTER DATABASE ${name} SET "DateStyle" = 'SQL, DMY';
ALTER DATABASE ${name} SET everything.own_setting = 'it''s; \\';
ALTER ROLE everything_reader IN DATABASE ${name} SET statement_timeout = '1min';
ALTER DATABASE ${name} CONNECTION LIMIT 50;
REVOKE TEMPORARY ON DATABASE ${name} FROM PUBLIC, everything_owner;
GRANT CREATE ON DATABASE ${name} TO everything_reader WITH GRANT OPTION;
`;
}
