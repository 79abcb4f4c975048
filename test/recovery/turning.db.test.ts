import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { turnOff, turnOn } from '../../shared/changes/setup/turn-on.ts';
import { connect } from '../../shared/postgres/connect.ts';
import { captureDatabase } from '../../shared/recovery/capture-database.ts';
import { type ChangeDependencies, turnRecoveryOff, turnRecoveryOn } from '../../shared/recovery/change-recovery.ts';
import { describeRecovery } from '../../shared/recovery/describe-window.ts';
import { readRecovery } from '../../shared/state/recovery.ts';
import { beginRecoveryChange, endRecoveryChange, readRecoveryChange } from '../../shared/state/recovery-change.ts';
import type { StateTable } from '../../shared/state/table.ts';
import { DATABASE_ID, useBackupHarness } from '../backup/support/harness.ts';
import { createStateTable } from '../state/support.ts';
import { anyServer, createScratchDatabase, type ScratchDatabase, withClient } from '../support/servers.ts';

const harness = useBackupHarness();
const signal = new AbortController().signal;
let source: ScratchDatabase;
let table: StateTable;
beforeAll(async () => {
  source = await createScratchDatabase(anyServer());
  table = (await createStateTable(harness.services)).table;
  await run('CREATE TABLE kept (id int PRIMARY KEY)');
  await run(
    `CREATE FUNCTION frozen() RETURNS event_trigger LANGUAGE plpgsql AS $$BEGIN RAISE EXCEPTION 'the schema is frozen'; END$$`,
  );
});
afterEach(async () => {
  await run('DROP EVENT TRIGGER IF EXISTS freezer');
  await turnRecoveryOff(DATABASE_ID, 'alice', dependencies());
  expect(await onServer()).toEqual([]);
});
afterAll(async () => {
  if (source) await turnOff(DATABASE_ID, { target: source.target() });
  await source?.drop();
});

async function run(sql: string): Promise<Record<string, unknown>[]> {
  const client = await source.connect();
  try {
    return (await client.query(sql)).rows ?? [];
  } finally {
    await client.end();
  }
}

/** Locks are waited for less long than transactions, as with the limits that are configured by default. */
const dependencies = (more: Partial<ChangeDependencies> = {}) => {
  const target = source.target();
  return {
    target: { ...target, limits: { ...target.limits, lock_timeout_ms: 200 } },
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
    ...more,
  };
};

const on = (more: Partial<ChangeDependencies> = {}) => turnRecoveryOn(DATABASE_ID, 'alice', dependencies(more));
const off = () => turnRecoveryOff(DATABASE_ID, 'alice', dependencies());
const refusalOf = (work: Promise<unknown>) =>
  work.then(
    () => Promise.reject(new Error('It was not refused')),
    ({ code, message, nextStep }) => ({ code, message, nextStep }),
  );

/** Slots, event triggers and the schema of this system. */
const onServer = async (): Promise<unknown[]> =>
  (
    await run(
      `SELECT 'slot' AS what FROM pg_replication_slots WHERE database = current_database() AND slot_name LIKE 'dbms%'
       UNION ALL SELECT evtname FROM pg_event_trigger WHERE evtname LIKE 'dbms%'
       UNION ALL SELECT nspname FROM pg_namespace WHERE nspname LIKE 'dbms%' ORDER BY 1`,
    )
  ).map(({ what }) => what);

test('names the transaction that keeps the slot from being created, though locks are waited for less long', async () => {
  const client = await source.connect();
  await client.query('BEGIN; INSERT INTO kept VALUES (0)');
  const { rows } = await client.query('SELECT pg_backend_pid() AS pid');
  expect(await refusalOf(on({ waitMs: 1500 }))).toMatchObject({
    code: 'transactions_running',
    message: expect.stringContaining(`session ${rows[0].pid} of `),
  });
  await client.query('ROLLBACK');
  await client.end();
  expect(await onServer()).toEqual([]);
  expect(await readRecovery(table, DATABASE_ID)).toBeNull();
  expect(await readRecoveryChange(table, DATABASE_ID)).toBeNull();
});

test('names a prepared transaction that nobody ends', async () => {
  await run(`BEGIN; INSERT INTO kept VALUES (0); PREPARE TRANSACTION 'orphan'`);
  const refusal = await refusalOf(on({ waitMs: 1000 }));
  await run(`ROLLBACK PREPARED 'orphan'`);
  expect(refusal).toMatchObject({
    code: 'transactions_running',
    message: expect.stringContaining(`prepared transaction 'orphan' of `),
    nextStep: expect.stringContaining('ROLLBACK PREPARED'),
  });
  expect(await onServer()).toEqual([]);
});

test.each(['ddl_command_start', 'ddl_command_end'])(
  'names the event trigger on %s that forbids definitions, leaves nothing, and can be repeated',
  async (event) => {
    await run(`CREATE EVENT TRIGGER freezer ON ${event} EXECUTE FUNCTION frozen()`);
    expect(await refusalOf(on())).toMatchObject({
      code: 'event_trigger_refused',
      message: expect.stringMatching(
        new RegExp(`event trigger freezer .+ ${event}, function public.frozen.+ the schema is frozen`),
      ),
      nextStep: expect.stringContaining('ALTER EVENT TRIGGER freezer DISABLE'),
    });
    expect(await onServer()).toEqual([]);
    await run('ALTER EVENT TRIGGER freezer DISABLE');
    await on();
    expect(await onServer()).toHaveLength(6);
  },
);

test('is turned off though an event trigger forbids drops: what is left neither keeps WAL nor fires, and is named', async () => {
  await on();
  await run('CREATE EVENT TRIGGER freezer ON sql_drop EXECUTE FUNCTION frozen()');
  expect(await off()).toMatchObject([{ code: 'left_on_server', nextStep: expect.stringContaining('DROP SCHEMA') }]);
  expect(await onServer()).toEqual(['dbms_changes']);
  expect(await readRecovery(table, DATABASE_ID)).toBeNull();
  const window = await describeRecovery(DATABASE_ID, dependencies());
  expect(window).toMatchObject({ status: 'off' });
  expect(window.warnings).toContainEqual(
    expect.objectContaining({ code: 'left_on_server', message: expect.stringContaining('dbms_changes') }),
  );
  // Nothing is changed while it cannot be replaced.
  expect(await refusalOf(on())).toMatchObject({
    code: 'setup_refused',
    message: expect.stringContaining('event trigger freezer'),
  });
  await run('ALTER EVENT TRIGGER freezer DISABLE');
  expect(await off()).toEqual([]);
  expect(await onServer()).toEqual([]);
});

test('says which event triggers it may not drop when another login created them', async () => {
  const login = `plain_${source.name}`;
  await on();
  await run(`CREATE ROLE ${login} LOGIN REPLICATION PASSWORD 'p'`);
  const plain = { ...source.target(), credentials: async () => ({ user: login, password: 'p' }) };
  const left = await turnRecoveryOff(DATABASE_ID, 'alice', dependencies({ target: plain }));
  await run(`DROP ROLE ${login}`);
  expect(left).toMatchObject([
    { code: 'left_on_server', message: expect.stringContaining('must be owner of event trigger') },
  ]);
  // The slot, which keeps WAL, is gone.
  expect(await onServer()).not.toContain('slot');
});

test('stays on when the slot cannot be dropped, and says so', async () => {
  const login = `reader_${source.name}`;
  await on();
  const slot = (await readRecovery(table, DATABASE_ID))?.slot ?? '';
  await run(`CREATE ROLE ${login} LOGIN REPLICATION PASSWORD 'p'`);
  const reader = await connect(source.target(), { kind: 'capturing', replication: true });
  const reading = reader.query(`START_REPLICATION SLOT ${slot} LOGICAL 0/0`).catch(() => undefined);
  for (;;) {
    const [row] = await run(`SELECT active FROM pg_replication_slots WHERE slot_name = '${slot}'`);
    if (row?.active) break;
  }
  const before = await onServer();
  const plain = { ...source.target(), credentials: async () => ({ user: login, password: 'p' }) };
  const refusal = await refusalOf(turnRecoveryOff(DATABASE_ID, 'alice', dependencies({ target: plain })));
  expect(refusal).toMatchObject({
    code: 'slot_not_dropped',
    message: expect.stringContaining('Nothing else was removed'),
  });
  expect(await onServer()).toEqual(before);
  expect(await readRecovery(table, DATABASE_ID)).toMatchObject({ slot, closed: null });
  await run(`DROP ROLE ${login}`);
  // The login that created it may end its reader.
  await off();
  await reading;
  await reader.end().catch(() => undefined);
});

test('leaves nothing when its connection is lost while it waits for transactions', async () => {
  const client = await source.connect();
  await client.query('BEGIN; INSERT INTO kept VALUES (0)');
  const refused = refusalOf(on());
  for (;;) {
    const ended = await run(
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE datname = current_database() AND query LIKE '%pg_create_logical_replication_slot%' AND wait_event_type = 'Lock'`,
    );
    if (ended.length > 0) break;
  }
  expect(await refused).toMatchObject({ code: 'setup_interrupted' });
  await client.query('ROLLBACK');
  await client.end();
  expect(await onServer()).toEqual([]);
});

test('turns on and off in a database whose settings stop sessions and writes', async () => {
  const name = `"${source.name}"`;
  await run(`ALTER DATABASE ${name} SET statement_timeout = 400`);
  await run(`ALTER DATABASE ${name} SET lock_timeout = 100`);
  await run(`ALTER DATABASE ${name} SET default_transaction_read_only = on`);
  try {
    await on();
    expect(await off()).toEqual([]);
  } finally {
    await withClient(source.server, 'postgres', (client) => client.query(`ALTER DATABASE ${name} RESET ALL`));
  }
});

test('changes it once at a time, and finishes what was interrupted', async () => {
  const old = new Date(Date.now() - 10 * 60_000).toISOString();
  const recent = { to: 'on' as const, slot: 'x', by: 'bob', at: new Date().toISOString() };
  await beginRecoveryChange(table, DATABASE_ID, recent);
  expect(await refusalOf(on())).toMatchObject({
    code: 'recovery_changing',
    message: expect.stringContaining('by bob'),
  });
  expect(await refusalOf(off())).toMatchObject({ code: 'recovery_changing' });
  expect(await captureDatabase(DATABASE_ID, dependencies())).toEqual({ status: 'changing' });
  await endRecoveryChange(table, DATABASE_ID, recent);

  // The function that created a slot ended before it noted it.
  const { slot } = await turnOn(DATABASE_ID, dependencies());
  await beginRecoveryChange(table, DATABASE_ID, { ...recent, slot, at: old });
  expect((await describeRecovery(DATABASE_ID, dependencies())).warnings).toContainEqual(
    expect.objectContaining({ code: 'left_on_server', message: expect.stringContaining(slot) }),
  );
  expect(await captureDatabase(DATABASE_ID, dependencies())).toEqual({ status: 'off' });
  expect(await onServer()).toEqual([]);

  // The function that turned it off ended before it noted it: nobody else has dropped the slot.
  await on();
  await turnOff(DATABASE_ID, dependencies());
  await beginRecoveryChange(table, DATABASE_ID, { to: 'off', slot: null, by: 'bob', at: old });
  expect(await captureDatabase(DATABASE_ID, dependencies())).toEqual({ status: 'off' });
  expect(await readRecovery(table, DATABASE_ID)).toBeNull();
});
