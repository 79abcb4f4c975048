import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { listAlerts } from '../../shared/alerts/alert-store.ts';
import { turnOff } from '../../shared/changes/setup/turn-on.ts';
import { captureDatabase } from '../../shared/recovery/capture-database.ts';
import { turnRecoveryOn } from '../../shared/recovery/change-recovery.ts';
import { chooseBase } from '../../shared/recovery/choose-base.ts';
import { describeRecovery } from '../../shared/recovery/describe-window.ts';
import { proveWindow } from '../../shared/recovery/prove-window.ts';
import { readRecovery } from '../../shared/state/recovery.ts';
import type { StateTable } from '../../shared/state/table.ts';
import { DATABASE_ID, useBackupHarness } from '../backup/support/harness.ts';
import { createStateTable } from '../state/support.ts';
import { anyServer, createScratchDatabase, type ScratchDatabase } from '../support/servers.ts';
import { parseStatements } from '../support/sql-parser.ts';
import { takeListedBackup } from './support/list-backup.ts';

const harness = useBackupHarness();
const signal = new AbortController().signal;
const postgresToolsPath = join(import.meta.dirname, '../../node_modules');

let source: ScratchDatabase;
let table: StateTable;
beforeAll(async () => {
  source = await createScratchDatabase(anyServer());
  table = (await createStateTable(harness.services)).table;
  await run('CREATE TABLE t (id int PRIMARY KEY)');
});
afterAll(async () => {
  if (source) await turnOff(DATABASE_ID, { target: source.target() });
  await source?.drop();
});

async function run(...statements: string[]): Promise<void> {
  const client = await source.connect();
  try {
    for (const statement of statements) await client.query(statement);
  } finally {
    await client.end();
  }
}

const dependencies = () => ({
  ...{ target: source.target(), store: harness.store, table, signal, parse: parseStatements, postgresToolsPath },
  configuration: { alert_emails: ['dba@example.com'] },
  limits: { mostRetainedBytes: 10 * 1_073_741_824, warnAt: 0.5 },
  ...{ captureMinutes: 1, compressionLevel: 1, timeMs: 120_000, waitMs: 60_000, startBase: async () => undefined },
});
const capture = () => captureDatabase(DATABASE_ID, dependencies());
const prove = () => proveWindow(DATABASE_ID, dependencies());
const describe = () => describeRecovery(DATABASE_ID, dependencies());
const opened = async () =>
  (await listAlerts(table, { database: DATABASE_ID, limit: 10 })).items
    .filter(({ status }) => status !== 'resolved')
    .map(({ cause }) => cause);

const backUp = () => takeListedBackup(harness, table, source);

const checked = (lsn: string) =>
  chooseBase({ database: DATABASE_ID, backupId: undefined }, { lsn }, { table, store: harness.store, signal });
const position = async (): Promise<string> => (await readRecovery(table, DATABASE_ID))?.covered?.lsn ?? '';

test('changes of definitions are rehearsed once, and the first that cannot be repeated ends the window everywhere at once', async () => {
  await turnRecoveryOn(DATABASE_ID, 'alice', dependencies());
  await run('INSERT INTO t VALUES (1)');
  await capture();
  expect(await prove()).toBeNull();
  await backUp();
  await run('INSERT INTO t VALUES (2)');
  await capture();
  expect(await prove()).toBeNull();
  await run('ALTER TABLE t ADD note text', 'CREATE TABLE u AS SELECT * FROM t');
  await capture();
  expect(await prove()).toEqual({ outcome: 'repeated', compared: true });
  expect(await prove()).toBeNull();
  const before = await position();

  await run(
    'INSERT INTO t VALUES (3)',
    'ALTER EVENT TRIGGER dbms_changes_end DISABLE',
    'CREATE TABLE hidden (n int)',
    'ALTER EVENT TRIGGER dbms_changes_end ENABLE ALWAYS',
    'CREATE TABLE after (LIKE hidden)',
    'INSERT INTO t VALUES (4)',
  );
  await capture();
  const latest = await position();
  expect((await describe()).obstacles).toEqual([]);
  await checked(latest);
  const reason = 'CREATE TABLE could not be repeated: relation "hidden" does not exist';
  expect(await prove()).toMatchObject({ outcome: 'blocked', reason });
  const window = await describe();
  expect(window).toMatchObject({ obstacles: [{ reason }], ended_by: { reason } });
  expect(window.next_base?.reason).toContain(reason);
  expect(await opened()).toContain('recovery:definitions');
  await expect(checked(latest)).rejects.toMatchObject({
    code: 'window_ends',
    message: expect.stringContaining(reason),
  });
  await checked(before);
  // The window ends there: nothing is left to be rehearsed.
  expect(await prove()).toBeNull();

  await run('DROP TABLE after', 'DROP TABLE hidden');
  await backUp();
  await run('INSERT INTO t VALUES (5)');
  await capture();
  expect(await describe()).toMatchObject({ ended_by: null, next_base: null });
  expect(await opened()).not.toContain('recovery:definitions');
  // A moment within a second of the backup is judged by the next run of the capture.
  const isCovered = async () => {
    await capture();
    return checked(await position()).then(
      () => 'covered',
      ({ code }) => code,
    );
  };
  await expect.poll(isCovered).toBe('covered');
});

test('definitions that come out other than those of the database end it since they were last compared', async () => {
  await run('CREATE TABLE told (n int PRIMARY KEY)', 'INSERT INTO told VALUES (1)', 'CLUSTER told USING told_pkey');
  const before = await position();
  await capture();
  expect(await prove()).toMatchObject({ outcome: 'blocked', commit: null });
  await expect(checked(await position())).rejects.toMatchObject({
    code: 'window_ends',
    message: expect.stringContaining('index public.told_pkey differs in clustered'),
  });
  await checked(before);
  expect((await describe()).ended_by?.reason).toContain('index public.told_pkey');
});
