import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Manifest } from '../../../shared/backup/manifest.ts';
import type { RestoreRequest } from '../../../shared/backup/restore/run-restore.ts';
import { anyServer, createScratchDatabase, type ScratchDatabase, withClient } from '../../support/servers.ts';
import { type RestoredDatabase, useBackupHarness } from '../support/harness.ts';

const harness = useBackupHarness();
const server = anyServer();
const OLD = 'Old "own;er" TO nobody';
const oldOwner = `"${OLD.replaceAll('"', '""')}"`;
let source: ScratchDatabase;
let manifest: Manifest;

const asSuperuser = (sql: string) => withClient(server, 'postgres', (client) => client.query(sql));

/** A backup whose roles are gone from the server. */
beforeAll(async () => {
  source = await createScratchDatabase(server);
  await withClient(server, source.name, (client) =>
    client.query(`
      CREATE ROLE ${oldOwner}; CREATE ROLE old_reader; CREATE ROLE old_writer; CREATE ROLE new_owner;
      ALTER DATABASE ${source.name} OWNER TO ${oldOwner};
      ALTER ROLE old_reader IN DATABASE ${source.name} SET work_mem = '3MB';
      GRANT CONNECT ON DATABASE ${source.name} TO old_reader;
      CREATE SCHEMA app AUTHORIZATION ${oldOwner};
      SET ROLE ${oldOwner};
      CREATE TABLE app.things AS SELECT 1 AS n;
      ALTER TABLE app.things ENABLE ROW LEVEL SECURITY;
      CREATE POLICY of_two ON app.things TO old_reader, old_writer USING (n > 0);
      CREATE FUNCTION app."to" ("from" int) RETURNS text LANGUAGE sql AS $$ SELECT 'ALTER x OWNER TO old_reader;' $$;
      GRANT USAGE ON SCHEMA app TO old_reader;
      GRANT SELECT, INSERT (n) ON app.things TO old_reader WITH GRANT OPTION;
      GRANT EXECUTE ON FUNCTION app."to" TO old_writer;
      ALTER DEFAULT PRIVILEGES IN SCHEMA app GRANT SELECT ON TABLES TO old_reader;
      SELECT lo_from_bytea(99, 'x');
      GRANT SELECT ON LARGE OBJECT 99 TO old_reader;
      RESET ROLE;
      SET ROLE old_reader;
      GRANT SELECT ON app.things TO old_writer;
      RESET ROLE;`),
  );
  manifest = await harness.backUp(source.target());
  await source.drop();
  await asSuperuser(`DROP ROLE ${oldOwner}, old_reader, old_writer`);
});
afterAll(() => asSuperuser('DROP ROLE new_owner'));

const restore = (request: Partial<RestoreRequest>) => harness.restore(manifest, server, { request });

async function facts(database: RestoredDatabase): Promise<Record<string, unknown>> {
  return withClient(server, database.name, async (client) => {
    const { rows } = await client.query(`
      SELECT pg_get_userbyid((SELECT datdba FROM pg_database WHERE datname = current_database())) AS database,
             (SELECT datacl::text FROM pg_database WHERE datname = current_database()) AS database_privileges,
             pg_get_userbyid((SELECT nspowner FROM pg_namespace WHERE nspname = 'app')) AS schema,
             pg_get_userbyid((SELECT relowner FROM pg_class WHERE relname = 'things')) AS "table",
             (SELECT relacl::text FROM pg_class WHERE relname = 'things') AS table_privileges,
             (SELECT array_agg(pg_get_userbyid(r) ORDER BY 1)::text FROM pg_policy, unnest(polroles) r) AS policy,
             (SELECT pg_get_userbyid(defaclrole) || defaclacl::text FROM pg_default_acl) AS defaults,
             (SELECT pg_get_userbyid(lomowner) || coalesce(lomacl::text, '') FROM pg_largeobject_metadata) AS large,
             (SELECT pg_get_userbyid(proowner) || coalesce(proacl::text, '') || prosrc FROM pg_proc WHERE proname = 'to') AS routine,
             (SELECT array_agg(pg_get_userbyid(setrole) || setconfig::text)::text FROM pg_db_role_setting s JOIN pg_database d ON d.oid = setdatabase WHERE datname = current_database()) AS settings`);
    return rows[0];
  });
}

const rolesPresent = async (): Promise<string[]> => {
  const { rows } = await asSuperuser(`SELECT rolname FROM pg_roles WHERE rolname ILIKE 'old%' ORDER BY 1`);
  return rows.map(({ rolname }: { rolname: string }) => rolname);
};

test('mapped roles take the place of the old ones wherever these are named, and only there', async () => {
  const restored = await restore({
    ownerMapping: { [OLD]: 'new_owner', old_reader: 'new_owner', old_writer: 'new_owner' },
  });
  expect(await rolesPresent()).toEqual([]);
  expect(restored.summary.warnings).toEqual([]);
  const found = await facts(restored);
  expect(JSON.stringify(found).replace('OWNER TO old_reader;', '')).not.toMatch(/old/i);
  expect(found).toMatchObject({
    database: 'new_owner',
    schema: 'new_owner',
    table: 'new_owner',
    policy: '{new_owner,new_owner}',
    settings: '{"new_owner{work_mem=3MB}"}',
    routine: expect.stringContaining("SELECT 'ALTER x OWNER TO old_reader;'"),
    defaults: expect.stringMatching(/^new_owner/),
    large: expect.stringMatching(/^new_owner/),
  });
  await restored.drop();
});

test('without owners and privileges everything is the login’s', async () => {
  const restored = await restore({
    withoutOwners: true,
    withoutPrivileges: true,
    ownerMapping: { old_reader: 'new_owner', old_writer: 'new_owner' },
  });
  expect(await rolesPresent()).toEqual([]);
  expect(restored.summary.warnings).toEqual([]);
  const login = server.user;
  expect(await facts(restored)).toMatchObject({
    database: login,
    schema: login,
    table: login,
    table_privileges: null,
    database_privileges: null,
    defaults: null,
    large: login,
  });
  await restored.drop();
});

test('missing roles are created without login, unless they are to be skipped', async () => {
  const restored = await restore({});
  expect(await rolesPresent()).toEqual([OLD, 'old_reader', 'old_writer']);
  const { rows: logins } = await asSuperuser(`SELECT rolname FROM pg_roles WHERE rolname ILIKE 'old%' AND rolcanlogin`);
  expect(logins).toEqual([]);
  expect([...restored.summary.warnings].sort()).toEqual(
    ['Old "own;er" TO nobody', 'old_reader', 'old_writer'].map(
      (name) => `Role "${name}" was missing on the server: created without login`,
    ),
  );
  expect(await facts(restored)).toMatchObject({ database: OLD, table: OLD, policy: '{old_reader,old_writer}' });
  await restored.drop();
  await asSuperuser(`DROP ROLE ${oldOwner}, old_reader, old_writer`);

  const skipped = await restore({
    missingRoles: 'skip',
    ownerMapping: { old_reader: 'new_owner', old_writer: 'new_owner' },
  });
  expect(await rolesPresent()).toEqual([]);
  expect(await facts(skipped)).toMatchObject({
    database: server.user,
    table: server.user,
    policy: '{new_owner,new_owner}',
  });
  expect(skipped.summary.warnings.join()).toContain('does not exist');
  await skipped.drop();
});

test('a policy for a role that is to be skipped is named before anything is created', async () => {
  await expect(restore({ missingRoles: 'skip' })).rejects.toMatchObject({
    code: 'policy_role_missing',
    message: 'These name roles that are missing on the server: POLICY app.things of_two',
  });
});

test('roles that are created get their settings and their memberships of each other, and no rights of roles that are there', async () => {
  const origin = await createScratchDatabase(server);
  await withClient(server, origin.name, (client) =>
    client.query(`
      CREATE ROLE old_group; CREATE ROLE old_head LOGIN CREATEDB; CREATE ROLE old_member IN ROLE pg_monitor, new_owner;
      GRANT old_group TO old_member WITH ADMIN OPTION; GRANT old_head TO old_group;
      ALTER ROLE old_member SET search_path = "a b", public; ALTER ROLE old_head SET statement_timeout = '7s';
      CREATE TABLE mine (n int); ALTER TABLE mine OWNER TO old_member;`),
  );
  const backup = await harness.backUp(origin.target());
  await origin.drop();
  await asSuperuser('DROP ROLE old_member, old_group, old_head');

  const restored = await harness.restore(backup, server);
  const { rows } = await asSuperuser(`
    SELECT r.rolname AS name, r.rolcanlogin OR r.rolcreatedb AS able, r.rolconfig AS settings,
           (SELECT array_agg(g.rolname || CASE WHEN admin_option THEN '!' ELSE '' END ORDER BY 1)::text
              FROM pg_auth_members JOIN pg_roles g ON g.oid = roleid WHERE member = r.oid) AS groups
      FROM pg_roles r WHERE r.rolname LIKE 'old%' ORDER BY 1`);
  expect(rows).toEqual([
    { name: 'old_group', able: false, settings: null, groups: '{old_head}' },
    { name: 'old_head', able: false, settings: ['statement_timeout=7s'], groups: null },
    { name: 'old_member', able: false, settings: ['search_path="a b", public'], groups: '{old_group!}' },
  ]);
  expect(restored.summary.warnings.filter((warning) => warning.includes('not granted'))).toEqual([
    'Role "old_member" was a member of "new_owner": not granted, as that role has rights of its own here',
    'Role "old_member" was a member of "pg_monitor": not granted, as that role has rights of its own here',
  ]);
  await restored.drop();
  await asSuperuser('DROP ROLE old_member, old_group, old_head');
});
