import { expect, test } from 'vitest';
import { connect } from '../../shared/postgres/connect.ts';
import { createScratchDatabase, forEachServer } from './servers.ts';

forEachServer((server) => {
  test('a scratch database comes and goes, also while it is in use', async () => {
    const scratch = await createScratchDatabase(server);
    const client = await scratch.connect();
    const { rows } = await client.query(
      "SELECT current_database() AS name, current_setting('server_version_num')::int / 10000 AS version",
    );
    expect(rows).toEqual([{ name: scratch.name, version: server.version }]);
    await scratch.drop();
    await expect(connect(scratch.target())).rejects.toMatchObject({ code: 'database_missing' });
  });

  test.for([
    ['wal_level', 'logical'],
    ['max_prepared_transactions', '10'],
    ['max_connections', '100'],
  ])('%s is %s', async ([name, value]) => {
    const scratch = await createScratchDatabase(server);
    const client = await scratch.connect();
    const { rows } = await client.query('SELECT current_setting($1) AS value', [name]);
    expect(rows).toEqual([{ value }]);
    await scratch.drop();
  });
});
