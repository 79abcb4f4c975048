import pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Manifest } from '../../../shared/backup/manifest.ts';
import { checkRestore } from '../../../shared/backup/restore/check-restore.ts';
import { checkServer, type PlannedRestore } from '../../../shared/backup/restore/check-server.ts';
import { spaceUnknown } from '../../../shared/backup/restore/free-space.ts';
import type { RestoreOptions, TailoredBackup } from '../../../shared/backup/restore/tailor.ts';
import type { ConnectionTarget } from '../../../shared/postgres/connect.ts';
import type { SchemaEntry } from '../../../shared/postgres/pg-dump/schema-dump.ts';
import {
  anyServer,
  createScratchDatabase,
  type ScratchDatabase,
  targetFor,
  withClient,
} from '../../support/servers.ts';
import { DATABASE_ID, useBackupHarness } from '../support/harness.ts';

const harness = useBackupHarness();
const server = anyServer();
const PASSWORD = 'checking';
let source: ScratchDatabase;
let manifest: Manifest;

beforeAll(async () => {
  source = await createScratchDatabase(server);
  await withClient(server, source.name, (client) =>
    client.query(`
      CREATE ROLE vanished; CREATE ROLE stranger; CREATE ROLE weak LOGIN PASSWORD '${PASSWORD}';
      CREATE TABLE things AS SELECT generate_series(1, 5) AS n;
      ALTER TABLE things OWNER TO vanished;
      CREATE TABLE others (n int); ALTER TABLE others OWNER TO stranger;
      CREATE POLICY mine ON things TO vanished USING (true);`),
  );
  manifest = await harness.backUp(source.target());
  await withClient(server, source.name, (client) => client.query('DROP OWNED BY vanished; DROP ROLE vanished'));
});
afterAll(async () => {
  await source?.drop();
  await withClient(server, 'postgres', (client) => client.query('DROP ROLE stranger, weak'));
});

const check = (
  { options = {}, ...planned }: Partial<PlannedRestore> & { options?: RestoreOptions } = {},
  target: ConnectionTarget = targetFor(server, 'postgres'),
  backupId = manifest.id,
) =>
  checkRestore(
    {
      database: DATABASE_ID,
      backupId,
      options,
      planned: { mode: 'new', targetDatabase: 'not there yet', missingRoles: 'create', connections: 2, ...planned },
    },
    { target, store: harness.store, signal: new AbortController().signal },
  );

const codes = (findings: readonly { code: string }[]): string[] => findings.map(({ code }) => code);

test('a restore that can begin has no problems, and says what would be restored', async () => {
  const found = await check();
  expect(found.problems).toEqual([]);
  expect(found.restores).toEqual({ tables: 2, rows: 5, bytes: manifest.totals.bytes });
  expect(Math.floor((found.serverVersion ?? 0) / 10_000)).toBe(server.version);
  expect(codes(found.warnings)).toEqual(['roles_missing', 'free_space_unknown']);
  expect(found.warnings[0]?.message).toBe('Roles missing on the server: vanished; they will be created without login');
  const chosen = await check({
    options: { selection: { schemas: [], tables: [{ schema: 'public', table: 'others' }] } },
  });
  expect(chosen.restores).toEqual({ tables: 1, rows: 0, bytes: 0 });
});

test('all problems are in one answer', async () => {
  const weak = targetFor(server, 'postgres', { credentials: async () => ({ user: 'weak', password: PASSWORD }) });
  const found = await check(
    {
      targetDatabase: source.name,
      missingRoles: 'skip',
      connections: 9_000,
      options: { selection: { schemas: ['public'], tables: [{ schema: 'no', table: 'table' }] } },
    },
    weak,
  );
  expect(codes(found.problems)).toEqual([
    'selection_unknown',
    'create_refused',
    'too_few_connections',
    'target_exists',
    'policy_role_missing',
  ]);
  expect(codes(found.warnings)).toContain('roles_not_granted');
  for (const { message, nextStep } of [...found.problems, ...found.warnings]) {
    expect(message.length).toBeGreaterThan(10);
    expect(nextStep).toMatch(/\.$/);
  }
});

test('the restore itself makes the same check, and fails with all it finds', async () => {
  const request = { missingRoles: 'skip' as const, connections: 9_000 };
  await expect(harness.restore(manifest, server, { name: source.name, request })).rejects.toMatchObject({
    code: 'restore_refused',
    message: expect.stringMatching(
      /^3 problems .*\(1\) The restore needs 9002 .*\(2\) A database named .*\(3\) These name roles/,
    ),
  });
});

test('what keeps the check from being made is a problem too', async () => {
  const unknown = await check({}, targetFor(server, 'postgres', { port: 1 }));
  expect(codes(unknown.problems)).toEqual(['database_unreachable']);
  expect(unknown.restores).toBeNull();
  const gone = await check(
    {},
    undefined,
    manifest.id.replace(/.$/, (last) => (last === '0' ? '1' : '0')),
  );
  expect(gone.problems).toHaveLength(1);
});

test('a configured database that is gone does not stand in the way of its restore', async () => {
  const found = await check({ targetDatabase: 'gone' }, targetFor(server, 'gone'));
  expect(found.problems).toEqual([]);
  const restored = await harness.restore(manifest, server, { name: 'gone', target: targetFor(server, 'gone') });
  await restored.drop();
  await withClient(server, 'postgres', (client) => client.query('DROP ROLE vanished'));
});

test('extensions and locales that the server lacks are named', async () => {
  const entry = (name: string): SchemaEntry => ({
    dump_id: 1,
    class_id: 3079,
    oid: 1,
    depends_on: [],
    section: 'pre-data',
    type: 'EXTENSION',
    schema: null,
    name,
    owner: null,
    sql: `CREATE EXTENSION "${name}"`,
  });
  const backup: TailoredBackup = {
    manifest: {
      ...manifest,
      roles: [],
      database_properties: { ...manifest.database_properties, locale_provider: 'c', collate: 'xx_XX.UTF-8' },
    },
    schema: { preamble: '', entries: [entry('citext'), entry('no_such_extension')] },
    unknown: [],
    warnings: [],
  };
  const planned = { mode: 'new', targetDatabase: 'x', missingRoles: 'create', connections: 1 } as const;
  const found = await withClient(server, 'postgres', (client) => checkServer(client, backup, planned, spaceUnknown));
  expect(found.problems.map(({ message }) => message)).toEqual([
    'The server does not have the extensions no_such_extension',
  ]);
  expect(found.warnings[0]?.message).toContain('does not list the locale xx_XX.UTF-8');

  const stranger = new pg.Client({ ...targetFor(server, 'postgres'), user: 'weak', password: PASSWORD });
  await stranger.connect();
  const entries = [entry('citext'), entry('pageinspect')];
  const asWeak = await checkServer(stranger, { ...backup, schema: { preamble: '', entries } }, planned, spaceUnknown);
  await stranger.end();
  expect(asWeak.warnings.find(({ code }) => code === 'extension_not_created')?.message).toMatch(
    /^Only a superuser may create the extensions pageinspect:/,
  );
});
