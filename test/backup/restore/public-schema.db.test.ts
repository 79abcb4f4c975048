import { expect, test } from 'vitest';
import { closePublicSchema, closePublicSchemaSql } from '../../../shared/backup/restore/public-schema.ts';
import { plainSession } from '../../support/plain-session.ts';
import { createScratchDatabase, forEachServer, type TestServer, targetFor, withClient } from '../../support/servers.ts';
import { useBackupHarness } from '../support/harness.ts';

const harness = useBackupHarness();

const everybodyCreates = (server: TestServer, database: string): Promise<boolean> =>
  withClient(server, database, async (client) => {
    const { rows } = await client.query("SELECT has_schema_privilege('public', 'public', 'CREATE') AS may");
    return rows[0].may;
  });

forEachServer((server) => {
  const OPEN = 'GRANT CREATE ON SCHEMA public TO PUBLIC';

  test('a login that owns the schema public closes it; another one is told how', async () => {
    const database = await createScratchDatabase(server);
    const login = `login_${database.name}`;
    await withClient(server, database.name, (client) =>
      client.query(`CREATE ROLE ${login} LOGIN PASSWORD 'p'; ${OPEN}`),
    );
    const credentials = async () => ({ user: login, password: 'p' });
    const client = await plainSession(targetFor(server, database.name, { credentials }));
    const [warning = '', ...others] = await closePublicSchema(client, []);
    expect(others).toEqual([]);
    expect(warning).toMatch(/^SCHEMA public: everybody may create/);
    expect(warning.endsWith(closePublicSchemaSql)).toBe(true);
    expect(await everybodyCreates(server, database.name)).toBe(true);
    const opens = { section: 'post-data', type: 'ACL', name: 'SCHEMA public', sql: `${OPEN};\n` };
    expect(await closePublicSchema(client, [{ ...opens, dump_id: 1, schema: null, oid: 0 } as never])).toEqual([]);

    await withClient(server, database.name, (owner) => owner.query(`ALTER SCHEMA public OWNER TO ${login}`));
    expect(await closePublicSchema(client, [])).toEqual([]);
    expect(await everybodyCreates(server, database.name)).toBe(false);
    await client.query('DROP SCHEMA public');
    expect(await closePublicSchema(client, [])).toEqual([]);
    await client.end();
    await database.drop();
    await withClient(server, 'postgres', (owner) => owner.query(`DROP ROLE ${login}`));
  });

  test.each([false, true])(
    'a restore by a login that owns no schema succeeds; open in the source: %s',
    async (open) => {
      const source = await createScratchDatabase(server);
      const login = `login_${source.name}`;
      await withClient(server, source.name, (client) =>
        client.query(`
        CREATE ROLE ${login} LOGIN CREATEDB PASSWORD 'p'; ${open ? OPEN : closePublicSchemaSql};
        CREATE TABLE item AS SELECT 1 AS n; ALTER TABLE item OWNER TO ${login};
        ALTER DATABASE ${source.name} OWNER TO ${login}`),
      );
      const manifest = await harness.backUp(source.target());
      const credentials = async () => ({ user: login, password: 'p' });
      const target = targetFor(server, 'postgres', { credentials });
      const restored = await harness.restore(manifest, server, { target });
      const stays = server.version < 15 && !open ? [expect.stringContaining(closePublicSchemaSql)] : [];
      expect(restored.summary.warnings).toEqual(stays);
      expect(await everybodyCreates(server, restored.name)).toBe(server.version < 15 || open);
      await restored.drop();
      await source.drop();
      await withClient(server, 'postgres', (client) => client.query(`DROP ROLE ${login}`));
    },
  );
});
