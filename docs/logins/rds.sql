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

-- Restores give objects back to their owners, and exchange databases that belong to them. Backups read tables with row-level security
-- whole, as their owners do. What belongs to the master user itself comes to belong to the login. An owner that the master user may not grant is named; grant it as somebody who may.
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
    EXCEPTION WHEN insufficient_privilege OR invalid_grant_operation THEN
      RAISE WARNING 'The role % was not granted to dbms: %', owner, SQLERRM;
    END;
  END LOOP;
END $$;
