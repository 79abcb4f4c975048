import { quoteLiteral } from '../../../shared/postgres/identifiers.ts';

/**
 * What RDS and Aurora check before they create an extension, in front of its script. The script runs as the server's owner, since the
 * simulation marks every extension as trusted: so it is the script that asks who creates it.
 *
 * @param isOffered - whether it is on the list of the managed service
 * @param isTrusted - whether others than members of rds_superuser may create it, where they may create in the database
 * @param preloaded - the library that must have been loaded at the start
 */
export function checkSql(
  name: string,
  { isOffered, isTrusted, preloaded }: { isOffered: boolean; isTrusted: boolean; preloaded?: string },
): string {
  const literal = quoteLiteral(name);
  const refusals = isOffered
    ? [
        `IF NOT ('*' = ANY (allowed) OR ${literal} = ANY (allowed)) THEN
    RAISE EXCEPTION 'permission denied to create extension "%"', ${literal}
      USING ERRCODE = '42501', HINT = pg_catalog.format('"%s" is not in rds.allowed_extensions', ${literal});
  END IF;`,
        ...(isTrusted
          ? []
          : [
              `IF NOT pg_catalog.pg_has_role(creator, 'rds_superuser', 'MEMBER') THEN
    RAISE EXCEPTION 'permission denied to create extension "%"', ${literal}
      USING ERRCODE = '42501', HINT = 'Must be superuser to create this extension.';
  END IF;`,
            ]),
      ]
    : [
        `RAISE EXCEPTION 'Extension "%" is not supported by Amazon RDS', ${literal}
    USING ERRCODE = '0A000',
          DETAIL = pg_catalog.format('Installing the extension "%s" failed, because it is not on the list of extensions supported by Amazon RDS.', ${literal}),
          HINT = 'Amazon RDS allows users with rds_superuser role to install supported extensions. See: SHOW rds.extensions;';`,
      ];
  return `DO $simulation$
DECLARE
  creator name := CASE pg_catalog.current_setting('role') WHEN 'none' THEN session_user ELSE pg_catalog.current_setting('role') END;
  allowed text[] := pg_catalog.regexp_split_to_array(pg_catalog.current_setting('rds.allowed_extensions'), '\\s*,\\s*');
BEGIN
  IF (SELECT rolsuper FROM pg_catalog.pg_authid WHERE rolname = creator) THEN
    RETURN;
  END IF;
  ${refusals.join('\n  ')}
  ${preloaded === undefined ? '' : preloadSql(name, preloaded)}
END $simulation$;
`;
}

const preloadSql = (name: string, library: string): string =>
  `IF NOT ${quoteLiteral(library)} = ANY (pg_catalog.string_to_array(pg_catalog.current_setting('shared_preload_libraries'), ',')) THEN
    RAISE EXCEPTION '% can only be loaded via shared_preload_libraries', ${quoteLiteral(name)}
      USING ERRCODE = '55000', HINT = 'Add ${library} to the shared_preload_libraries configuration variable in postgresql.conf.';
  END IF;`;

/** pg_cron's check of the database, in the words of its own script. */
const cronDatabaseSql = `DO $$
BEGIN
  IF pg_catalog.current_database() <> pg_catalog.current_setting('cron.database_name')
     AND pg_catalog.current_database() <> 'contrib_regression' THEN
    RAISE EXCEPTION 'can only create extension in database %', pg_catalog.current_setting('cron.database_name')
      USING DETAIL = 'Jobs must be scheduled from the database configured in cron.database_name, since the pg_cron background worker reads job descriptions from this database.',
            HINT = pg_catalog.format('Add cron.database_name = ''%s'' in postgresql.conf to use the current database.', pg_catalog.current_database());
  END IF;
END $$;
`;

/** Tables and functions of pg_cron that a database holds on to. Nothing runs the jobs. */
const cronSql = `${cronDatabaseSql}
CREATE SCHEMA cron;
CREATE SEQUENCE cron.jobid_seq;
CREATE TABLE cron.job (
  jobid bigint PRIMARY KEY DEFAULT pg_catalog.nextval('cron.jobid_seq'),
  schedule text NOT NULL,
  command text NOT NULL,
  nodename text NOT NULL DEFAULT 'localhost',
  nodeport int NOT NULL DEFAULT pg_catalog.inet_server_port(),
  database text NOT NULL DEFAULT pg_catalog.current_database(),
  username text NOT NULL DEFAULT CURRENT_USER,
  active boolean NOT NULL DEFAULT true,
  jobname name
);
ALTER TABLE cron.job ENABLE ROW LEVEL SECURITY;
CREATE POLICY cron_job_policy ON cron.job USING (username = CURRENT_USER);
GRANT SELECT ON cron.job TO public;
CREATE SEQUENCE cron.runid_seq;
CREATE TABLE cron.job_run_details (
  jobid bigint, runid bigint PRIMARY KEY DEFAULT pg_catalog.nextval('cron.runid_seq'), job_pid int, database text, username text,
  command text, status text, return_message text, start_time timestamptz, end_time timestamptz
);
ALTER TABLE cron.job_run_details ENABLE ROW LEVEL SECURITY;
CREATE POLICY cron_job_run_details_policy ON cron.job_run_details USING (username = CURRENT_USER);
GRANT SELECT, DELETE ON cron.job_run_details TO public;
SELECT pg_catalog.pg_extension_config_dump('cron.job', '');
SELECT pg_catalog.pg_extension_config_dump('cron.jobid_seq', '');
CREATE FUNCTION cron.schedule(job_name name, schedule text, command text) RETURNS bigint LANGUAGE sql SECURITY DEFINER AS
  $$ INSERT INTO cron.job (schedule, command, username, jobname) VALUES ($2, $3, session_user, $1) RETURNING jobid $$;
CREATE FUNCTION cron.schedule(schedule text, command text) RETURNS bigint LANGUAGE sql AS $$ SELECT cron.schedule(NULL, $1, $2) $$;
CREATE FUNCTION cron.unschedule(job_id bigint) RETURNS boolean LANGUAGE sql SECURITY DEFINER AS
  $$ WITH gone AS (DELETE FROM cron.job WHERE jobid = $1 RETURNING 1) SELECT pg_catalog.count(*) = 1 FROM gone $$;
GRANT USAGE ON SCHEMA cron TO rds_superuser WITH GRANT OPTION;
`;

const awsCommonsSql = `CREATE SCHEMA aws_commons;
CREATE TYPE aws_commons._s3_uri_1 AS (bucket text, file_path text, region text);
CREATE FUNCTION aws_commons.create_s3_uri(s3_bucket text, s3_key text, aws_region text) RETURNS aws_commons._s3_uri_1
  LANGUAGE sql IMMUTABLE AS $$ SELECT ROW($1, $2, $3)::aws_commons._s3_uri_1 $$;
`;

/** Extensions of which the simulation has the definitions alone. */
export const simulatedExtensions: Readonly<
  Record<string, { version: string; script: string; preloaded?: string; requires?: string }>
> = {
  pg_cron: { version: '1.6', script: cronSql, preloaded: 'pg_cron' },
  pgaudit: { version: '1.7', script: '', preloaded: 'pgaudit' },
  aws_commons: { version: '1.2', script: awsCommonsSql },
  aws_s3: { version: '1.2', script: 'CREATE SCHEMA aws_s3;\n', requires: 'aws_commons' },
  aws_lambda: { version: '1.0', script: 'CREATE SCHEMA aws_lambda;\n', requires: 'aws_commons' },
};

/** Extensions that people bring along from servers of their own, and that the managed service does not have. */
export const refusedExtensions: readonly string[] = [
  'adminpack',
  'citus',
  'file_fdw',
  'plpython3u',
  'plperlu',
  'timescaledb',
];
