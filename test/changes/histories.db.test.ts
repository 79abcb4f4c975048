import { expect, test } from 'vitest';
import { replayChanges } from '../../shared/changes/replay/replay.ts';
import { planReplay } from '../../shared/changes/window/plan-replay.ts';
import { quoteIdentifier } from '../../shared/postgres/identifiers.ts';
import { useBackupHarness } from '../backup/support/harness.ts';
import { createScratchDatabase, forEachServer, type ScratchDatabase, withClient } from '../support/servers.ts';
import { parseStatements } from '../support/sql-parser.ts';
import { type History, histories } from './support/histories.sql.ts';
import { copyBase, type Protected, protect, replayTo, using } from './support/recovery.ts';

const harness = useBackupHarness();
const signal = new AbortController().signal;

const roleName = ({ name }: ScratchDatabase, role: string): string => quoteIdentifier(`${name}${role.slice(1)}`);

async function run(database: ScratchDatabase, statements: readonly string[]): Promise<void> {
  await using(database, async (client) => {
    for (const statement of statements) {
      const fails = statement.startsWith('!');
      const sql = statement
        .slice(fails ? 1 : 0)
        .replaceAll('$database', quoteIdentifier(database.name))
        .replace(/\$role_\d/g, (role) => roleName(database, role));
      const failure = await client.query(sql).then(
        () => null,
        (error: Error) => error,
      );
      if ((failure !== null) !== fails) throw failure ?? new Error(`It does not fail: ${sql}`);
    }
  });
}

/** Restores to the end of what is captured. */
async function restoreToEnd(source: ScratchDatabase, guarded: Protected, { changes, byBackup }: History) {
  const manifest = byBackup ? await harness.backUp(source.target()) : null;
  const base = manifest ? null : await copyBase(source);
  try {
    await run(source, changes);
    const { position: lsn } = await guarded.capture();
    if (base) return await replayTo(harness, guarded.of, base, { lsn });
    if (!manifest) throw new Error('There is no base');
    const plan = await planReplay(harness.store, guarded.of, manifest.snapshot, { lsn }, signal, { settledMs: 0 });
    const target = source.target();
    return await harness.restore(manifest, source.server, {
      replay: async (database, finish, missing, filling = target) => {
        const owners = {};
        const dependencies = {
          target: filling,
          database,
          store: harness.store,
          signal,
          parse: parseStatements,
          owners,
          finish,
        };
        return (await replayChanges({ ...plan, missing }, dependencies)).warnings;
      },
    });
  } finally {
    await base?.drop();
  }
}

forEachServer((server) => {
  for (const history of histories.filter(({ since = 0 }) => since <= server.version)) {
    test(history.name, async () => {
      const source = await createScratchDatabase(server);
      let guarded: Protected | undefined;
      try {
        await run(source, history.setup);
        guarded = await protect(harness, source);
        await guarded.release();
        await guarded.capture();
        const restoring = restoreToEnd(source, guarded, history);
        if (history.refused !== undefined) {
          await expect(restoring).rejects.toMatchObject({
            code: 'window_ends',
            message: expect.stringMatching(/^The window of this full backup ends at/),
          });
          await expect(restoring).rejects.toThrow(history.refused);
          return;
        }
        const restored = await restoring;
        const look = (database: ScratchDatabase) =>
          using(database, async (client) => (await client.query(history.look)).rows[0]);
        const [original, found] = [await look(source), await look(restored)];
        expect(found).toEqual(original);
        const { right } = history;
        if (right !== undefined) expect(found.found === undefined ? found : found.found).toEqual(right);
        await restored.drop();
      } finally {
        await guarded?.end();
        await source.drop();
        await withClient(server, 'postgres', async (client) => {
          // Of the server, which goes with its roles: one that something depends on still is in nobody's way.
          for (const role of ['$role_1', '$role_2'])
            await client.query(`DROP ROLE IF EXISTS ${roleName(source, role)}`).catch(({ code }) => {
              if (code !== '2BP01') throw new Error(`The role is not dropped: ${code}`);
            });
        });
      }
    });
  }
});
