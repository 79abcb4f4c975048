import { afterAll, beforeAll, expect, test } from 'vitest';
import { turnOff } from '../../shared/changes/setup/turn-on.ts';
import type { RowChangesAnswer } from '../../shared/contract/schemas/row-changes.ts';
import { captureDatabase } from '../../shared/recovery/capture-database.ts';
import { turnRecoveryOn } from '../../shared/recovery/change-recovery.ts';
import { countChangesSince } from '../../shared/recovery/changed-since.ts';
import { chooseBase } from '../../shared/recovery/choose-base.ts';
import { listRowChanges, type RowChangesRequest } from '../../shared/recovery/row-changes/list-row-changes.ts';
import { createBackupCatalog } from '../../shared/state/backups.ts';
import { writeMasking } from '../../shared/state/masking.ts';
import type { StateTable } from '../../shared/state/table.ts';
import { DATABASE_ID, useBackupHarness } from '../backup/support/harness.ts';
import { createStateTable } from '../state/support.ts';
import { anyServer, createScratchDatabase, type ScratchDatabase } from '../support/servers.ts';
import { takeListedBackup } from './support/list-backup.ts';

const harness = useBackupHarness();
const signal = new AbortController().signal;
let source: ScratchDatabase;
let table: StateTable;
let base = '';
const began = new Date(Date.now() - 60_000).toISOString();
/** By the server's clock, before the last change. */
let beforeMistake = '';

beforeAll(async () => {
  source = await createScratchDatabase(anyServer());
  table = (await createStateTable(harness.services)).table;
  await writeMasking(table, {
    ...{ database: DATABASE_ID, version: 1, changed_by: 'alice', changed_at: began },
    rules: [{ schema: 'shop', table: 'orders', column: 'email', mask: { rule: 'null' } }],
  });
  await run('CREATE SCHEMA shop');
  await run('CREATE TABLE shop.sales (id int PRIMARY KEY, note text, mail text, big text)');
  await run('ALTER TABLE shop.sales ALTER big SET STORAGE EXTERNAL');
  await run('CREATE TABLE shop.parts (id int, region text, PRIMARY KEY (id, region)) PARTITION BY LIST (region)');
  await run(`CREATE TABLE shop.parts_north PARTITION OF shop.parts FOR VALUES IN ('north')`);
  await run(
    'CREATE TABLE shop.ticks (id int); CREATE TABLE shop.loose (id int); CREATE TABLE shop.full (id int, note text)',
  );
  await run('ALTER TABLE shop.full REPLICA IDENTITY FULL');
  await turnRecoveryOn(DATABASE_ID, 'alice', dependencies());
  base = await backUp();
  await run(
    `INSERT INTO shop.sales VALUES (1, 'first', 'a@example.com', repeat('x', 5000)), (2, 'other', 'b@example.com', '')`,
  );
  await run(`UPDATE shop.sales SET note = E'tab\\there' WHERE id = 1`);
  await run('ALTER TABLE shop.sales RENAME COLUMN mail TO email');
  await run('SET search_path = shop', 'ALTER TABLE sales RENAME TO orders');
  await run('UPDATE shop.orders SET id = 10 WHERE id = 1');
  await run(`INSERT INTO shop.parts VALUES (7, 'north'), (8, 'north')`);
  await run(`INSERT INTO shop.full VALUES (1, 'old'); UPDATE shop.full SET note = 'new'`);
  await run('INSERT INTO shop.loose VALUES (1); DELETE FROM shop.loose');
  await capture();
  await run('UPDATE shop.orders SET email = NULL');
  const [clock] = await run(
    `SELECT to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS now`,
  );
  beforeMistake = String(clock?.now);
  await run('DELETE FROM shop.orders; TRUNCATE shop.full, shop.loose');
  await captureUntilNow();
});
afterAll(async () => {
  if (source) await turnOff(DATABASE_ID, { target: source.target() });
  await source?.drop();
});

/** In one session; answers with the rows of the last. */
async function run(...statements: string[]): Promise<Record<string, unknown>[]> {
  const client = await source.connect();
  try {
    let rows: Record<string, unknown>[] = [];
    for (const sql of statements) rows = (await client.query(sql)).rows ?? [];
    return rows;
  } finally {
    await client.end();
  }
}

const dependencies = () => ({
  target: source.target(),
  store: harness.store,
  table,
  configuration: { alert_emails: [] },
  limits: { mostRetainedBytes: 10 * 1_073_741_824, warnAt: 0.5 },
  captureMinutes: 1,
  compressionLevel: 1,
  timeMs: 120_000,
  waitMs: 60_000,
  startBase: async () => undefined,
  signal,
});
const capture = () => captureDatabase(DATABASE_ID, dependencies());

/** Until a moment after all that was committed is covered, which is a second later. */
async function captureUntilNow(): Promise<void> {
  for (let round = 0; round < 3; round += 1) {
    await run('SELECT pg_sleep(0.6)', 'INSERT INTO shop.ticks VALUES (1)');
    await capture();
  }
}

const backUp = () => takeListedBackup(harness, table, source);

const list = (asked: Partial<RowChangesRequest> & { table: string }, more: object = {}): Promise<RowChangesAnswer> =>
  listRowChanges(
    { database: DATABASE_ID, key: undefined, from: began, to: undefined, limit: 100, cursor: undefined, ...asked },
    { ...dependencies(), ...more },
  );
const told = ({ items }: Pick<RowChangesAnswer, 'items'>) =>
  items.map(({ table: name, operation, before, after }) => [
    name,
    operation,
    before?.values ?? null,
    after?.values ?? null,
  ]);

test('tells what happened to a row through the renames of its table and columns, and a change of its key', async () => {
  const answer = await list({ table: 'shop.orders', key: '1' });
  expect(told(answer)).toEqual([
    ['shop.sales', 'insert', null, { id: '1', note: 'first', big: 'x'.repeat(2000) }],
    ['shop.sales', 'update', null, { id: '1', note: 'tab\there' }],
    ['shop.orders', 'update', { id: '1' }, { id: '10', note: 'tab\there' }],
    ['shop.orders', 'update', null, { id: '10', note: 'tab\there' }],
    ['shop.orders', 'delete', { id: '10' }, null],
  ]);
  expect(answer.items[0]?.after).toMatchObject({ cut: ['big'], masked: ['mail'], unchanged: [] });
  expect(answer.items[1]?.after).toMatchObject({ unchanged: ['big'], masked: ['mail'] });
  expect(answer.items[3]?.after?.masked).toEqual(['email']);
  expect(JSON.stringify(answer)).not.toContain('example.com');
  expect(answer).toMatchObject({ table: 'shop.orders', names: [{ table: 'shop.sales' }], next_cursor: null });
  expect(answer.items.map(({ at }) => at)).toEqual(answer.items.map(({ at }) => at).toSorted());
  // From before recovery was turned on.
  expect(answer.not_looked_at[0]).toMatchObject({ from: began.replace('Z', '000Z') });
});

test('follows a row backwards no further than its key, and takes the key as an object of columns', async () => {
  const answer = await list({ table: 'shop.orders', key: '{"id": 10}' });
  expect(told(answer).map(([, operation]) => operation)).toEqual(['update', 'update', 'delete']);
});

test('tells of rows of partitions, and of whole rows with the replica identity FULL', async () => {
  expect(told(await list({ table: 'shop.parts', key: '{"id": "7", "region": "north"}' }))).toEqual([
    ['shop.parts_north', 'insert', null, { id: '7', region: 'north' }],
  ]);
  expect(told(await list({ table: 'shop.full' }))).toEqual([
    ['shop.full', 'insert', null, { id: '1', note: 'old' }],
    ['shop.full', 'update', { id: '1', note: 'old' }, { id: '1', note: 'new' }],
    ['shop.full', 'truncate', null, null],
  ]);
});

test('says which changes do not tell their row, and lists them without a key', async () => {
  expect(told(await list({ table: 'shop.loose' }))).toEqual([
    ['shop.loose', 'insert', null, { id: '1' }],
    ['shop.loose', 'delete', null, null],
    ['shop.loose', 'truncate', null, null],
  ]);
  const answer = await list({ table: 'shop.loose', key: '{"id": "1"}' });
  expect(told(answer).map(([, operation]) => operation)).toEqual(['insert', 'truncate']);
  expect(answer.notes).toEqual([expect.stringContaining('1 changes do not tell which row they are of')]);
});

test('gives the same in pages, also within a transaction', async () => {
  const whole = await list({ table: 'shop.orders' });
  expect(whole.items.length).toBeGreaterThan(6);
  for (const [key, limit] of [
    [undefined, 4],
    ['1', 2],
  ] as const) {
    const expected = await list({ table: 'shop.orders', key });
    const items: RowChangesAnswer['items'] = [];
    let cursor: string | undefined;
    do {
      const page = await list({ table: 'shop.orders', key, limit, cursor });
      expect(page.items.length).toBeLessThanOrEqual(limit);
      items.push(...page.items);
      cursor = page.next_cursor ?? undefined;
    } while (cursor);
    expect(items).toEqual(expected.items);
  }
});

test('keeps to the time that is asked for, and says what is not stored of it', async () => {
  const [, second] = (await list({ table: 'shop.orders', key: '1' })).items;
  const at = second?.at ?? '';
  const one = await list({ table: 'shop.orders', key: '1', from: at, to: at });
  expect(one.items).toEqual([second]);
  const later = new Date(Date.now() + 3_600_000).toISOString();
  expect((await list({ table: 'shop.orders', to: later })).not_looked_at.at(-1)).toMatchObject({
    to: later.replace('Z', '000Z'),
    reason: expect.stringContaining('next run of the capture'),
  });
});

test('goes on where the time was over', async () => {
  const expected = await list({ table: 'shop.orders', key: '1' });
  let cursor: string | undefined;
  let pages = 0;
  const items: RowChangesAnswer['items'] = [];
  const reasons: string[] = [];
  do {
    // For looking through segments there is half of it, after all else has used it up.
    const answer = await list({ table: 'shop.orders', key: '1', cursor }, { timeMs: 60 });
    items.push(...answer.items);
    reasons.push(...answer.not_looked_at.map(({ reason }) => reason));
    cursor = answer.next_cursor ?? undefined;
    pages += 1;
  } while (cursor !== undefined && pages < 100);
  expect(cursor).toBeUndefined();
  // On a machine that is too slow for that, it says so.
  if (!reasons.some((reason) => reason.includes('too large'))) expect(items).toEqual(expected.items);
});

test('asks for the columns of the key where the table is gone, and names a table that is no table', async () => {
  await expect(list({ table: 'shop.sales', key: '1' })).rejects.toMatchObject({ code: 'invalid_request' });
  expect(
    told(await list({ table: 'shop.sales', key: '{"id": "2"}' })).map(([name, operation]) => [name, operation]),
  ).toEqual([
    ['shop.sales', 'insert'],
    ['shop.orders', 'update'],
    ['shop.orders', 'delete'],
  ]);
  await expect(list({ table: 'a.b.c' })).rejects.toMatchObject({ code: 'invalid_request' });
  await expect(list({ table: 'shop.orders', cursor: 'x' })).rejects.toMatchObject({ code: 'invalid_cursor' });
});

test('a check says how many rows of which tables were changed since a moment', async () => {
  const request = { database: DATABASE_ID, backupId: base };
  const count = async (recovery: { point_in_time: string }) => {
    const { since } = await chooseBase(request, recovery, { table, store: harness.store, signal });
    if (!since) throw new Error('It was not planned');
    return countChangesSince(since, { store: harness.store, signal, deadline: performance.now() + 10_000 });
  };
  const { tables, isWhole } = await count({ point_in_time: beforeMistake });
  expect(isWhole).toBe(true);
  const none = { inserts: 0, updates: 0, deletes: 0, truncates: 0 };
  expect(tables.filter(({ table: name }) => name !== 'shop.ticks')).toEqual([
    { ...none, table: 'shop.orders', deletes: 2 },
    { ...none, table: 'shop."full"', truncates: 1 },
  ]);
  const [clock] = (await createBackupCatalog(table).entries(DATABASE_ID)).map(({ backup }) => backup.snapshot_at);
  const all = await count({ point_in_time: new Date(Date.parse(clock ?? '') + 1).toISOString() });
  expect(all.tables.find(({ table: name }) => name === 'shop.sales')).toEqual({
    ...none,
    ...{ table: 'shop.sales', inserts: 2, updates: 1 },
  });
});
