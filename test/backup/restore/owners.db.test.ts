import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Manifest } from '../../../shared/backup/manifest.ts';
import { checkRestore } from '../../../shared/backup/restore/check-restore.ts';
import type { PlannedMode } from '../../../shared/backup/restore/restore-mode.ts';
import {
  createScratchDatabase,
  forEachServer,
  type ScratchDatabase,
  targetFor,
  withClient,
} from '../../support/servers.ts';
import { DATABASE_ID, useBackupHarness } from '../support/harness.ts';

const harness = useBackupHarness();
const PASSWORD = 'of the login';
const login = readFileSync(join(import.meta.dirname, '../../../docs/logins/self-managed.sql'), 'utf8');

/** With the login that docs/deploy.md tells to create. */
forEachServer((server) => {
  const hasOptions = server.version >= 16;
  let source: ScratchDatabase;
  let manifest: Manifest;
  const run = (sql: string, database = 'postgres') => withClient(server, database, (client) => client.query(sql));
  const target = (name = 'postgres') =>
    targetFor(server, name, { credentials: async () => ({ user: 'dbms', password: PASSWORD }) });

  beforeAll(async () => {
    source = await createScratchDatabase(server);
    await run(login, source.name);
    await run(`ALTER ROLE dbms PASSWORD '${PASSWORD}'`);
    // Come after the script was run.
    await run(
      `CREATE ROLE late_owner; CREATE ROLE late_reader;
       CREATE TABLE things AS SELECT generate_series(1, 10) AS n;
       ALTER TABLE things OWNER TO late_owner;
       GRANT SELECT ON things TO late_reader;
       CREATE PUBLICATION of_things FOR TABLE things;
       ALTER PUBLICATION of_things OWNER TO late_owner;
       ALTER DATABASE ${source.name} OWNER TO late_owner`,
      source.name,
    );
    manifest = await harness.backUp(source.target());
  });
  afterAll(async () => {
    await source?.drop();
    await run('DROP OWNED BY dbms; DROP ROLE late_owner, late_reader, dbms');
  });

  const check = async (mode: PlannedMode = 'new', backupId = manifest.id) => {
    const targetDatabase = mode === 'swap' ? source.name : 'not there yet';
    const { problems, warnings } = await checkRestore(
      {
        database: DATABASE_ID,
        backupId,
        options: {},
        planned: { mode, targetDatabase, missingRoles: 'create', connections: 2 },
      },
      { target: target(), store: harness.store, signal: new AbortController().signal },
    );
    return { problems, warnings: warnings.filter(({ code }) => code.startsWith('roles_')) };
  };
  const ownerOfRestored = async () => {
    const restored = await harness.restore(manifest, server, { target: target() });
    const { rows } = await run("SELECT tableowner AS owner FROM pg_tables WHERE tablename = 'things'", restored.name);
    const publications = await run('SELECT pg_get_userbyid(pubowner) AS owner FROM pg_publication', restored.name);
    const warnings = restored.summary.warnings.join();
    await restored.drop();
    return { owner: rows[0]?.owner, publisher: publications.rows[0]?.owner, warnings };
  };
  /** As a person would run it, who has copied it from the answer. */
  const statementIn = (nextStep = ''): string => /^Run (GRANT .+?), (?:as|or) /.exec(nextStep)?.[1] ?? nextStep;

  test('a restore goes on without an owner whom the login may not set, and the check has said so', async () => {
    // As CREATE ROLE grants it to a login that is no superuser: since 16 to be administered alone.
    await run(
      hasOptions ? 'GRANT late_owner TO dbms WITH ADMIN TRUE, INHERIT FALSE, SET FALSE' : 'REVOKE late_owner FROM dbms',
    );
    const { problems, warnings } = await check();
    expect(problems).toEqual([]);
    expect(warnings).toMatchObject([
      { code: 'roles_not_granted', message: expect.stringMatching(/: late_owner\. What/) },
    ]);
    expect(await ownerOfRestored()).toMatchObject({ owner: 'dbms', warnings: expect.stringContaining('things') });
  });

  test('what the role that made the server owns comes to belong to the login, and the check has said so', async () => {
    // pg_shdepend does not have that role.
    const { rows } = await run('SELECT rolname AS name FROM pg_roles WHERE oid = 10');
    const superuser = String(rows[0]?.name);
    await run('CREATE TABLE of_the_superuser (n int)', source.name);
    const { id } = await harness.backUp(source.target());
    const { problems, warnings } = await check('new', id);
    expect(problems).toEqual([]);
    const [warning] = warnings;
    expect(warning?.message).toContain(superuser);
    expect(warning?.nextStep).toContain(`The login should be no member of superusers (${superuser}): map them with`);
    expect(warning?.nextStep).not.toMatch(new RegExp(`GRANT [^,]*"${superuser}"`));
    await run('DROP TABLE of_the_superuser', source.name);
  });

  test('a restore in place is refused while the login does not have the rights of the owner', async () => {
    const { problems } = await check('swap');
    expect(problems).toMatchObject([
      { code: 'swap_not_allowed', nextStep: expect.stringContaining('GRANT "late_owner"') },
    ]);
  });

  test.runIf(hasOptions)(
    'an owner whose rights the login does not inherit is a problem: no row could be loaded',
    async () => {
      await run('GRANT late_owner TO dbms WITH INHERIT FALSE, SET TRUE');
      const { problems, warnings } = await check();
      expect(warnings).toEqual([]);
      expect(problems).toMatchObject([{ code: 'roles_not_inherited' }]);
      await expect(ownerOfRestored()).rejects.toMatchObject({ code: 'roles_not_inherited' });
      await run('GRANT late_owner TO dbms WITH SET FALSE');
    },
  );

  test('the statement of the finding is all that is needed', async () => {
    const [warning] = (await check()).warnings;
    const statement = statementIn(warning?.nextStep);
    expect(statement).toBe(`GRANT "late_owner" TO "dbms"${hasOptions ? ' WITH INHERIT TRUE, SET TRUE' : ''}`);
    await run(statement);
    expect(await check()).toEqual({ problems: [], warnings: [] });
    expect((await check('swap')).problems).toEqual([]);
    expect(await ownerOfRestored()).toEqual({ owner: 'late_owner', publisher: 'late_owner', warnings: '' });
  });
});
