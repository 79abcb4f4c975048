-- PostgreSQL 13 alone: what the login of this system needs to read all rows, in place of pg_read_all_data.
-- Run it in the database that is to be looked after, as a superuser or, on RDS, as the master user; and again when there are new schemas or
-- new roles that create tables. What may not be granted is named; grant it as its owner.

DO $$
DECLARE
  what record;
BEGIN
  FOR what IN
    SELECT format('GRANT USAGE ON SCHEMA %I TO dbms', nspname) AS grants FROM pg_namespace
     WHERE nspname <> 'information_schema' AND nspname !~ '^pg_'
       AND NOT EXISTS (SELECT FROM aclexplode(nspacl) a WHERE a.privilege_type = 'USAGE' AND a.grantee IN (0, 'dbms'::regrole))
    UNION ALL
    -- Tables, views and sequences, but for those of extensions.
    SELECT format('GRANT SELECT ON %s TO dbms', c.oid::regclass)
      FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S') AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'
       AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
    UNION ALL
    -- Those to come, of every role that has made some.
    SELECT format('ALTER DEFAULT PRIVILEGES FOR ROLE %I GRANT %s TO dbms', maker, privilege)
      FROM (SELECT DISTINCT pg_get_userbyid(c.relowner) AS maker
              FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
             WHERE c.relkind IN ('r', 'p', 'S') AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_') AS makers
     CROSS JOIN unnest(ARRAY['SELECT ON TABLES', 'SELECT ON SEQUENCES', 'USAGE ON SCHEMAS']) AS privilege
  LOOP
    BEGIN
      EXECUTE what.grants;
    EXCEPTION WHEN insufficient_privilege THEN
      RAISE WARNING '%: %', what.grants, SQLERRM;
    END;
  END LOOP;
END $$;
