import { afterAll, beforeAll, expect, test } from 'vitest';
import { incompleteOf } from '../../shared/backup/incomplete.ts';
import { isWhole, runningBackup } from '../../shared/state/backups.ts';
import { anyServer, createScratchDatabase, type ScratchDatabase, withClient } from '../support/servers.ts';
import { DATABASE_ID, useBackupHarness } from './support/harness.ts';

const harness = useBackupHarness();
const server = anyServer();
const LOGIN = 'reads_all_but';
const run = (sql: string, database = 'postgres') => withClient(server, database, (client) => client.query(sql));
let source: ScratchDatabase;
let lo = '';

beforeAll(async () => {
  source = await createScratchDatabase(server);
  await run(`CREATE ROLE ${LOGIN} LOGIN PASSWORD 'r'; CREATE ROLE somebody`);
  const { rows } = await run(
    `CREATE TABLE open AS SELECT n FROM generate_series(1, 7) n;
     CREATE TABLE guarded AS SELECT n FROM generate_series(1, 5) n;
     ALTER TABLE guarded OWNER TO somebody;
     ALTER TABLE guarded ENABLE ROW LEVEL SECURITY;
     GRANT SELECT ON ALL TABLES IN SCHEMA public TO ${LOGIN};
     SELECT lo_from_bytea(0, 'theirs')::text AS oid`,
    source.name,
  ).then((results) => (results as unknown as { rows: { oid: string }[] }[]).at(-1) ?? { rows: [] });
  lo = rows[0]?.oid ?? '';
  await run(`ALTER LARGE OBJECT ${lo} OWNER TO somebody`, source.name);
});
afterAll(async () => {
  await source?.drop();
  await run(`DROP ROLE somebody; DROP ROLE ${LOGIN}`);
});

const target = () => source.target({ credentials: async () => ({ user: LOGIN, password: 'r' }) });

test('a table with row security, or a large object of somebody, is named before anything is exported', async () => {
  await expect(harness.backUp(target())).rejects.toMatchObject({
    code: 'rows_hidden',
    message: expect.stringContaining('"public"."guarded"'),
    nextStep: expect.stringContaining('BYPASSRLS'),
  });
  await run(`ALTER ROLE ${LOGIN} BYPASSRLS`);
  await expect(harness.backUp(target())).rejects.toMatchObject({
    code: 'large_objects_not_readable',
    message: expect.stringContaining('1 large objects of somebody'),
  });
  await run(`ALTER ROLE ${LOGIN} NOBYPASSRLS`);
});

test('or left out of a backup that says that it is incomplete, and stands for no whole one', async () => {
  const manifest = await harness.backUp(target(), { request: { leavesOut: true } });
  expect(manifest.missing).toEqual({ tables: [{ schema: 'public', name: 'guarded' }], large_objects: 1 });
  expect(manifest.tables.map(({ name, rows }) => [name, rows])).toEqual([['open', 7]]);
  expect(manifest.warnings).toEqual([
    expect.stringMatching(/^The backup is incomplete. It is without the rows of "public"."guarded".* 1 large objects/),
  ]);
  const incomplete = incompleteOf(manifest);
  expect(incomplete).toEqual({ tables: ['"public"."guarded"'], tables_total: 1, large_objects: 1 });
  const backup = {
    ...runningBackup({
      ...{ id: manifest.id, database: DATABASE_ID, backup_type: 'full', custom_name: null },
      ...{ job_id: 'job', requested_by: 'test' },
    }),
    status: 'available',
  } as const;
  expect([isWhole(backup), isWhole({ ...backup, incomplete })]).toEqual([true, false]);

  // The definition is there, and so is everything else.
  const restored = await harness.restore(manifest, server);
  const { rows } = await run(
    'SELECT (SELECT count(*)::int FROM open) AS open, (SELECT count(*)::int FROM guarded) AS guarded',
    restored.name,
  );
  expect(rows).toEqual([{ open: 7, guarded: 0 }]);
  await restored.drop();
});

test('with the right to see them it is whole', async () => {
  await run(`ALTER ROLE ${LOGIN} BYPASSRLS`);
  await run(`GRANT SELECT ON LARGE OBJECT ${lo} TO ${LOGIN}`, source.name);
  const manifest = await harness.backUp(target(), { request: { leavesOut: true } });
  expect(manifest).toMatchObject({ warnings: [], totals: { rows: 12 } });
  expect(manifest.missing).toBeUndefined();
});
