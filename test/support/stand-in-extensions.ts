import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { quoteLiteral } from '../../shared/postgres/identifiers.ts';
import { type TestServer, withClient } from './servers.ts';

/** Version since which a server reads extensions from a folder that a setting names. */
export const STAND_INS_SINCE = 18;

/** What pg_cron does when it is created (https://github.com/citusdata/pg_cron): the check of the database, its tables and their policies. */
const pgCronSql = `
DO $$
BEGIN
  IF current_database() <> current_setting('cron.database_name') THEN
    RAISE EXCEPTION 'can only create extension in database %', current_setting('cron.database_name')
      USING DETAIL = 'Jobs must be scheduled from the database configured in cron.database_name.';
  END IF;
END $$;
CREATE SCHEMA cron;
CREATE SEQUENCE cron.jobid_seq;
CREATE TABLE cron.job (
  jobid bigint PRIMARY KEY DEFAULT nextval('cron.jobid_seq'), schedule text NOT NULL, command text NOT NULL,
  database text NOT NULL DEFAULT current_database(), username text NOT NULL DEFAULT current_user);
GRANT SELECT ON cron.job TO public;
ALTER TABLE cron.job ENABLE ROW LEVEL SECURITY;
CREATE POLICY cron_job_policy ON cron.job USING (username = current_user);
CREATE SEQUENCE cron.runid_seq;
CREATE TABLE cron.job_run_details (jobid bigint, runid bigint PRIMARY KEY DEFAULT nextval('cron.runid_seq'), status text);
SELECT pg_catalog.pg_extension_config_dump('cron.job', '');
SELECT pg_catalog.pg_extension_config_dump('cron.jobid_seq', '');
SELECT pg_catalog.pg_extension_config_dump('cron.job_run_details', '');
SELECT pg_catalog.pg_extension_config_dump('cron.runid_seq', '');`;

/**
 * An extension that only a superuser may create, with a type that tables use and, as PostGIS has it, a table with rows of its own to which
 * people may add others.
 */
const spotsSql = `
CREATE TYPE spot AS (x int, y int);
CREATE TABLE spot_kinds (name text PRIMARY KEY);
INSERT INTO spot_kinds VALUES ('plain');
GRANT SELECT ON spot_kinds TO PUBLIC;
SELECT pg_catalog.pg_extension_config_dump('spot_kinds', $$WHERE name <> 'plain'$$);
CREATE FUNCTION far(spot) RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT ($1).x + ($1).y';`;

export interface StandIns {
  remove(): Promise<void>;
}

/**
 * Lets a server have pg_cron, which lives in one database, and `spots`, whose type tables can use. Sessions that are opened from then on see
 * them.
 */
export async function addStandIns(server: TestServer, { cronDatabase }: { cronDatabase: string }): Promise<StandIns> {
  const folder = await mkdtemp(join(tmpdir(), 'stand-in-extensions-'));
  // The server may run as another user.
  await chmod(folder, 0o755);
  await mkdir(join(folder, 'extension'), { mode: 0o755 });
  const write = async (name: string, version: string, schema: string, sql: string): Promise<void> => {
    const control = `default_version = '${version}'\nsuperuser = true\nrelocatable = false\n${schema}`;
    await writeFile(join(folder, 'extension', `${name}.control`), control);
    await writeFile(join(folder, 'extension', `${name}--${version}.sql`), sql);
  };
  await write('pg_cron', '1.6', "schema = 'pg_catalog'\n", pgCronSql);
  await write('spots', '1.0', '', spotsSql);
  const settings = { extension_control_path: `${folder}:$system`, 'cron.database_name': cronDatabase };
  for (const [name, value] of Object.entries(settings)) await configure(server, name, value);
  return {
    async remove() {
      for (const name of Object.keys(settings)) await configure(server, name, null);
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** Changes a setting, or resets it, and waits until new sessions have it. */
async function configure(server: TestServer, name: string, value: string | null): Promise<void> {
  const read = () =>
    withClient(server, 'postgres', async (client) => {
      const { rows } = await client.query('SELECT current_setting($1, true) AS value', [name]);
      return rows[0]?.value ?? null;
    });
  const before = await read();
  await withClient(server, 'postgres', async (client) => {
    await client.query(
      value === null ? `ALTER SYSTEM RESET ${name}` : `ALTER SYSTEM SET ${name} = ${quoteLiteral(value)}`,
    );
    await client.query('SELECT pg_reload_conf()');
  });
  if (before === value) return;
  for (let polls = 0; polls < 200; polls += 1) {
    const now = await read();
    if (value === null ? now !== before : now === value) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`${name} did not change`);
}
