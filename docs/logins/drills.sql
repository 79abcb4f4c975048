-- On the server that takes drills, after the script that created the login: PostgreSQL 13 to 18, RDS and Aurora as well.
-- Run it in the configured database of that server, as the superuser or the master user who ran the other one.
--
-- A drill restores a backup with a login of its own that has no rights outside the scratch database, so that functions in CHECK constraints,
-- indexes and the like can do nothing. These two functions create such logins and drop them, and nothing else: dbms does not need
-- CREATEROLE, which before 16 would let it become almost every other role. They are not needed where it is a superuser or has CREATEROLE.

DO $$
BEGIN
  IF NOT EXISTS (SELECT FROM pg_catalog.pg_namespace WHERE nspname = 'dbms_run') THEN
    IF NOT pg_catalog.has_database_privilege(current_database(), 'CREATE') THEN
      RAISE EXCEPTION '% may not create the schema dbms_run in the database %', current_user, current_database()
        USING ERRCODE = 'insufficient_privilege',
              HINT = format('As the owner of the database, run GRANT CREATE ON DATABASE %I TO %I, then run this again.',
                            current_database(), current_user);
    END IF;
    CREATE SCHEMA dbms_run;
  ELSIF NOT EXISTS (SELECT FROM pg_catalog.pg_namespace
                     WHERE nspname = 'dbms_run' AND nspowner = (SELECT oid FROM pg_catalog.pg_roles WHERE rolname = current_user)) THEN
    RAISE EXCEPTION 'The schema dbms_run belongs to somebody else, who could replace what is in it: drop it, then run this again';
  END IF;
END $$;

CREATE OR REPLACE FUNCTION dbms_run.create_login(name text, verifier text, valid_until timestamptz) RETURNS void
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
DECLARE
  options text := CASE WHEN current_setting('server_version_num')::int >= 160000 THEN ' WITH INHERIT TRUE, SET FALSE' ELSE '' END;
BEGIN
  IF name IS NULL OR name !~ '^dbms_run_[0-9a-hjkmnp-tv-z]{26}$' THEN
    RAISE EXCEPTION '% is no name of a login of a run', name USING ERRCODE = 'insufficient_privilege';
  END IF;
  IF verifier IS NULL OR verifier !~ '^SCRAM-SHA-256\$[0-9]+:[A-Za-z0-9+/=]+\$[A-Za-z0-9+/=]+:[A-Za-z0-9+/=]+$' THEN
    RAISE EXCEPTION 'A login of a run is created with the verifier of its password' USING ERRCODE = 'insufficient_privilege';
  END IF;
  IF valid_until IS NULL OR valid_until > clock_timestamp() + interval '2 days' THEN
    RAISE EXCEPTION 'A login of a run is valid for two days at most' USING ERRCODE = 'insufficient_privilege';
  END IF;
  IF EXISTS (SELECT FROM pg_catalog.pg_roles r WHERE r.rolname = create_login.name) THEN
    EXECUTE format('ALTER ROLE %I PASSWORD %L VALID UNTIL %L', name, verifier, valid_until);
  ELSE
    EXECUTE format('CREATE ROLE %I LOGIN CONNECTION LIMIT 100 PASSWORD %L VALID UNTIL %L', name, verifier, valid_until);
    -- To end its sessions.
    EXECUTE format('GRANT %I TO %I' || options, name, session_user);
  END IF;
END $$;

CREATE OR REPLACE FUNCTION dbms_run.drop_login(name text) RETURNS void
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
BEGIN
  IF name IS NULL OR name !~ '^dbms_run_[0-9a-hjkmnp-tv-z]{26}$' THEN
    RAISE EXCEPTION '% is no name of a login of a run', name USING ERRCODE = 'insufficient_privilege';
  END IF;
  EXECUTE format('DROP ROLE IF EXISTS %I', name);
END $$;

REVOKE ALL ON FUNCTION dbms_run.create_login(text, text, timestamptz), dbms_run.drop_login(text) FROM PUBLIC;
GRANT USAGE ON SCHEMA dbms_run TO dbms;
GRANT EXECUTE ON FUNCTION dbms_run.create_login(text, text, timestamptz), dbms_run.drop_login(text) TO dbms;
