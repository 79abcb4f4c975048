import { setTimeout } from 'node:timers/promises';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { Manifest } from '../../../shared/backup/manifest.ts';
import type { ObjectStore } from '../../../shared/backup/objects/object-store.ts';
import { verifyRowCounts } from '../../../shared/backup/restore/count-rows.ts';
import { swapDatabases } from '../../../shared/backup/restore/swap.ts';
import { swapBack } from '../../../shared/backup/restore/swap-back.ts';
import type { Swap } from '../../../shared/contract/schemas/job.ts';
import { newJobId } from '../../../shared/state/ids.ts';
import {
  connectTo,
  createScratchDatabase,
  dropDatabase,
  forOneServer,
  type ScratchDatabase,
  type TestServer,
  targetFor,
  withClient,
} from '../../support/servers.ts';
import { useBackupHarness } from '../support/harness.ts';

const harness = useBackupHarness();

const stateOf = (server: TestServer, name: string): Promise<string> =>
  withClient(
    server,
    name,
    async (client) => (await client.query<{ text: string }>('SELECT text FROM state')).rows[0]?.text ?? '',
  );

/** Databases whose name begins with that one, and what a restore has not finished. */
const databasesOf = (server: TestServer, name: string): Promise<string[]> =>
  withClient(server, 'postgres', async (client) => {
    const { rows } = await client.query<{ name: string }>(
      `SELECT datname AS name FROM pg_database WHERE starts_with(datname, $1) OR starts_with(datname, 'dbms_restoring') ORDER BY 1`,
      [name],
    );
    return rows.map((row) => row.name);
  });

/** The store, with something that happens before rows are read from it. */
function storeWith(before: () => Promise<void>): ObjectStore {
  const { s3, ...rest } = harness.store;
  const send = async (command: { input: { Key?: string } }, ...more: never[]): Promise<unknown> => {
    if (command.input.Key?.includes('/data/')) await before();
    return (s3.send as (...all: unknown[]) => Promise<unknown>).call(s3, command, ...more);
  };
  return { ...rest, s3: Object.assign(Object.create(s3), { send }) };
}

forOneServer((server) => {
  describe('a swap', () => {
    let live: ScratchDatabase;
    let manifest: Manifest;
    const kept: string[] = [];

    beforeAll(async () => {
      live = await createScratchDatabase(server, `live "swäp" ${server.version}`);
      await withClient(server, live.name, (client) =>
        client.query(
          `CREATE TABLE state AS SELECT 'backed up' AS text; CREATE TABLE rows AS SELECT generate_series(1, 1000) AS n`,
        ),
      );
      manifest = await harness.backUp(live.target());
    });
    beforeEach(async () => {
      await withClient(server, live.name, (client) => client.query(`UPDATE state SET text = 'changed since'`));
    });
    afterAll(async () => {
      for (const name of kept) await dropDatabase(server, name);
      await live?.drop();
    });

    /** From the configured database's server, as the function does: in the live database itself. */
    const swap = (jobId = newJobId(), more: Parameters<typeof harness.restore>[2] = {}) =>
      harness.restore(manifest, server, {
        ...more,
        jobId,
        name: live.name,
        target: live.target(),
        request: { mode: 'swap' },
      });

    test('puts the restored database in place of the live one, keeps that one, and can be taken back', async () => {
      const session = await live.connect();
      let ended = false;
      session.once('end', () => {
        ended = true;
      });
      const served: unknown[] = [];
      const jobId = newJobId();
      const { summary } = await swap(jobId, {
        store: storeWith(async () => {
          served.push(...(await session.query('SELECT text FROM state')).rows);
        }),
      });
      // The session was served until the restored database was there to take over.
      expect(served).toEqual([{ text: 'changed since' }, { text: 'changed since' }]);
      const name = summary.keptDatabase ?? '';
      expect(summary.warnings).toEqual([]);
      expect(name).toMatch(new RegExp(`^live "swäp" ${server.version}_replaced_\\d{8}_\\d{6}_\\w{4}$`));
      expect(await stateOf(server, live.name)).toBe('backed up');
      expect(await stateOf(server, name)).toBe('changed since');
      expect(await databasesOf(server, live.name)).toEqual([live.name, name]);
      await expect.poll(() => ended).toBe(true);

      // A second attempt, whose first one's record was lost, changes nothing.
      expect((await swap(jobId)).summary).toMatchObject({
        keptDatabase: name,
        warnings: [expect.stringContaining('had swapped')],
      });
      expect(await databasesOf(server, live.name)).toEqual([live.name, name]);

      const job = {
        id: jobId,
        status: 'succeeded' as const,
        target_database: live.name,
        swap: { kept_database: name, swapped_back_at: null } as Swap,
      };
      const back = await swapBack(job, live.target());
      kept.push(back.kept_database);
      expect(await stateOf(server, live.name)).toBe('changed since');
      expect(await stateOf(server, back.kept_database)).toBe('backed up');
      expect(await databasesOf(server, live.name)).toEqual([live.name, back.kept_database]);
      // Asked again before it was noted, it answers the same; afterwards there is nothing to swap back.
      expect((await swapBack(job, live.target())).kept_database).toBe(back.kept_database);
      await expect(swapBack({ ...job, swap: back }, live.target())).rejects.toMatchObject({ code: 'not_swapped' });
      await dropDatabase(server, back.kept_database);
      await expect(swapBack(job, live.target())).rejects.toMatchObject({ code: 'kept_database_missing' });
    });

    test('is never seen half done by those who connect all the while', async () => {
      const seen = new Set<string>();
      let stop = false;
      const watch = async (): Promise<void> => {
        while (!stop) {
          const text = await stateOf(server, live.name).catch((error: { code?: string; message: string }) =>
            // Ended in the middle, or told that the name had just been another's.
            /^(57P01|3D000)$/.test(error.code ?? '') || /terminated/.test(error.message)
              ? 'refused'
              : `failed: ${error.message}`,
          );
          seen.add(text);
          await setTimeout(2);
        }
      };
      const watchers = [watch(), watch(), watch()];
      const { summary } = await swap();
      kept.push(summary.keptDatabase ?? '');
      await setTimeout(20);
      stop = true;
      await Promise.all(watchers);
      seen.delete('refused');
      expect([...seen]).toEqual(['changed since', 'backed up']);
    });

    test('that fails leaves the live database as it is, with its sessions', async () => {
      const before = await databasesOf(server, live.name);
      const session = await live.connect();
      const controller = new AbortController();
      const store = storeWith(async () => controller.abort(new Error('no longer wanted')));
      await expect(swap(newJobId(), { signal: controller.signal, store })).rejects.toThrow('no longer wanted');
      expect((await session.query('SELECT text FROM state')).rows).toEqual([{ text: 'changed since' }]);
      await session.end();
      expect(await databasesOf(server, live.name)).toEqual(before);
    });

    test('whose second half is refused takes the first back', async () => {
      const renaming = await connectTo(server, 'postgres');
      const ending = await connectTo(server, 'postgres');
      const nothing = { live: live.name, away: 'away', replacement: 'is not there' };
      await expect(swapDatabases(renaming, ending, nothing)).rejects.toMatchObject({
        code: 'swap_refused',
        message: expect.stringContaining('3D000'),
      });
      expect(await stateOf(server, live.name)).toBe('changed since');
      await renaming.end();
      await ending.end();
    });

    test('counts rows anew, and names the tables that differ', async () => {
      const restored = await harness.restore(manifest, server);
      const options = { connections: 2, signal: new AbortController().signal };
      const count = () => verifyRowCounts(restored.target(), restored.name, manifest, options);
      expect(await count()).toEqual([]);
      await withClient(server, restored.name, (client) => client.query('DELETE FROM rows WHERE n = 7'));
      await expect(count()).rejects.toMatchObject({
        code: 'rows_differ',
        message: expect.stringContaining('"public"."rows" has 999 rows, the manifest says 1000'),
      });
      await restored.drop();
    });

    test('is refused where the login could not end the sessions, or does not own the database', async () => {
      const login = `swapper_${server.version}`;
      await withClient(server, 'postgres', (client) =>
        client.query(`CREATE ROLE ${login} LOGIN CREATEDB PASSWORD 'swapping'`),
      );
      const session = await live.connect();
      const target = targetFor(server, 'postgres', {
        credentials: async () => ({ user: login, password: 'swapping' }),
      });
      const refused = harness.restore(manifest, server, { name: live.name, target, request: { mode: 'swap' } });
      await expect(refused).rejects.toMatchObject({
        code: 'restore_refused',
        message: expect.stringMatching(
          /^2 problems .*\(1\) The login does not own .*; \(2\) 1 sessions on .* may not end$/,
        ),
      });
      await session.end();
      await withClient(server, 'postgres', (client) => client.query(`DROP ROLE ${login}`));
    });

    test('with a database that is not there is refused', async () => {
      const missing = harness.restore(manifest, server, { name: 'not there', request: { mode: 'swap' } });
      await expect(missing).rejects.toMatchObject({ code: 'target_missing' });
    });
  });
});
