import {
  CreateBucketCommand,
  CreateMultipartUploadCommand,
  DeleteObjectCommand,
  ListMultipartUploadsCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  PutObjectLockConfigurationCommand,
  paginateListObjectsV2,
  S3Client,
} from '@aws-sdk/client-s3';
import { UpdateCommand } from '@aws-sdk/lib-dynamodb';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { backupPrefix, MANIFEST } from '../../../shared/backup/layout.ts';
import { removeBackup } from '../../../shared/backup/remove.ts';
import { withRetention } from '../../../shared/backup/retention/entries.ts';
import { type ExpiryDependencies, expireBackups } from '../../../shared/backup/retention/expire.ts';
import type { Backup } from '../../../shared/contract/schemas/backup.ts';
import { startRestore } from '../../../shared/jobs/start.ts';
import { listBases } from '../../../shared/recovery/bases.ts';
import { backupKey, createBackupCatalog } from '../../../shared/state/backups.ts';
import { newBackupId, newJobId } from '../../../shared/state/ids.ts';
import { createJobStore } from '../../../shared/state/jobs.ts';
import { readRecovery, writeRecovery } from '../../../shared/state/recovery.ts';
import { DAY_MS } from '../../../shared/time.ts';
import { clientOptions } from '../../local/aws/support.ts';
import { type StateService, startState } from '../../state/support.ts';
import { policyOf } from './support.ts';

let state: StateService;
let s3: S3Client;
const bucket = 'backups';
beforeAll(async () => {
  state = await startState();
  s3 = new S3Client(clientOptions(state.services.endpoints.s3));
  for (const Bucket of [bucket, 'locked']) await s3.send(new CreateBucketCommand({ Bucket }));
});
afterEach(async () => {
  vi.useRealTimers();
  await state.services.faults.clear();
});
afterAll(async () => {
  s3?.destroy();
  await state?.close();
});

let databases = 0;
/** A database that no other test has. */
const newDatabase = () => {
  databases += 1;
  return `shop-${databases}`;
};

const put = (Key: string, Bucket = bucket) => s3.send(new PutObjectCommand({ Bucket, Key, Body: 'x' }));

/** Makes a backup with two objects, as its job would have left it. */
async function makeBackup(
  database: string,
  {
    at = Date.now(),
    status = 'available',
    into = bucket,
    ...more
  }: Partial<Pick<Backup, 'backup_type' | 'depends_on' | 'status'>> & { at?: number; into?: string } = {},
): Promise<string> {
  const [id, job_id] = [newBackupId(), newJobId()];
  const moment = new Date(at);
  const catalog = createBackupCatalog(state.table, () => moment);
  const jobs = createJobStore(state.table);
  const shared = { database, requested_by: 'alice', target_database: null };
  await jobs.create({ ...shared, id: job_id, kind: 'backup', backup_id: id });
  await catalog.create({
    id,
    database,
    backup_type: 'full',
    custom_name: null,
    job_id,
    requested_by: 'alice',
    ...more,
  });
  if (status === 'running') await jobs.start(job_id);
  else await jobs.cancel(job_id);
  const prefix = backupPrefix(database, id);
  await put(`${prefix}data/a.b.1/000000.copy.zst.enc`, into);
  if (status === 'available') {
    await put(prefix + MANIFEST, into);
    const [snapshot_at, ended_at] = [moment.toISOString(), moment.toISOString()];
    const counts = { tables: 1, rows: 1, bytes: 1, stored_bytes: 1, objects: 2 };
    await catalog.markAvailable(id, { snapshot_at, ended_at, expires_at: null, server_version: 180_004, ...counts });
  }
  if (status === 'failed') await catalog.markFailed(id, 'It failed');
  return id;
}

const expire = (database: string, daysLater: number, more: Partial<ExpiryDependencies> = {}) =>
  expireBackups(database, {
    s3,
    bucket,
    table: state.table,
    policy: policyOf({ days: 7 }),
    signal: new AbortController().signal,
    clock: async () => new Date(Date.now() + daysLater * DAY_MS),
    ...more,
  });

async function keysOf(prefix: string): Promise<string[]> {
  const { Contents = [] } = await s3.send(new ListObjectsV2Command({ Bucket: bucket, Prefix: prefix }));
  return Contents.map(({ Key }) => Key ?? '');
}
const listAll = async (prefix: string): Promise<string[]> => {
  const keys: string[] = [];
  for await (const page of paginateListObjectsV2({ client: s3 }, { Bucket: bucket, Prefix: prefix })) {
    keys.push(...(page.Contents ?? []).map(({ Key }) => Key ?? ''));
  }
  return keys;
};
const uploadsOf = async (prefix: string): Promise<string[]> => {
  const { Uploads = [] } = await s3.send(new ListMultipartUploadsCommand({ Bucket: bucket, Prefix: prefix }));
  return Uploads.map(({ Key }) => Key ?? '');
};
const entriesOf = async (database: string) =>
  (await createBackupCatalog(state.table).entries(database)).map(({ backup }) => backup);
const find = (id: string) => createBackupCatalog(state.table).find(id);

describe('expiry', () => {
  test('removes what no rule keeps, with its objects, and leaves the rest and other databases alone', async () => {
    const [database, other] = [newDatabase(), newDatabase()];
    const old = await makeBackup(database, { backup_type: 'schema' });
    const full = await makeBackup(database);
    const foreign = await makeBackup(other, { backup_type: 'schema' });
    expect(await expire(database, 6)).toMatchObject({ kept: 2, removed: [] });
    expect(await expire(database, 8)).toMatchObject({ kept: 1, removed: [old], refused: [] });
    expect([await find(old), await keysOf(backupPrefix(database, old))]).toEqual([null, []]);
    expect(await keysOf(backupPrefix(database, full))).toHaveLength(2);
    expect((await find(foreign))?.status).toBe('available');
    // The newest full one stays, however old.
    expect(await expire(database, 4000)).toMatchObject({ kept: 1, removed: [] });
  });

  test('removes what needs another before what it needs', async () => {
    const database = newDatabase();
    const base = await makeBackup(database);
    const second = await makeBackup(database, { depends_on: [base], backup_type: 'data' });
    await makeBackup(database);
    expect((await expire(database, 8)).removed).toEqual([second, base]);
  });

  test('keeps what is needed by one that a restore has begun to read meanwhile', async () => {
    const database = newDatabase();
    const base = await makeBackup(database);
    const second = await makeBackup(database, { depends_on: [base], backup_type: 'data' });
    await makeBackup(database);
    // From now on S3 is asked only right before a removal.
    await expire(database, 0);
    let job = '';
    s3.middlewareStack.add(
      (next) => async (args) => {
        const { Prefix } = args.input as { Prefix?: string };
        if (job === '' && Prefix?.endsWith(MANIFEST)) {
          const request = { database, requestedBy: 'alice', backupId: second, targetDatabase: 'copy' };
          job = (await startRestore({ table: state.table, startFunction: async () => undefined }, request)).job.id;
        }
        return next(args);
      },
      { step: 'initialize', name: 'restore' },
    );
    const report = await expire(database, 8).finally(() => s3.middlewareStack.remove('restore'));
    expect(report).toMatchObject({
      removed: [],
      refused: [
        { id: second, code: 'backup_in_use' },
        { id: base, code: 'backup_needed' },
      ],
    });
    for (const id of [base, second]) expect(await keysOf(backupPrefix(database, id))).toHaveLength(2);
    // From the next run on it is a reason like any other.
    const explained = await withRetention(state.table, policyOf(), (await entriesOf(database)).slice(1));
    expect(explained.map(({ retention }) => retention?.kept_by.find(({ rule }) => rule !== 'days'))).toMatchObject([
      { rule: 'job', by: job },
      { rule: 'needed_by', by: second },
    ]);
    expect(await expire(database, 8)).toMatchObject({ removed: [], refused: [] });
    await createJobStore(state.table).cancel(job);
    expect((await expire(database, 8)).removed).toEqual([second, base]);
  });

  test('goes on with what was left half deleted', async () => {
    const database = newDatabase();
    const id = await makeBackup(database);
    await makeBackup(database);
    await createBackupCatalog(state.table).markDeleting(id);
    expect((await expire(database, 0)).removed).toEqual([id]);
    expect(await keysOf(backupPrefix(database, id))).toEqual([]);
  });

  test('names a backup that is listed and has no manifest, and leaves it alone', async () => {
    const database = newDatabase();
    const id = await makeBackup(database);
    await s3.send(new DeleteObjectCommand({ Bucket: bucket, Key: backupPrefix(database, id) + MANIFEST }));
    expect(await expire(database, 2)).toMatchObject({ damaged: [id], removed: [], swept: [] });
    expect(await keysOf(backupPrefix(database, id))).toHaveLength(1);
  });

  test('lists a backup as failed whose job ended without a word, and then lets it go as a failed one', async () => {
    const database = newDatabase();
    const id = await makeBackup(database, { status: 'running' });
    expect(await expire(database, 2)).toMatchObject({ swept: [], removed: [] });
    const { job_id } = (await find(id)) ?? { job_id: '' };
    await createJobStore(state.table).cancel(job_id);
    await expire(database, 2);
    expect((await find(id))?.status).toBe('failed');
    expect((await expire(database, 9)).removed).toEqual([id]);
  });

  test('ends before the next removal when its time is over', async () => {
    const database = newDatabase();
    await makeBackup(database, { backup_type: 'schema' });
    await makeBackup(database);
    expect((await expire(database, 30, { signal: AbortSignal.abort() })).removed).toEqual([]);
  });
});

describe('leftovers', () => {
  test('of failed and unknown backups are swept when they are old, complete ones and those being made never', async () => {
    const database = newDatabase();
    const [failed, running, complete] = [
      await makeBackup(database, { status: 'failed' }),
      await makeBackup(database, { status: 'running' }),
      await makeBackup(database),
    ];
    const [unknown, unlisted] = [newBackupId(), newBackupId()];
    await put(`${backupPrefix(database, unknown)}schema.json.zst.enc`);
    await put(backupPrefix(database, unlisted) + MANIFEST);
    const uploads = [failed, running, complete, unknown].map((id) => `${backupPrefix(database, id)}data/x.enc`);
    for (const Key of uploads) await s3.send(new CreateMultipartUploadCommand({ Bucket: bucket, Key }));

    expect(await expire(database, 0.9)).toMatchObject({ swept: [], uploads: 0, unlisted: [unlisted] });
    expect(await expire(database, 1.1)).toMatchObject({ swept: [failed, unknown].sort(), uploads: 3 });
    expect(await uploadsOf(`databases/${database}/`)).toEqual([uploads[1]]);
    const left = (await keysOf(`databases/${database}/`)).map((key) => key.split('/')[3]);
    expect(new Set(left)).toEqual(new Set([running, complete, unlisted]));
    // The entry of the failed one says for a while what had happened.
    expect((await find(failed))?.status).toBe('failed');
  });

  test('are only what has names of ours, in a bucket full of what others put there', async () => {
    const database = newDatabase();
    const id = await makeBackup(database, { status: 'failed' });
    const prefix = backupPrefix(database, id);
    const foreign = [
      'readme.txt',
      'manifest.json.enc',
      'databases/readme.txt',
      `databases/${database}/notes.enc`,
      `databases/${database}/backups/bkp-not-an-id/manifest.json.enc`,
      `databases/${database}/backups/bkp-01JZ8Q4F7M3N5P6R8S9T0V1W2X.enc`,
      `databases/${database}/changes/slot/0-1.zst.enc`,
      `databases/Other Database/backups/${newBackupId()}/data/x.enc`,
      `${prefix}readme.txt`,
      ...Array.from({ length: 1200 }, (_, index) => `databases/${database}/backups/bkp-${index}/x.enc`),
    ];
    for (let start = 0; start < foreign.length; start += 100) {
      await Promise.all(foreign.slice(start, start + 100).map((key) => put(key)));
    }
    const uploads = [`databases/${database}/backups/bkp-1/data/x.enc`, `${prefix}readme.txt`, 'other/upload.enc'];
    for (const Key of uploads) await s3.send(new CreateMultipartUploadCommand({ Bucket: bucket, Key }));
    const lists: unknown[] = [];
    s3.middlewareStack.add(
      (next) => async (args) => {
        if ('Prefix' in args.input) lists.push((args.input as { Prefix?: string }).Prefix);
        return next(args);
      },
      { step: 'initialize', name: 'watch' },
    );
    const report = await expire(database, 3).finally(() => s3.middlewareStack.remove('watch'));
    expect(report).toMatchObject({ swept: [id], removed: [], uploads: 0, unlisted: [] });
    // Nothing outside of the backups of this database is even looked at.
    expect(lists.filter((each) => !String(each).startsWith(`databases/${database}/backups/bkp-`))).toEqual([]);
    expect(await keysOf(prefix)).toEqual([`${prefix}readme.txt`]);
    for (const key of foreign.slice(0, 20)) expect(await keysOf(key), key).toContain(key);
    expect(await listAll(`databases/${database}/backups/bkp-`)).toHaveLength(1200 + 3);
    expect((await uploadsOf('')).filter((key) => uploads.includes(key)).sort()).toEqual([...uploads].sort());
    expect((await entriesOf(database)).map((each) => each.id)).toEqual([id]);
  });
});

describe('clocks', () => {
  test("this machine's clock, months ahead, makes nothing old", async () => {
    const database = newDatabase();
    const id = await makeBackup(database, { backup_type: 'schema' });
    const failed = await makeBackup(database, { status: 'failed' });
    const Key = `${backupPrefix(database, failed)}data/x.enc`;
    await s3.send(new CreateMultipartUploadCommand({ Bucket: bucket, Key }));
    await makeBackup(database);
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 90 * DAY_MS });
    // It learns of the wrong clock by a first answer.
    const skewed = new S3Client({ ...clientOptions(state.services.endpoints.s3), maxAttempts: 3 });
    const report = await expireBackups(database, {
      s3: skewed,
      bucket,
      table: state.table,
      policy: policyOf({ days: 7 }),
      signal: new AbortController().signal,
    });
    skewed.destroy();
    expect(report).toMatchObject({ kept: 3, removed: [], swept: [], uploads: 0 });
    expect((await find(id))?.status).toBe('available');
  });

  test('a backup is as old as S3 says, whatever the clocks of its function and its database said', async () => {
    const database = newDatabase();
    const id = await makeBackup(database, { backup_type: 'schema', at: Date.parse('2001-01-01T00:00:00Z') });
    await makeBackup(database);
    expect(await expire(database, 6)).toMatchObject({ removed: [] });
    expect((await find(id))?.stored_at).toMatch(new RegExp(`^${new Date().getUTCFullYear()}`));
    expect(await expire(database, 8)).toMatchObject({ removed: [id] });
  });
});

describe('locked objects', () => {
  beforeAll(async () => {
    await s3.send(
      new PutObjectLockConfigurationCommand({
        Bucket: 'locked',
        ObjectLockConfiguration: {
          ObjectLockEnabled: 'Enabled',
          Rule: { DefaultRetention: { Mode: 'COMPLIANCE', Days: 20 } },
        },
      }),
    );
  });

  test('stay listed, with the time at which S3 lets go of them, and are neither expired nor deleted before', async () => {
    const database = newDatabase();
    const id = await makeBackup(database, { backup_type: 'schema', into: 'locked' });
    await makeBackup(database, { into: 'locked' });
    expect(await expire(database, 15, { bucket: 'locked' })).toMatchObject({ removed: [], refused: [] });
    const backup = await find(id);
    const days = (Date.parse(backup?.locked_until ?? '') - Date.now()) / DAY_MS;
    expect(days).toBeCloseTo(20, 1);
    const [shown] = await withRetention(state.table, policyOf({ days: 7 }), backup ? [backup] : []);
    expect(shown?.retention?.kept_by.map(({ rule }) => rule)).toEqual(['days', 'object_lock']);
    expect(shown?.expires_at).toBe(backup?.locked_until);
    const removal = { s3, bucket: 'locked', table: state.table };
    for (const force of [false, true]) {
      await expect(removeBackup(removal, id, { force })).rejects.toMatchObject({
        code: 'backup_locked',
        message: expect.stringContaining(backup?.locked_until ?? '-'),
      });
    }
    expect((await find(id))?.status).toBe('available');
  });

  test('that were locked for longer after they were looked at are asked about again', async () => {
    const database = newDatabase();
    const id = await makeBackup(database, { backup_type: 'schema', into: 'locked' });
    await makeBackup(database, { into: 'locked' });
    await createBackupCatalog(state.table).recordStored(id, {
      stored_at: new Date().toISOString(),
      locked_until: null,
    });
    const report = await expire(database, 15, { bucket: 'locked' });
    expect(report).toMatchObject({ removed: [], refused: [{ id, code: 'backup_locked' }] });
    expect((await find(id))?.status).toBe('available');
  });
});

describe('a damaged backup', () => {
  const manifestOf = (database: string, id: string) => backupPrefix(database, id) + MANIFEST;
  const loseManifest = (database: string, id: string) =>
    s3.send(new DeleteObjectCommand({ Bucket: bucket, Key: manifestOf(database, id) }));
  const validated = (id: string, level: 'integrity' | 'restore', outcome: 'passed' | 'failed' | 'inconclusive') =>
    createBackupCatalog(state.table).recordValidation(id, {
      job_id: newJobId(),
      level,
      outcome,
      ended_at: new Date().toISOString(),
      error: outcome === 'passed' ? null : { code: 'backup_damaged', message: 'An object is gone', next_step: '-' },
    });
  const statusOf = async (id: string) => (await find(id))?.status;

  test('whose manifest is gone does not stand for the good one before it', async () => {
    const database = newDatabase();
    const good = await makeBackup(database);
    const bad = await makeBackup(database, { at: Date.now() + 1000 });
    await loseManifest(database, bad);
    expect(await expire(database, 8)).toMatchObject({ damaged: [bad], removed: [bad] });
    expect([await statusOf(good), await statusOf(bad)]).toEqual(['available', undefined]);
  });

  test('whose manifest is lost after S3 has said when it was stored is noticed as well', async () => {
    const database = newDatabase();
    const good = await makeBackup(database);
    const bad = await makeBackup(database, { at: Date.now() + 1000 });
    await expire(database, 1);
    expect((await find(bad))?.stored_at).not.toBeNull();
    await loseManifest(database, bad);
    expect(await expire(database, 2)).toMatchObject({ damaged: [bad], removed: [] });
    expect(await find(bad)).toMatchObject({
      status: 'damaged',
      damage: { found_by: 'retention', code: 'manifest_missing', message: expect.stringContaining('no manifest') },
    });
    expect((await find(good))?.status).toBe('available');
    // Brought back, as from an earlier version of the object.
    await put(manifestOf(database, bad));
    expect(await expire(database, 3)).toMatchObject({ damaged: [], removed: [] });
    expect(await find(bad)).toMatchObject({ status: 'available', damage: null });
  });

  test.each(['integrity', 'restore'] as const)('that failed a validation (%s) does not stand for it', async (level) => {
    const database = newDatabase();
    const good = await makeBackup(database);
    const bad = await makeBackup(database, { at: Date.now() + 1000 });
    await validated(bad, level, 'inconclusive');
    expect(await statusOf(bad)).toBe('available');
    await validated(bad, level, 'failed');
    expect(await find(bad)).toMatchObject({
      status: 'damaged',
      damage: { found_by: level, message: 'An object is gone' },
    });
    expect(await expire(database, 8)).toMatchObject({ removed: [bad] });
    expect(await statusOf(good)).toBe('available');
  });

  test('that was found so before there was this status is marked', async () => {
    const database = newDatabase();
    const good = await makeBackup(database);
    const bad = await makeBackup(database, { at: Date.now() + 1000 });
    const last_validation = {
      ...{ job_id: newJobId(), level: 'integrity', outcome: 'failed', ended_at: new Date().toISOString() },
      error: { code: 'backup_damaged', message: 'An object is gone', next_step: '-' },
    };
    await state.table.documents.send(
      new UpdateCommand({
        TableName: state.table.name,
        Key: backupKey(bad),
        UpdateExpression: 'SET last_validation = :validation REMOVE damage',
        ExpressionAttributeValues: { ':validation': last_validation },
      }),
    );
    expect(await expire(database, 8)).toMatchObject({ damaged: [bad], removed: [bad] });
    expect(await statusOf(good)).toBe('available');
  });

  test('is available again when a validation passes, but a drill that failed needs a drill', async () => {
    const database = newDatabase();
    const [read, restored] = [await makeBackup(database), await makeBackup(database)];
    await validated(read, 'integrity', 'failed');
    await validated(read, 'integrity', 'passed');
    await validated(restored, 'restore', 'failed');
    await validated(restored, 'integrity', 'passed');
    expect([await statusOf(read), await statusOf(restored)]).toEqual(['available', 'damaged']);
    await validated(restored, 'restore', 'passed');
    expect(await find(restored)).toMatchObject({ status: 'available', damage: null, proven_at: expect.any(String) });
  });

  test('is kept where there is no other, and as long as the rules keep any', async () => {
    const database = newDatabase();
    const bad = await makeBackup(database);
    await validated(bad, 'integrity', 'failed');
    expect(await expire(database, 4000)).toMatchObject({ kept: 1, removed: [], damaged: [bad] });
    const good = await makeBackup(database, { at: Date.now() + 1000 });
    expect(await expire(database, 6)).toMatchObject({ removed: [] });
    expect(await expire(database, 8)).toMatchObject({ removed: [bad] });
    expect(await statusOf(good)).toBe('available');
  });

  test('can be restored, as far as it is there, and be deleted', async () => {
    const database = newDatabase();
    const bad = await makeBackup(database);
    await validated(bad, 'integrity', 'failed');
    const startFunction = async () => undefined;
    const request = { database, requestedBy: 'alice', backupId: bad, targetDatabase: 'copy' };
    const { job } = await startRestore({ table: state.table, startFunction }, request);
    await createJobStore(state.table).cancel(job.id);
    await removeBackup({ s3, bucket, table: state.table }, bad);
    expect(await find(bad)).toBeNull();
  });

  test('on which changes are repeated is followed by a new full backup, unless only a drill failed', async () => {
    const database = newDatabase();
    const base = await makeBackup(database, { at: Date.now() + 1000 });
    const turned_on_at = new Date().toISOString();
    await writeRecovery(state.table, {
      ...{ database, slot: 'dbms_shop', follows_definitions: true, turned_on_at, turned_on_by: 'alice' },
      ...{
        captured_at: null,
        covered: null,
        stored_at: null,
        definitions: null,
        catalog: null,
        proven: null,
        closed: null,
        unauthenticated: null,
      },
      ...{ pausing: null, timeline: null, obstacles: [], base_wanted: null, base_attempts: 0, base_tried_at: null },
      ...{ renewals: 0, renew_at: null },
    });
    const wanted = async () => (await readRecovery(state.table, database))?.base_wanted;
    const bases = async () => (await listBases(state.table, database)).map(({ id }) => id);
    await validated(base, 'restore', 'failed');
    await expire(database, 1);
    expect([await bases(), await wanted()]).toEqual([[base], null]);
    await validated(base, 'restore', 'passed');
    await loseManifest(database, base);
    await expire(database, 1);
    expect([await bases(), await wanted()]).toEqual([
      [],
      { since: expect.any(String), reason: expect.stringContaining(base) },
    ]);
  });
});
