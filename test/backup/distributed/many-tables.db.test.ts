import { afterAll, beforeAll, expect, test } from 'vitest';
import type { StateTable } from '../../../shared/state/table.ts';
import { type OwnServer, ownServer } from '../../postgres/support/own-server.ts';
import { createStateTable } from '../../state/support.ts';
import { plainSession } from '../../support/plain-session.ts';
import { anyBinaries } from '../../support/postgres-binaries.ts';
import { backUpDistributed } from '../support/distributed.ts';
import { useBackupHarness } from '../support/harness.ts';

const harness = useBackupHarness();
let table: StateTable;
let server: OwnServer;
beforeAll(async () => {
  ({ table } = await createStateTable(harness.services));
  // Room for some hundreds of locks: as for 100,000 tables on a server with the usual settings.
  server = await ownServer(await anyBinaries(), { max_connections: '20', max_locks_per_transaction: '10' });
  const client = await plainSession(server.target());
  await client.query(`
    CREATE PROCEDURE make_tables() LANGUAGE plpgsql AS $$ BEGIN
      FOR n IN 1..2000 LOOP EXECUTE format('CREATE TABLE table_%s (n int)', n); COMMIT; END LOOP;
    END $$`);
  await client.query('CALL make_tables()');
  await client.end();
});
afterAll(() => server?.remove());

test('a database of more tables than the server has locks for is refused in words, and nothing is left', async () => {
  const { outcome, id, lanes } = await backUpDistributed(harness, table, server.target(), { invocationMs: 20_000 });
  expect(outcome).toMatchObject({
    status: 'failed',
    error: { code: 'too_many_locks', next_step: expect.stringContaining('max_locks_per_transaction') },
  });
  expect(lanes.size).toBe(0);
  expect((await harness.keys({ id })).filter((key) => key.includes('manifest'))).toEqual([]);
});
