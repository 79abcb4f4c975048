import { afterAll, beforeAll, expect, test } from 'vitest';
import { recoveryWindowSchema } from '../../shared/contract/schemas/recovery.ts';
import { restoreCheckSchema } from '../../shared/contract/schemas/restore.ts';
import {
  anyServer,
  createScratchDatabase,
  dropDatabase,
  type ScratchDatabase,
  withClient,
} from '../support/servers.ts';
import { accepted, call, endOf, eventually, problemOf, startBackup, uniqueName } from './support/api.ts';
import { managed, startTestSystem, type TestSystem } from './support/system.ts';

const server = anyServer();
let shop: ScratchDatabase;
let system: TestSystem;
const made: string[] = [];

beforeAll(async () => {
  shop = await createScratchDatabase(server);
  await run('CREATE TABLE orders (id int PRIMARY KEY, state text); INSERT INTO orders VALUES (1, $$before$$)');
  system = await startTestSystem({ databases: [managed(server, 'shop', shop.name)], schedules: false });
});
afterAll(async () => {
  if (system) await turn(false);
  await system?.end();
  for (const name of made) await dropDatabase(server, name);
  await shop?.drop();
});

const run = (sql: string, database = shop.name) =>
  withClient(server, database, async (client) => (await client.query<Record<string, unknown>>(sql)).rows);
const turn = (enabled: boolean) => call(system.current, '/recovery', { method: 'PUT', body: { enabled } });
const readWindow = async () => {
  const { status, json, text } = await call(system.current, '/recovery-window', { as: 'viewer' });
  expect(status, text).toBe(200);
  return recoveryWindowSchema.strict().parse(json);
};
/** As the rule does each minute. */
async function capture(): Promise<void> {
  const { outcome } = await system.current.lambda.invoke({ functionName: 'dbms-capture-changes', payload: '{}' });
  expect(outcome).toMatchObject({ ok: true });
}
const restore = (body: object, path = '/restore') => call(system.current, path, { body });

test('a moment between two writes comes back', async () => {
  expect((await call(system.current, '/recovery', { as: 'operator', method: 'PUT', body: {} })).status).toBe(403);
  const on = await turn(true);
  expect(on.status, on.text).toBe(200);
  expect(on.json).toMatchObject({ status: 'on', earliest: null, base: null });

  const job = await startBackup(system.current, 'shop');
  expect((await endOf(system.current, job.id)).status).toBe('succeeded');
  await run(`INSERT INTO orders VALUES (2, 'wanted'); UPDATE orders SET state = 'changed' WHERE id = 1`);
  const [moment] = await run(
    `SELECT to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS at`,
  );
  const at = String(moment?.at);
  await run('DELETE FROM orders');
  // A moment is covered a second after it.
  const window = await eventually(
    async () => {
      await run('INSERT INTO orders VALUES (3) ON CONFLICT DO NOTHING; DELETE FROM orders WHERE id = 3');
      await capture();
      return readWindow();
    },
    ({ latest }) => latest !== null && latest.time > at,
  );
  expect(window).toMatchObject({ status: 'on', base: job.backup_id, not_covered: [], closed: null });

  const target_database = uniqueName('Past "orders"');
  made.push(target_database);
  const fits = await restore({ point_in_time: at, target_database }, '/restore/check');
  expect(restoreCheckSchema.strict().parse(fits.json).problems).toEqual([]);
  const restored = accepted(await restore({ point_in_time: at, target_database, confirm: true }));
  expect(restored.backup_id).toBe(job.backup_id);
  expect(await endOf(system.current, restored.id)).toMatchObject({ status: 'succeeded', warnings: [] });
  expect(await run('SELECT * FROM orders ORDER BY id', target_database)).toEqual([
    { id: 1, state: 'changed' },
    { id: 2, state: 'wanted' },
  ]);
  expect(await run(`SELECT nspname FROM pg_namespace WHERE nspname LIKE 'dbms\\_re%'`, target_database)).toEqual([]);
});

test('a moment that is not covered is refused before anything is restored', async () => {
  const body = { target_database: uniqueName('never'), confirm: true };
  const later = problemOf(await restore({ ...body, point_in_time: '2100-01-01T00:00:00Z' }));
  expect([later.status, later.code]).toEqual([409, 'target_not_covered']);
  const before = problemOf(await restore({ ...body, point_in_time: '2001-01-01T00:00:00Z' }));
  expect([before.status, before.code]).toEqual([409, 'no_base']);
  const { json } = await restore({ target_database: body.target_database, lsn: '0/1' }, '/restore/check');
  expect(json).toMatchObject({ restores: null, problems: [{ code: 'target_before_base' }] });
});

test('off, it leaves nothing on the server', async () => {
  expect((await turn(false)).json).toMatchObject({ status: 'off', slot: null });
  const left = `SELECT slot_name AS name FROM pg_replication_slots WHERE database = current_database() UNION ALL SELECT evtname FROM pg_event_trigger`;
  expect(await run(left)).toEqual([]);
});
