import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Manifest } from '../../../../shared/backup/manifest.ts';
import { checkRestore } from '../../../../shared/backup/restore/check-restore.ts';
import { databaseDifferences } from '../../../support/compare/compare.ts';
import { createEverything } from '../../../support/everything/create-everything.ts';
import { forEachServer, type ScratchDatabase, withClient } from '../../../support/servers.ts';
import { DATABASE_ID, type RestoredDatabase, useBackupHarness } from '../../support/harness.ts';

const harness = useBackupHarness();
const PASSWORD = 'plain';

/** Rows that constraints refuse which are NOT VALID: no way of loading brings them back. */
const WITHOUT_REFUSED_ROWS = `
DELETE FROM keys.unvalidated WHERE id < 0;
DO $$ BEGIN IF to_regclass('keys.not_nulls') IS NOT NULL THEN DELETE FROM keys.not_nulls; INSERT INTO keys.not_nulls VALUES (1, 1, 1); END IF; END $$`;

forEachServer((server) => {
  let source: ScratchDatabase;
  let definitions: Manifest;
  let rows: Manifest;

  beforeAll(async () => {
    source = await createEverything(server);
    await withClient(server, source.name, (client) => client.query(WITHOUT_REFUSED_ROWS));
    definitions = await harness.backUp(source.target(), { request: { backupType: 'schema' } });
    rows = await harness.backUp(source.target(), { request: { backupType: 'data' } });
  });
  afterAll(async () => {
    await source?.drop();
    await withClient(server, 'postgres', (client) => client.query('DROP ROLE IF EXISTS plain_login'));
  });

  const fill = (database: RestoredDatabase, backup = rows, target = database.target()) =>
    harness.restore(backup, server, { name: database.name, target, request: { mode: 'data' } });

  test('definitions of one backup and rows of another are the whole database', async () => {
    const database = await harness.restore(definitions, server);
    const { summary } = await fill(database);
    expect(summary.warnings).toEqual([
      expect.stringContaining('session_replication_role = replica'),
      expect.stringMatching(
        /^These triggers are turned off in .*: always of guards.watched, replica of guards.watched$/,
      ),
      expect.stringMatching(/^These constraints are NOT VALID.*not_negative of keys.unvalidated/),
    ]);
    expect(summary.rows).toBe(rows.totals.rows);
    expect(await databaseDifferences(source, database)).toEqual([]);

    await expect(fill(database)).rejects.toMatchObject({ code: 'restore_refused' });
    await database.drop();
  });

  test('a login that may turn nothing off loads in the order of the foreign keys', async () => {
    const database = await harness.restore(definitions, server);
    const name = `"${database.name}"`;
    await withClient(server, database.name, (client) =>
      client.query(`CREATE ROLE plain_login LOGIN PASSWORD '${PASSWORD}'; GRANT ${server.user} TO plain_login`),
    );
    const plain = database.target({ credentials: async () => ({ user: 'plain_login', password: PASSWORD }) });
    const found = await checkRestore(
      {
        database: DATABASE_ID,
        backupId: rows.id,
        options: {},
        planned: { mode: 'data', targetDatabase: database.name, missingRoles: 'skip', connections: 2 },
      },
      { target: plain, store: harness.store, signal: new AbortController().signal },
    );
    expect(found.problems.map(({ code, message }) => [code, message])).toEqual([
      ['temporary_refused', expect.any(String)],
      ['row_security', expect.stringContaining('holds for the login in guards.secured, and')],
    ]);
    await withClient(server, 'postgres', (client) =>
      client.query(`ALTER ROLE plain_login BYPASSRLS; GRANT TEMPORARY ON DATABASE ${name} TO plain_login`),
    );
    const { summary } = await fill(database, rows, plain);
    expect(summary.warnings).toEqual([
      expect.stringContaining('in the order of their foreign keys'),
      expect.stringMatching(/^The tables keys.(items, keys.orders|orders, keys.items) refer to each other/),
      expect.stringMatching(
        /^These triggers are turned off in .*: on_(all_)?parts of guards.parts, .*before_row of guards.watched/,
      ),
      expect.stringMatching(/^These constraints are NOT VALID.*to_customer of keys.unvalidated/),
    ]);
    await withClient(server, 'postgres', (client) =>
      client.query(`REVOKE TEMPORARY ON DATABASE ${name} FROM plain_login`),
    );
    expect(await databaseDifferences(source, database)).toEqual([]);
    await database.drop();
  });
});
