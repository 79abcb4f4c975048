import { existsSync } from 'node:fs';
import { chmod, mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { basePath } from '../../shared/contract/routes.ts';
import { anyServer, createScratchDatabase } from '../support/servers.ts';
import { call, listBackups } from './support/api.ts';
import { processesIn, readStart, runStart, type Started } from './support/start.ts';
import { grantLogins, managed } from './support/system.ts';

/** In place of the project's own folder: `.local` comes to be below it. */
let folder: string;
let running: Started | null = null;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'e2e-start-'));
  // PostgreSQL may run as another user, who must get to its data.
  await chmod(folder, 0o755);
});
afterEach(async () => {
  await running?.end('SIGTERM');
  running = null;
});
afterAll(() => rm(folder, { recursive: true, force: true, maxRetries: 5 }));

async function start(...options: string[]) {
  running = runStart(folder, '--port', '0', ...options);
  const printed = await running.ready();
  const firstBackup = /^First backup (bkp-\w+)\n {2}(.+)$/m.exec(printed);
  return {
    printed,
    ...readStart(printed),
    firstBackup: firstBackup?.[1] ?? null,
    facts: firstBackup?.[2] ?? '',
  };
}

async function stop(signal: 'SIGINT' | 'SIGTERM'): Promise<void> {
  const ended = await running?.end(signal);
  running = null;
  expect(ended).toBe(0);
  expect(processesIn(folder)).toEqual([]);
}

let first: Awaited<ReturnType<typeof start>>;

test('the first start prints all one needs, and Ctrl-C leaves nothing running', async () => {
  first = await start();
  expect(first.facts).toMatch(/^\d+ tables · [\d,]+ rows · .+ of data · .+ stored · [\d.]+ s$/);
  expect(first.printed).toMatch(/^Ready in [\d.]+ s$/m);

  // The first sample is taken at the start, or for the first who asks.
  const health = await call(first, '/health?database=shop', { as: 'viewer' });
  expect(health.json).toMatchObject({ database: 'shop', fresh: true, unsampled: null });
  expect(health.json.status).not.toBe('unknown');

  for (const path of ['/', '/docs', '/v1/', basePath]) {
    const led = await fetch(`${first.apiUrl}${path}`, { redirect: 'manual' });
    expect([led.status, led.headers.get('location')], path).toEqual([302, `/v1${basePath}/docs`]);
    expect(await led.text()).toContain(`/v1${basePath}/docs`);
    expect((await fetch(`${first.apiUrl}${path}`)).headers.get('content-type')).toBe('text/html; charset=utf-8');
  }
  const docs = await fetch(first.row('Docs'));
  expect([docs.status, docs.headers.get('content-type')]).toEqual([200, 'text/html; charset=utf-8']);
  expect((await fetch(first.row('Mailbox'))).status).toBe(200);

  const tokens = join(folder, '.local', 'tokens');
  expect((await stat(tokens)).mode & 0o777).toBe(0o600);
  const { viewer, operator, admin, auditor } = first.tokens;
  const assigned = (await readFile(tokens, 'utf8')).trim().split('\n');
  expect(assigned.slice(0, 5)).toEqual([
    `export API=${first.apiUrl}${basePath}`,
    `export VIEWER=${viewer}`,
    `export OPERATOR=${operator}`,
    `export ADMIN=${admin}`,
    `export AUDITOR=${auditor}`,
  ]);
  // A shell takes in every line as it is.
  for (const line of assigned) expect(line).toMatch(/^export [A-Z_]+=[\w:/.@~-]+$/);
  for (const role of ['viewer', 'operator', 'admin', 'auditor'] as const) {
    expect((await call(first, '/backups', { as: role })).status, role).toBe(200);
  }
  const refused = await call(first, '/backups', { as: 'viewer', body: { backup_type: 'full' } });
  expect(refused.status).toBe(403);

  const backups = await listBackups(first, 'shop');
  expect(backups).toMatchObject([{ id: first.firstBackup, status: 'available', custom_name: 'first start' }]);
  expect(backups[0]?.rows).toBeGreaterThan(0);

  const second = runStart(folder, '--port', '0');
  expect(await second.ended()).toBe(1);
  expect(second.printed).toContain('already runs');

  if (process.platform === 'linux') expect(processesIn(folder).length).toBeGreaterThan(2);
  const database = first.row('Database');
  expect(database).toMatch(/^postgres:\/\/\S+\/shop$/);
  await stop('SIGINT');
  for (const address of [first.apiUrl, first.row('Mailbox'), `http://${new URL(database).host}`]) {
    await expect(fetch(address), address).rejects.toMatchObject({ cause: { code: 'ECONNREFUSED' } });
  }
});

test('the second start goes on with what is there', async () => {
  const second = await start();
  expect(second.firstBackup).toBeNull();
  expect(second.printed).not.toContain('Made the sample database');
  // Addresses of the first start still hold.
  expect([second.row('Mailbox'), second.row('Database')]).toEqual([first.row('Mailbox'), first.row('Database')]);
  expect((await stat(join(folder, '.local'))).mode & 0o067).toBe(0);
  // A token of the first start, too.
  const backups = await listBackups({ ...second, tokens: first.tokens }, 'shop');
  expect(backups.map(({ id }) => id)).toEqual([first.firstBackup]);
  await stop('SIGTERM');
});

test('--fresh begins anew', async () => {
  const fresh = await start('--fresh');
  expect(fresh.printed).toContain('Made the sample database');
  expect(fresh.firstBackup).toMatch(/^bkp-/);
  expect(fresh.firstBackup).not.toBe(first.firstBackup);
  expect((await listBackups(fresh, 'shop')).map(({ id }) => id)).toEqual([fresh.firstBackup]);
  await stop('SIGINT');
});

test('--database-url manages a database that is there', async () => {
  const database = await createScratchDatabase(anyServer(), `My_Shop ${Date.now()}`);
  try {
    const client = await database.connect();
    await client.query('CREATE TABLE thing AS SELECT generate_series(1, 7) AS n');
    const { host, port, user, password: given } = managed(database.server, 'own', database.name);
    const password = given ?? '';
    await grantLogins();
    const address = `postgres://${user}:${encodeURIComponent(password)}@${host}:${port}/${encodeURIComponent(database.name)}`;
    const own = await start('--database-url', address);
    expect(own.facts).toMatch(/^1 tables · 7 rows/);
    expect(own.row('Database')).toBe(
      `postgres://${user}@${host}:${port}/${encodeURIComponent(database.name)}?sslmode=prefer`,
    );
    const tokens = await readFile(join(folder, '.local', 'tokens'), 'utf8');
    expect(tokens).toContain(`export DATABASE_URL='postgres://${user}:${encodeURIComponent(password)}@`);
    expect(own.printed).not.toContain(password);
    const { json } = await call(own, '/backups');
    expect(json.items).toMatchObject([{ id: own.firstBackup, status: 'available', rows: 7 }]);
    // The sample's is not managed any more; its backups are still there.
    expect((await listBackups(own, 'shop')).map(({ status }) => status)).toEqual(['available']);
    expect((await call(own, '/backups?database=nowhere')).status).toBe(404);
    await stop('SIGINT');
  } finally {
    await database.drop();
  }
});

test('what cannot be started is said so', async () => {
  for (const [options, words] of [
    [['--colour'], '--colour'],
    [['--port', 'x'], 'is not a port number'],
    [['--database-url', 'mysql://user@host/name'], 'postgres://user:password@host:port/name'],
  ] as const) {
    const refused = runStart(folder, ...options);
    expect(await refused.ended()).toBe(2);
    expect(refused.printed).toContain(words);
    expect(refused.printed).toContain('npm start --');
  }
  expect(existsSync(join(folder, '.local', 'running.pid'))).toBe(false);
});
