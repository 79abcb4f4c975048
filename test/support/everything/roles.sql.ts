/** Roles belong to the server: every database of this kind shares them. None can log in. */
export const everythingRoles = [
  'everything_owner',
  'everything_reader',
  'everything_grantor',
  'Everything "Röle"; with/odd.name%',
] as const;

const literal = (name: string): string => `'${name.replaceAll("'", "''")}'`;

/** Safe to run again, also while other databases use the roles. */
export const rolesSql = `
DO $do$
DECLARE wanted text;
BEGIN
  PERFORM pg_advisory_xact_lock(20130918);
  FOREACH wanted IN ARRAY ARRAY[${everythingRoles.map(literal).join(', ')}] LOOP
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = wanted) THEN
      EXECUTE format('CREATE ROLE %I NOLOGIN', wanted);
    END IF;
  END LOOP;
END $do$;
GRANT everything_owner TO CURRENT_USER;
GRANT everything_reader TO everything_grantor;
`;

/** For a login that is no superuser, to give objects to the roles. */
export const memberOfAllSql = `
GRANT everything_grantor, "${everythingRoles[3].replaceAll('"', '""')}" TO CURRENT_USER;
`;
