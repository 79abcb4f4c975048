import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { databaseDifferences } from '../support/compare/compare.ts';
import {
  anyServer,
  createScratchDatabase,
  databaseOf,
  type ScratchDatabase,
  seenWhole,
  type TestServer,
  withClient,
} from '../support/servers.ts';
import {
  accepted,
  call,
  endOf,
  eventually,
  getBackup,
  getJob,
  problemOf,
  startBackup,
  startRestore,
  uniqueName,
} from './support/api.ts';
import { managed, openBucket, sessionsOn, startTestSystem, type TestSystem } from './support/system.ts';

let server: TestServer;
let shop: ScratchDatabase;
let system: TestSystem;
let backup: string;

beforeAll(async () => {
  server = anyServer();
  shop = await createScratchDatabase(server);
  await withClient(server, shop.name, (client) =>
    client.query(`CREATE TABLE item AS SELECT generate_series(1, 1000) AS n;
      CREATE TABLE other AS TABLE item; CREATE TABLE third AS TABLE item; CREATE INDEX ON item (n)`),
  );
  system = await startTestSystem({ databases: [managed(server, 'shop', shop.name)], schedules: false });
  backup = (await endOf(system.current, (await startBackup(system.current, 'shop')).id)).backup_id ?? '';
});
afterEach(() => system.current.services.faults.clear());
afterAll(async () => {
  await system?.end();
  await shop?.drop();
});

const post = (path: string, as: 'admin' | 'operator' = 'admin') => call(system.current, path, { method: 'POST', as });

async function unfinishedDatabases(): Promise<string[]> {
  const { rows } = await withClient(server, 'postgres', (client) =>
    client.query<{ datname: string }>("SELECT datname FROM pg_database WHERE datname LIKE 'dbms\\_restoring\\_%'"),
  );
  return rows.map(({ datname }) => datname);
}

/** A restore that could open its first objects only, and so has failed in the middle of the rows. */
async function failedRestore(target: string) {
  const fault = { service: 'kms', operation: 'Decrypt', status: 400, code: 'AccessDeniedException', after: 3 } as const;
  await system.current.services.faults.set({ ...fault, times: Number.POSITIVE_INFINITY });
  const job = await endOf(
    system.current,
    (await startRestore(system.current, { database: 'shop', backup, target })).id,
  );
  await system.current.services.faults.clear();
  expect(job).toMatchObject({ status: 'failed', error: { code: 'key_refused' } });
  return job;
}

describe('a running backup that is cancelled', () => {
  test('ends soon, leaves nothing open, stored or listed as available; one that succeeded is not cancelled', async () => {
    const lock = await shop.connect();
    await lock.query('BEGIN; LOCK TABLE item IN ACCESS EXCLUSIVE MODE');
    const job = await startBackup(system.current, 'shop');
    await eventually(
      () => sessionsOn(server),
      (sessions) => sessions.some(({ waits }) => waits === 'Lock'),
    );
    expect((await call(system.current, `/jobs/${job.id}/cancel`, { method: 'POST', as: 'viewer' })).status).toBe(403);
    expect((await post(`/jobs/${job.id}/cancel`, 'operator')).status).toBe(202);
    const { status, cancel_requested_at } = await endOf(system.current, job.id);
    expect(status).toBe('cancelled');
    expect(cancel_requested_at).not.toBeNull();
    expect((await getBackup(system.current, job.backup_id ?? '')).status).toBe('failed');
    await eventually(
      () => sessionsOn(server),
      (sessions) => sessions.length === 0,
    );
    await lock.query('COMMIT');
    await lock.end();
    const bucket = await openBucket(system.current);
    expect([...(await bucket.keys(job.backup_id ?? '')), ...(await bucket.unfinishedUploads())]).toEqual([]);
    expect((await post(`/jobs/${job.id}/cancel`, 'operator')).json).toMatchObject({ status: 'cancelled' });
    const { job_id } = await getBackup(system.current, backup);
    const tooLate = await post(`/jobs/${job_id}/cancel`, 'operator');
    expect([tooLate.status, problemOf(tooLate).code]).toEqual([409, 'job_ended']);
  });
});

describe('a restore of rows into tables that are there', () => {
  test('takes back what it has loaded when it fails, and succeeds when nothing is in its way', async () => {
    const target = await createScratchDatabase(server, uniqueName('filled'));
    await withClient(server, target.name, (client) =>
      client.query('CREATE TABLE item (n bigint); CREATE TABLE other (n int); CREATE TABLE third (n int)'),
    );
    const body = { backup_id: backup, confirm: true, mode: 'data', target_database: target.name };
    const restore = async () => {
      const answer = await call(system.current, '/restore?database=shop', { body });
      return endOf(system.current, accepted(answer).id);
    };
    const count = (table: string) =>
      withClient(server, target.name, async (client) => {
        const { rows } = await client.query(`SELECT count(*)::int FROM ${table}`);
        return rows[0]?.count;
      });
    const fault = {
      service: 'kms',
      operation: 'Decrypt',
      status: 400,
      code: 'AccessDeniedException',
      after: 2,
    } as const;
    await system.current.services.faults.set({ ...fault, times: Number.POSITIVE_INFINITY });
    expect(await restore()).toMatchObject({ status: 'failed', error: { code: 'key_refused' }, unfinished: null });
    await system.current.services.faults.clear();
    for (const table of ['item', 'other', 'third']) expect([table, await count(table)]).toEqual([table, 0]);

    const { status, warnings, progress } = await restore();
    expect([status, progress?.rows.done]).toEqual(['succeeded', 3000]);
    expect(warnings).toEqual([
      expect.stringContaining('public.item.n (integer in the backup, here bigint)'),
      expect.stringContaining(
        server.managed ? 'The login may not set session_replication_role' : 'session_replication_role = replica',
      ),
    ]);
    for (const table of ['item', 'other', 'third']) expect([table, await count(table)]).toEqual([table, 1000]);
    expect(await restore()).toMatchObject({ status: 'failed', error: { code: 'tables_not_empty' } });
    expect(await sessionsOn(server)).toEqual([]);
    await target.drop();
  });
});

describe('a failed restore', () => {
  test('that is resumed goes on with its database, once, and gives an equal copy', async () => {
    const target = uniqueName('resumed');
    const failed = await failedRestore(target);
    expect(await unfinishedDatabases()).toEqual([failed.unfinished?.database]);
    expect(failed.unfinished?.resumed_by).toBeNull();

    const resumed = accepted(await post(`/restore/${failed.id}/resume`));
    expect(resumed).toMatchObject({ resumes: failed.id, target_database: target, backup_id: backup });
    const again = await post(`/restore/${failed.id}/resume`);
    expect([again.status, problemOf(again).code]).toEqual([409, 'not_resumable']);
    expect((await endOf(system.current, resumed.id)).status).toBe('succeeded');
    expect((await getJob(system.current, failed.id)).unfinished?.resumed_by).toBe(resumed.id);
    expect(await unfinishedDatabases()).toEqual([]);
    const [source, copy] = [shop.name, target].map((name) => databaseOf(seenWhole(server), name)) as [
      ScratchDatabase,
      ScratchDatabase,
    ];
    expect(await databaseDifferences(source, copy)).toEqual([]);
    await copy.drop();
  });

  test('that is discarded leaves no database, and nothing to resume', async () => {
    const failed = await failedRestore(uniqueName('discarded'));
    expect(await unfinishedDatabases()).toHaveLength(1);
    expect((await post(`/restore/${failed.id}/discard`, 'operator')).status).toBe(403);
    expect((await post(`/restore/${failed.id}/discard`)).json).toMatchObject({ id: failed.id, unfinished: null });
    expect(await unfinishedDatabases()).toEqual([]);
    for (const action of ['discard', 'resume']) {
      const refused = await post(`/restore/${failed.id}/${action}`);
      expect([action, refused.status, problemOf(refused).code]).toEqual([action, 409, 'not_resumable']);
    }
  });
});
