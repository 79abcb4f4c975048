/**
 * Gives what the master user has made in the sample's database to a role of the application, once, as the guide has it: on 16 and later
 * nobody but rdsadmin may act as the master user, so that the login of this system could not give its objects back to it.
 */
export const applicationOwnerSql = `
DO $$
DECLARE
  mine name[] := ARRAY(SELECT datname FROM pg_database WHERE datdba = current_user::regrole AND datname <> current_database());
  name name;
BEGIN
  IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'shop_owner') THEN
    RETURN;
  END IF;
  CREATE ROLE shop_owner NOLOGIN;
  GRANT shop_owner TO CURRENT_USER;
  EXECUTE format('GRANT CREATE ON DATABASE %I TO shop_owner', current_database());
  REASSIGN OWNED BY CURRENT_USER TO shop_owner;
  -- It has reassigned the databases as well.
  FOREACH name IN ARRAY mine LOOP
    EXECUTE format('ALTER DATABASE %I OWNER TO %I', name, current_user);
  END LOOP;
END $$;`;
