import { TransactionCanceledException } from '@aws-sdk/client-dynamodb';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { startBackup } from '../../shared/jobs/start.ts';
import { createBackupCatalog } from '../../shared/state/backups.ts';
import { createJobStore } from '../../shared/state/jobs.ts';
import { type StateService, startState } from './support.ts';

let state: StateService;
beforeAll(async () => {
  state = await startState();
});
afterEach(() => state.table.documents.middlewareStack.remove('cancel'));
afterAll(() => state?.close());

/** Has the next transactions cancelled as DynamoDB does when another one is at the same items; the local one runs them in turn. */
function cancelTransactions(times: number, Code: string) {
  const tries = { count: 0 };
  state.table.documents.middlewareStack.add(
    (next, { commandName = '' }) =>
      (args) => {
        if (!commandName.startsWith('TransactWrite')) return next(args);
        tries.count += 1;
        if (tries.count > times) return next(args);
        const CancellationReasons = [{ Code: 'None' }, { Code }];
        throw new TransactionCanceledException({
          message: 'Transaction cancelled',
          $metadata: {},
          CancellationReasons,
        });
      },
    { step: 'initialize', name: 'cancel' },
  );
  return tries;
}

const start = (database: string) =>
  startBackup(
    { table: state.table, startFunction: async () => undefined },
    { database, requestedBy: 'alice', backupType: 'full', customName: null },
  );

test.each(['TransactionConflict', 'ThrottlingError'])('a beginning that meets a %s is tried again', async (code) => {
  const database = `shop-${code.toLowerCase()}`;
  const tries = cancelTransactions(2, code);
  const { job } = await start(database);
  expect(tries.count).toBe(3);
  expect((await createJobStore(state.table).list({ database, limit: 10 })).items.map(({ id }) => id)).toEqual([job.id]);
  expect((await createBackupCatalog(state.table).entries(database)).length).toBe(1);
});

test('and not for ever; nothing is half begun then', async () => {
  cancelTransactions(Number.POSITIVE_INFINITY, 'TransactionConflict');
  await expect(start('unlucky')).rejects.toBeInstanceOf(TransactionCanceledException);
  expect((await createJobStore(state.table).list({ database: 'unlucky', limit: 10 })).items).toEqual([]);
  expect(await createBackupCatalog(state.table).entries('unlucky')).toEqual([]);
});
