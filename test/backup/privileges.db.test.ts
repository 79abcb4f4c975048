import { expect, test } from 'vitest';
import { databaseDifferences } from '../support/compare/compare.ts';
import { createScratchDatabase, forEachServer, targetFor, withClient } from '../support/servers.ts';
import { useBackupHarness } from './support/harness.ts';

const harness = useBackupHarness();

forEachServer((server) => {
  test('a login that is no superuser restores owners and privileges, its own and those of roles it belongs to', async () => {
    const source = await createScratchDatabase(server);
    const [login, owner] = [`login_${source.name}`, `owner_${source.name}`];
    await withClient(server, source.name, (client) =>
      client.query(`
        CREATE ROLE ${login} LOGIN CREATEDB PASSWORD 'restoring';
        CREATE ROLE ${owner};
        GRANT ${owner} TO ${login};
        ALTER DATABASE ${source.name} OWNER TO ${owner};
        REVOKE TEMPORARY ON DATABASE ${source.name} FROM PUBLIC, ${owner};
        GRANT CONNECT ON DATABASE ${source.name} TO ${login} WITH GRANT OPTION;
        GRANT CREATE ON SCHEMA public TO ${owner};
        SET ROLE ${owner};
        SELECT lo_from_bytea(4711, 'content');
        GRANT SELECT ON LARGE OBJECT 4711 TO ${login};
        REVOKE UPDATE ON LARGE OBJECT 4711 FROM ${owner};
        CREATE TABLE owned (n int);
        INSERT INTO owned VALUES (1);
        GRANT SELECT ON owned TO ${login};
        RESET ROLE;
        ALTER SCHEMA public OWNER TO ${owner};`),
    );
    const manifest = await harness.backUp(source.target());
    const credentials = async () => ({ user: login, password: 'restoring' });
    const restored = await harness.restore(manifest, server, {
      target: targetFor(server, 'postgres', { credentials }),
    });
    expect(restored.summary.warnings).toEqual([]);
    expect(await databaseDifferences(source, restored)).toEqual([]);
    await restored.drop();
    await source.drop();
    await withClient(server, 'postgres', (client) => client.query(`DROP ROLE ${login}, ${owner}`));
  });
});
