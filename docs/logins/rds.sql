-- The login of this system on Amazon RDS and Aurora: PostgreSQL 13 to 18.
-- Run it as the master user in the database that is to be looked after, and again when there are new owners of tables or databases.
-- Give the login a password afterwards, in psql with: \password dbms
-- or let it log in with IAM authentication instead: iam.sql

DO $$
BEGIN
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'dbms') THEN
    CREATE ROLE dbms LOGIN;
  END IF;
END $$;

-- Restores create databases.
ALTER ROLE dbms CREATEDB;

DO $$
BEGIN
  EXECUTE format('GRANT CONNECT ON DATABASE %I TO dbms', current_database());
END $$;

-- Monitoring reads everybody's sessions and statistics. The API and restores in place end sessions.
GRANT pg_monitor, pg_signal_backend TO dbms;

-- Point-in-time recovery reads a replication slot.
GRANT rds_replication TO dbms;

-- Backups read all rows. Version 13 does not have this role: run read-13.sql there.
DO $$
BEGIN
  IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'pg_read_all_data') THEN
    GRANT pg_read_all_data TO dbms;
  END IF;
END $$;

-- Restores give objects back to their owners, and exchange databases that belong to them. Backups read tables with row-level security and
-- large objects as their owners do. An owner that the master user may not grant is named; grant it as somebody who may.
DO $$
DECLARE
  owner name;
  -- Since 16 a membership says on its own whether its rights are inherited, and whether the role may be made an owner.
  options text := CASE WHEN current_setting('server_version_num')::int >= 160000 THEN ' WITH INHERIT TRUE, SET TRUE' ELSE '' END;
BEGIN
  FOR owner IN
    SELECT r.rolname FROM pg_roles r
     WHERE NOT r.rolsuper AND r.rolname NOT IN ('dbms', current_user) AND r.rolname !~ '^(pg_|rds)'
       AND EXISTS (SELECT FROM pg_shdepend d
                    WHERE d.refclassid = 'pg_authid'::regclass AND d.refobjid = r.oid AND d.deptype = 'o')
  LOOP
    BEGIN
      EXECUTE format('GRANT %I TO dbms' || options, owner);
    -- Internal: the role was made by a role that the master user has made and is no member of.
    EXCEPTION WHEN insufficient_privilege OR invalid_grant_operation OR internal_error THEN
      RAISE WARNING 'The role % was not granted to dbms: %', owner, SQLERRM;
    END;
  END LOOP;
END $$;

-- The login is no member of the master user, who may do far more. So what has to have an owner of which it is a member comes to belong to a
-- role that both are members of, if it belongs to the master user: the database, to be restored in place, and tables with row-level
-- security, to be backed up. What else belongs to the master user belongs to the login in a restored database.
DO $$
DECLARE
  what record;
  options text := CASE WHEN current_setting('server_version_num')::int >= 160000 THEN ' WITH INHERIT TRUE, SET TRUE' ELSE '' END;
BEGIN
  IF NOT EXISTS (
    SELECT FROM pg_database d WHERE d.datname = current_database() AND pg_get_userbyid(d.datdba) = current_user
    UNION ALL
    SELECT FROM pg_class c WHERE c.relrowsecurity AND pg_get_userbyid(c.relowner) = current_user
  ) THEN
    RETURN;
  END IF;
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'dbms_owner') THEN
    CREATE ROLE dbms_owner NOLOGIN;
  END IF;
  EXECUTE 'GRANT dbms_owner TO CURRENT_USER' || options;
  EXECUTE 'GRANT dbms_owner TO dbms' || options;
  FOR what IN
    SELECT 1 AS step, format('ALTER DATABASE %I OWNER TO dbms_owner', d.datname) AS command
      FROM pg_database d WHERE d.datname = current_database() AND pg_get_userbyid(d.datdba) = current_user
    UNION ALL
    SELECT DISTINCT 2, format('GRANT CREATE, USAGE ON SCHEMA %I TO dbms_owner', n.nspname)
      FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE c.relrowsecurity AND pg_get_userbyid(c.relowner) = current_user
    UNION ALL
    SELECT 3, format('ALTER TABLE %I.%I OWNER TO dbms_owner', n.nspname, c.relname)
      FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE c.relrowsecurity AND pg_get_userbyid(c.relowner) = current_user
     ORDER BY 1
  LOOP
    BEGIN
      EXECUTE what.command;
    EXCEPTION WHEN insufficient_privilege THEN
      RAISE WARNING '%: %', what.command, SQLERRM;
    END;
  END LOOP;
END $$;

-- Large objects of the master user are granted one by one: run the script again when there are new ones.
DO $$
DECLARE
  lo oid;
BEGIN
  FOR lo IN SELECT m.oid FROM pg_largeobject_metadata m WHERE pg_get_userbyid(m.lomowner) = current_user LOOP
    EXECUTE format('GRANT SELECT ON LARGE OBJECT %s TO dbms', lo);
  END LOOP;
END $$;
