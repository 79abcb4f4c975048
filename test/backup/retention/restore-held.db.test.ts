import { afterAll, beforeAll, expect, test } from 'vitest';
import { removeBackup } from '../../../shared/backup/remove.ts';
import { expireBackups } from '../../../shared/backup/retention/expire.ts';
import { succeedRestore } from '../../../shared/jobs/end.ts';
import { startRestore } from '../../../shared/jobs/start.ts';
import { createBackupCatalog } from '../../../shared/state/backups.ts';
import { createJobStore } from '../../../shared/state/jobs.ts';
import type { StateTable } from '../../../shared/state/table.ts';
import { DAY_MS } from '../../../shared/time.ts';
import { createStateTable } from '../../state/support.ts';
import { databaseDifferences } from '../../support/compare/compare.ts';
import { anyServer, createScratchDatabase, type ScratchDatabase, withClient } from '../../support/servers.ts';
import { DATABASE_ID, useBackupHarness } from '../support/harness.ts';
import { policyOf } from './support.ts';
import { backUpAndRecord } from './support-catalog.ts';

const harness = useBackupHarness();
const server = anyServer();
let source: ScratchDatabase;
let table: StateTable;
let close: () => void;
beforeAll(async () => {
  source = await createScratchDatabase(server);
  await withClient(server, source.name, (client) =>
    client.query(`
      CREATE TABLE filler AS SELECT n, repeat(md5(n::text), 20) AS text FROM generate_series(1, 6000) AS n;
      CREATE TABLE other AS SELECT n FROM generate_series(1, 1000) AS n`),
  );
  const state = await createStateTable(harness.services);
  table = state.table;
  close = () => state.client.destroy();
});
afterAll(async () => {
  close?.();
  await source?.drop();
});

const expire = () =>
  expireBackups(DATABASE_ID, {
    ...harness.store,
    table,
    policy: policyOf({ days: 1 }),
    signal: new AbortController().signal,
    clock: async () => new Date(Date.now() + 90 * DAY_MS),
  });

/** Holds the third object of rows that is read from now on, until it is let go. */
function holdReading() {
  const [reached, letGo] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  let read = 0;
  const { s3 } = harness.store;
  s3.middlewareStack.add(
    (next, { commandName }) =>
      async (args) => {
        if (commandName === 'GetObjectCommand' && (args.input as { Key: string }).Key.includes('/data/')) {
          read += 1;
          if (read >= 3) {
            reached.resolve();
            await letGo.promise;
          }
        }
        return next(args);
      },
    { step: 'initialize', name: 'hold' },
  );
  return {
    reached: reached.promise,
    letGo: () => {
      s3.middlewareStack.remove('hold');
      letGo.resolve();
    },
  };
}

test('retention and DELETE leave a backup alone that a restore is in the middle of, and take it afterwards', async () => {
  const old = await backUpAndRecord(harness, table, source);
  // So that the old one is not kept as the newest.
  await backUpAndRecord(harness, table, source);
  const keys = await harness.keys(old);
  expect(keys.length).toBeGreaterThan(5);

  const hold = holdReading();
  let restoring: ReturnType<typeof harness.restore> | undefined;
  const { job } = await startRestore(
    {
      table,
      startFunction: async ({ job_id }) => {
        await createJobStore(table).start(job_id);
        restoring = harness.restore(old, server, { jobId: job_id });
      },
    },
    { database: DATABASE_ID, requestedBy: 'alice', backupId: old.id, targetDatabase: 'unused' },
  );
  try {
    await hold.reached;
    expect(await expire()).toMatchObject({ removed: [], refused: [], kept: 2 });
    for (const force of [false, true]) {
      const removal = removeBackup({ ...harness.store, table }, old.id, { force });
      await expect(removal).rejects.toMatchObject({
        code: 'backup_in_use',
        message: expect.stringContaining(job.id),
      });
    }
    expect(await harness.keys(old)).toEqual(keys);
  } finally {
    hold.letGo();
  }
  const restored = await restoring;
  if (!restored) throw new Error('The restore was not started');
  expect(await databaseDifferences(source, restored)).toEqual([]);
  await succeedRestore(table, { jobId: job.id, backupId: old.id, warnings: [] });

  expect(await expire()).toMatchObject({ removed: [old.id], kept: 1 });
  expect(await harness.keys(old)).toEqual([]);
});

test('a restore cannot begin once retention has begun to remove its backup', async () => {
  const old = await backUpAndRecord(harness, table, source);
  await backUpAndRecord(harness, table, source);
  await createBackupCatalog(table).markDeleting(old.id);
  const request = { database: DATABASE_ID, requestedBy: 'alice', backupId: old.id, targetDatabase: 'never' };
  const start = startRestore({ table, startFunction: async () => expect.unreachable() }, request);
  await expect(start).rejects.toMatchObject({ code: 'backup_not_available' });
  expect((await expire()).removed).toContain(old.id);
});
