import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { turnOff } from '../../shared/changes/setup/turn-on.ts';
import { captureDatabase } from '../../shared/recovery/capture-database.ts';
import { turnRecoveryOn } from '../../shared/recovery/change-recovery.ts';
import { chooseBase } from '../../shared/recovery/choose-base.ts';
import { describeRecovery } from '../../shared/recovery/describe-window.ts';
import type { StateTable } from '../../shared/state/table.ts';
import { DATABASE_ID, useBackupHarness } from '../backup/support/harness.ts';
import { createStateTable } from '../state/support.ts';
import { anyServer, createScratchDatabase, type ScratchDatabase } from '../support/servers.ts';
import { takeListedBackup } from './support/list-backup.ts';

const harness = useBackupHarness();
const signal = new AbortController().signal;
let source: ScratchDatabase;
let table: StateTable;
beforeAll(async () => {
  source = await createScratchDatabase(anyServer());
  table = (await createStateTable(harness.services)).table;
});
afterAll(async () => {
  vi.useRealTimers();
  if (source) await turnOff(DATABASE_ID, { target: source.target() });
  await source?.drop();
});

/** Full backups that were begun. */
let begun = 0;
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
  startBase: async () => {
    begun += 1;
  },
  signal,
});

/** What an application does first, whenever one of its processes starts; each is sent alone. */
const startUp = [
  'CREATE SCHEMA IF NOT EXISTS shop',
  'CREATE EXTENSION IF NOT EXISTS plpgsql',
  'CREATE TABLE IF NOT EXISTS shop.orders (id int PRIMARY KEY, paid bool)',
  'CREATE SEQUENCE IF NOT EXISTS shop.numbers',
  'CREATE INDEX IF NOT EXISTS orders_paid ON shop.orders (paid)',
  'ALTER TABLE shop.orders ADD COLUMN IF NOT EXISTS note text',
  'ALTER TABLE IF EXISTS shop.nothing ADD COLUMN n int',
  'DROP TABLE IF EXISTS shop.nothing',
  'CREATE TEMPORARY TABLE passing AS SELECT 1 AS n',
  `DO $$BEGIN CREATE TABLE IF NOT EXISTS shop.orders (id int); EXCEPTION WHEN duplicate_table THEN NULL; END$$`,
];

const backUp = () => takeListedBackup(harness, table, source);

test('keeps its window for an hour in which every minute an application starts and a view is refreshed concurrently', async () => {
  const client = await source.connect();
  for (const sql of startUp) await client.query(sql);
  await client.query('CREATE MATERIALIZED VIEW shop.paid AS SELECT paid, count(*) AS n FROM shop.orders GROUP BY paid');
  await client.query('CREATE UNIQUE INDEX ON shop.paid (paid)');
  await client.query('INSERT INTO shop.orders VALUES (0, true)');
  await client.end();
  await turnRecoveryOn(DATABASE_ID, 'alice', dependencies());
  const base = await backUp();
  const capture = () => captureDatabase(DATABASE_ID, dependencies());
  expect(await capture()).toMatchObject({ base: 'taken' });
  vi.useFakeTimers({ toFake: ['Date'], now: Date.now(), shouldAdvanceTime: true });
  const moments: string[] = [];
  for (let minute = 1; minute <= 60; minute += 1) {
    const session = await source.connect();
    for (const sql of startUp) await session.query(sql);
    await session.query(`INSERT INTO shop.orders VALUES (${minute}, ${minute % 2 === 0})`);
    await session.query('REFRESH MATERIALIZED VIEW CONCURRENTLY shop.paid');
    const { rows } = await session.query(
      `SELECT to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS now`,
    );
    await session.end();
    if (minute % 15 === 0) moments.push(rows[0].now);
    vi.setSystemTime(Date.now() + 60_000);
    expect(await capture()).toMatchObject({ caughtUp: true, base: null });
  }
  await new Promise((resolve) => setTimeout(resolve, 1100));
  await capture();
  const window = await describeRecovery(DATABASE_ID, dependencies());
  expect(window).toMatchObject({
    base,
    obstacles: [],
    ended_by: null,
    next_base: null,
    windows: [{ base, ended_by: null }],
  });
  expect(begun).toBe(0);
  for (const point_in_time of moments) {
    const request = { database: DATABASE_ID, backupId: undefined };
    const chosen = await chooseBase(request, { point_in_time }, { table, store: harness.store, signal });
    expect(chosen.backupId).toBe(base);
  }
});
