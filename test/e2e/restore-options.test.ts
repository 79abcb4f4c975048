import { createHash } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { jobSchema } from '../../shared/contract/schemas/job.ts';
import { restoreCheckSchema } from '../../shared/contract/schemas/restore.ts';
import { expand } from '../support/expand.ts';
import {
  anyServer,
  createScratchDatabase,
  dropDatabase,
  type ScratchDatabase,
  type TestServer,
  testedServers,
  withClient,
} from '../support/servers.ts';
import { accepted, call, endOf, getJob, problemOf, startBackup, uniqueName } from './support/api.ts';
import { managed, sessionsOn, startTestSystem, type TestSystem } from './support/system.ts';

const server = anyServer();
/** Another version where there is one, to which the same database goes as another environment. */
const otherServer = testedServers.at(-1) ?? server;

let shop: ScratchDatabase;
let staging: ScratchDatabase;
let system: TestSystem;
let backup = '';
const made: { on: TestServer; name: string }[] = [];

beforeAll(async () => {
  shop = await createScratchDatabase(server);
  staging = await createScratchDatabase(otherServer);
  await withClient(server, shop.name, (client) =>
    client.query(`
      CREATE SCHEMA sales;
      CREATE TYPE sales.state AS ENUM ('open', 'done');
      CREATE TABLE sales.customers (id int PRIMARY KEY);
      CREATE TABLE sales.orders (id serial PRIMARY KEY, state sales.state, customer int REFERENCES sales.customers);
      CREATE TABLE sales.secrets AS SELECT 1 AS n;
      INSERT INTO sales.customers VALUES (1);
      INSERT INTO sales.orders (state, customer) SELECT 'open', 1 FROM generate_series(1, 20);`),
  );
  system = await startTestSystem({
    databases: [managed(server, 'shop', shop.name), managed(otherServer, 'staging', staging.name)],
    schedules: false,
  });
  const job = await startBackup(system.current, 'shop');
  expect((await endOf(system.current, job.id)).status).toBe('succeeded');
  backup = job.backup_id ?? '';
});
afterAll(async () => {
  await system?.end();
  for (const { on, name } of made) await dropDatabase(on, name);
  await shop?.drop();
  await staging?.drop();
});

const restore = (body: object, path = '/restore') =>
  call(system.current, `${path}?database=shop`, { body: { backup_id: backup, ...body } });

const ask = (on: TestServer, database: string, sql: string): Promise<unknown[]> =>
  withClient(on, database, async (client) => {
    const { rows } = await client.query<Record<string, unknown>>(sql);
    return rows.map((row) => Object.values(row)[0]);
  });

test('a check answers all problems at once, and creates nothing', async () => {
  const body = { target_database: shop.name, tables: ['sales.orders', 'sales.nothing'], connections: 2 };
  const refused = await restore(body, '/restore/check');
  expect(refused.status, refused.text).toBe(200);
  const { problems, server_version: version } = restoreCheckSchema.strict().parse(refused.json);
  expect(problems.map(({ code }) => code)).toEqual(['selection_unknown', 'target_exists']);
  expect(Math.floor((version ?? 0) / 10_000)).toBe(server.version);

  const fits = await restore({ target_database: 'not there yet', environment: 'staging' }, '/restore/check');
  expect(fits.json).toMatchObject({ problems: [], restores: { tables: 3, rows: 22 } });
  expect(Math.floor(fits.json.server_version / 10_000)).toBe(otherServer.version);
  expect((await call(system.current, '/restore/check', { as: 'operator', body: {} })).status).toBe(403);

  const job = accepted(await restore({ confirm: true, ...body }));
  const { status, error } = await endOf(system.current, job.id);
  expect([status, error?.code]).toEqual(['failed', 'restore_refused']);
  for (const { message } of problems) expect(error?.message).toContain(message);
});

test('chosen tables come back on the server of another environment', async () => {
  const target = uniqueName('Chosen "tables"');
  made.push({ on: otherServer, name: target });
  const job = accepted(
    await restore({
      confirm: true,
      target_database: target,
      environment: 'staging',
      tables: [{ schema: 'sales', table: 'orders' }],
    }),
  );
  const ended = await endOf(system.current, job.id);
  expect(ended).toMatchObject({ status: 'succeeded', database: 'shop', environment: 'staging', swap: null });
  expect(ended.progress?.rows).toEqual({ done: 20, total: 20 });
  expect(ended.warnings).toEqual([expect.stringContaining('its parent sales.customers is not selected')]);
  const tables = `SELECT relname FROM pg_class WHERE relnamespace = 'sales'::regnamespace AND relkind = 'r'`;
  expect(await ask(otherServer, target, tables)).toEqual(['orders']);
  expect(await ask(otherServer, target, `INSERT INTO sales.orders (state) VALUES ('done') RETURNING id`)).toEqual([21]);
});

test('a script is made of the backup, which whoever has its address fetches without a token', async () => {
  const path = `/backups/${backup}/download`;
  for (const method of ['GET', 'POST'])
    expect((await call(system.current, path, { method, as: 'operator' })).status).toBe(403);
  const job = accepted(await call(system.current, path, { method: 'POST' }));
  expect((await call(system.current, path, { method: 'POST' })).json.id).toBe(job.id);
  const ended = await endOf(system.current, job.id);
  expect(ended).toMatchObject({
    status: 'succeeded',
    kind: 'download',
    backup_id: backup,
    progress: { rows: { done: 22 } },
  });
  const { status, json } = await call(system.current, path);
  expect([status, json.bytes]).toEqual([200, ended.download?.bytes]);
  const file = Buffer.from(await (await fetch(json.url)).arrayBuffer());
  expect(file.length).toBe(json.bytes);
  expect(expand(file, 'zst').toString()).toMatch(
    /^COPY "sales"."orders" .*\n(\d+\topen\t1\n){20}\\\.\n[\s\S]*ADD CONSTRAINT orders_customer_fkey/m,
  );

  const pages = await Promise.all(
    ['limit=2', 'limit=200'].map((query) => call(system.current, `${path}?format=objects&${query}`)),
  );
  const [page, all] = pages.map(({ json }) => json);
  const next = await call(system.current, `${path}?format=objects&limit=200&cursor=${page.next_cursor}`);
  expect([...page.items, ...next.json.items].map(({ key }) => key)).toEqual(
    all.items.map(({ key }: { key: string }) => key),
  );
  expect(all.items[0].key).toMatch(/\/manifest\.json\.enc$/);
  for (const { url, sha256 } of all.items.slice(1)) {
    const object = Buffer.from(await (await fetch(url)).arrayBuffer());
    expect(createHash('sha256').update(object).digest('hex')).toBe(sha256);
  }
});

test('rules are held against the database, and a masked backup takes masked rows to another environment', async () => {
  const change = (column: string) =>
    call(system.current, '/security/masking?database=shop', {
      method: 'PUT',
      body: { version: 0, rules: [{ table: 'sales.secrets', column, mask: { rule: 'fixed', value: '7' } }] },
    });
  const refused = problemOf(await change('gone'));
  expect([refused.status, refused.code, refused.errors?.[0]?.field]).toEqual([409, 'masking_refused', 'body.rules.0']);
  expect((await change('n')).json).toMatchObject({ version: 1, rules: [{ column: 'n' }] });
  const body = { backup_type: 'full', masked: true };
  const taken = accepted(await call(system.current, '/backups?database=shop', { body }));
  expect((await endOf(system.current, taken.id)).status).toBe('succeeded');
  const name = uniqueName('masked');
  made.push({ on: otherServer, name });
  const there = { backup_id: taken.backup_id, confirm: true, environment: 'staging', target_database: name };
  const restored = accepted(await restore(there));
  expect((await endOf(system.current, restored.id)).status).toBe('succeeded');
  expect(await ask(otherServer, name, 'SELECT n FROM sales.secrets')).toEqual([7]);

  // The same rows, masked on their way out of a backup that is not.
  const other = uniqueName('masked');
  made.push({ on: otherServer, name: other });
  const wanted = { masked: true, environment: 'staging', target_database: other };
  expect((await restore(wanted, '/restore/check')).json).toMatchObject({ problems: [] });
  const masking = accepted(await restore({ ...wanted, confirm: true }));
  const ended = await endOf(system.current, masking.id);
  expect([ended.status, ended.warnings[0]]).toEqual([
    'succeeded',
    expect.stringMatching(/by version 1 of the rules: 1 col/),
  ]);
  expect(await ask(otherServer, other, 'SELECT n FROM sales.secrets')).toEqual([7]);
});

test('a restore takes the place of the live database, and is swapped back with one call', async () => {
  await withClient(server, shop.name, (client) => client.query('DELETE FROM sales.orders'));
  const count = 'SELECT count(*)::int FROM sales.orders';
  const job = accepted(await restore({ confirm: true, mode: 'swap' }));
  expect(job).toMatchObject({ target_database: shop.name, swap: null });
  const ended = await endOf(system.current, job.id);
  expect(ended).toMatchObject({ status: 'succeeded', warnings: [], swap: { swapped_back_at: null } });
  const replaced = ended.swap?.kept_database ?? '';
  made.push({ on: server, name: replaced });
  expect(await ask(server, shop.name, count)).toEqual([20]);
  expect(await ask(server, replaced, count)).toEqual([0]);

  const path = `/restore/${job.id}/swap-back`;
  expect((await call(system.current, path, { as: 'operator', body: { confirm: true } })).status).toBe(403);
  const back = await call(system.current, path, { body: { confirm: true } });
  expect(back.status, back.text).toBe(200);
  const { swap } = jobSchema.strict().parse(back.json);
  made.push({ on: server, name: swap?.kept_database ?? '' });
  expect(swap?.swapped_back_at).not.toBeNull();
  expect((await getJob(system.current, job.id)).swap).toEqual(swap);
  expect(await ask(server, shop.name, count)).toEqual([0]);
  expect(await ask(server, swap?.kept_database ?? '', count)).toEqual([20]);

  const again = problemOf(await call(system.current, path, { body: { confirm: true } }));
  expect([again.status, again.code]).toEqual([409, 'not_swapped']);
  expect(await sessionsOn(server)).toEqual([]);
});
