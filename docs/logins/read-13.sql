-- PostgreSQL 13 alone: what the login of this system needs to read all rows, in place of pg_read_all_data.
-- Run it in the database that is to be looked after, as a superuser or the owner of its objects (on RDS as the master user), and again when
-- there are new schemas or new roles that create tables.

DO $$
DECLARE
  space name;
  maker name;
BEGIN
  FOR space IN
    SELECT nspname FROM pg_namespace WHERE nspname <> 'information_schema' AND nspname !~ '^pg_'
  LOOP
    EXECUTE format('GRANT USAGE ON SCHEMA %I TO dbms', space);
    EXECUTE format('GRANT SELECT ON ALL TABLES IN SCHEMA %I TO dbms', space);
    EXECUTE format('GRANT SELECT ON ALL SEQUENCES IN SCHEMA %I TO dbms', space);
  END LOOP;
  -- Tables and sequences to come.
  FOR maker IN
    SELECT DISTINCT pg_get_userbyid(relowner) FROM pg_class WHERE relkind IN ('r', 'p', 'S')
  LOOP
    EXECUTE format('ALTER DEFAULT PRIVILEGES FOR ROLE %I GRANT SELECT ON TABLES TO dbms', maker);
    EXECUTE format('ALTER DEFAULT PRIVILEGES FOR ROLE %I GRANT SELECT ON SEQUENCES TO dbms', maker);
    EXECUTE format('ALTER DEFAULT PRIVILEGES FOR ROLE %I GRANT USAGE ON SCHEMAS TO dbms', maker);
  END LOOP;
END $$;
