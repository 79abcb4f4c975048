-- The login of this system on a server of your own: PostgreSQL 13 to 18.
-- Run it as a superuser in the database that is to be looked after, and again when there are new owners of tables or databases.
-- Give the login a password afterwards, in psql with: \password dbms

DO $$
BEGIN
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'dbms') THEN
    CREATE ROLE dbms LOGIN;
  END IF;
END $$;

-- Restores create databases. Point-in-time recovery reads a replication slot. Backups read tables with row-level security whole.
ALTER ROLE dbms CREATEDB REPLICATION BYPASSRLS;

-- From 17 on an event trigger may fire when somebody logs in. A superuser has made it, but its function may belong to the owner of a database
-- and would run with the rights of dbms. So none fires in its sessions but for those that restore into a database that is there.
DO $$
BEGIN
  IF current_setting('server_version_num')::int >= 170000 THEN
    EXECUTE 'ALTER ROLE dbms SET event_triggers = off';
    EXECUTE 'GRANT SET ON PARAMETER event_triggers TO dbms';
  END IF;
END $$;

-- Before 16 a login with REPLICATION may not change its own password: this function changes that of the session's login, and nothing else. Leave it
-- out where no passwords are rotated.
DO $$
BEGIN
  IF current_setting('server_version_num')::int >= 160000 THEN
    RETURN;
  END IF;
  IF NOT EXISTS (SELECT FROM pg_namespace WHERE nspname = 'dbms_run') THEN
    CREATE SCHEMA dbms_run;
  ELSIF NOT EXISTS (SELECT FROM pg_namespace n JOIN pg_roles r ON r.oid = n.nspowner
                     WHERE n.nspname = 'dbms_run' AND r.rolsuper) THEN
    RAISE EXCEPTION 'The schema dbms_run belongs to somebody else, who could replace what is in it: drop it, then run this again';
  END IF;
  CREATE OR REPLACE FUNCTION dbms_run.change_password(verifier text) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $function$
  BEGIN
    IF verifier IS NULL OR verifier !~ '^SCRAM-SHA-256\$[0-9]+:[A-Za-z0-9+/=]+\$[A-Za-z0-9+/=]+:[A-Za-z0-9+/=]+$' THEN
      RAISE EXCEPTION 'A password is changed by its verifier' USING ERRCODE = 'insufficient_privilege';
    END IF;
    EXECUTE format('ALTER ROLE %I PASSWORD %L', session_user, verifier);
  END $function$;
  REVOKE ALL ON FUNCTION dbms_run.change_password(text) FROM PUBLIC;
  GRANT USAGE ON SCHEMA dbms_run TO dbms;
  GRANT EXECUTE ON FUNCTION dbms_run.change_password(text) TO dbms;
END $$;

DO $$
BEGIN
  EXECUTE format('GRANT CONNECT ON DATABASE %I TO dbms', current_database());
END $$;

-- Monitoring reads everybody's sessions and statistics. The API and restores in place end sessions.
GRANT pg_monitor, pg_signal_backend TO dbms;

-- Backups read all rows. Version 13 does not have this role: run read-13.sql there.
DO $$
BEGIN
  IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'pg_read_all_data') THEN
    GRANT pg_read_all_data TO dbms;
  END IF;
END $$;

-- Restores give objects back to their owners, and exchange databases that belong to them. Leave it out where nothing is restored, or only
-- with "without_owners".
DO $$
DECLARE
  owner name;
  -- Since 16 a membership says on its own whether its rights are inherited, and whether the role may be made an owner.
  options text := CASE WHEN current_setting('server_version_num')::int >= 160000 THEN ' WITH INHERIT TRUE, SET TRUE' ELSE '' END;
BEGIN
  FOR owner IN
    SELECT r.rolname FROM pg_roles r
     WHERE NOT r.rolsuper AND r.rolname <> 'dbms' AND r.rolname !~ '^pg_'
       AND EXISTS (SELECT FROM pg_shdepend d
                    WHERE d.refclassid = 'pg_authid'::regclass AND d.refobjid = r.oid AND d.deptype = 'o')
  LOOP
    EXECUTE format('GRANT %I TO dbms' || options, owner);
  END LOOP;
END $$;

-- Backups read large objects. Nobody can be a member of a superuser, so what belongs to one is granted object by object: run the script again
-- when there are new ones.
DO $$
DECLARE
  lo oid;
BEGIN
  FOR lo IN
    SELECT m.oid FROM pg_largeobject_metadata m JOIN pg_roles r ON r.oid = m.lomowner WHERE r.rolsuper
  LOOP
    EXECUTE format('GRANT SELECT ON LARGE OBJECT %s TO dbms', lo);
  END LOOP;
END $$;

-- A restore in place of the database renames it, which its owner's members may. Where it belongs to a superuser, it comes to belong to a role
-- for that. Leave it out where nothing is restored in place.
DO $$
BEGIN
  IF EXISTS (SELECT FROM pg_database d JOIN pg_roles r ON r.oid = d.datdba
              WHERE d.datname = current_database() AND r.rolsuper) THEN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'dbms_owner') THEN
      CREATE ROLE dbms_owner NOLOGIN;
    END IF;
    GRANT dbms_owner TO dbms;
    EXECUTE format('ALTER DATABASE %I OWNER TO dbms_owner', current_database());
  END IF;
END $$;
