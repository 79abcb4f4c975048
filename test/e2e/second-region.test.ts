import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { DisableKeyCommand, KMSClient } from '@aws-sdk/client-kms';
import {
  DeleteBucketCommand,
  DeleteBucketReplicationCommand,
  DeleteObjectCommand,
  HeadObjectCommand,
  ListBucketsCommand,
  ListObjectsV2Command,
  S3Client,
} from '@aws-sdk/client-s3';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startSystem } from '../../local/system.ts';
import { basePath } from '../../shared/contract/routes.ts';
import { anyServer, createScratchDatabase, type ScratchDatabase, withClient } from '../support/servers.ts';
import { call, endOf, eventually, getBackup, startBackup, startRestore, uniqueName } from './support/api.ts';
import { managed, startTestSystem, type TestSystem } from './support/system.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const ACCOUNT = '000000000000';
const COPIES = `dbms-backup-copies-${ACCOUNT}-eu-west-1`;

let source: ScratchDatabase;
let first: TestSystem;
beforeAll(async () => {
  source = await createScratchDatabase(anyServer());
  await withClient(source.server, source.name, async (client) => {
    await client.query(
      'CREATE TABLE orders AS SELECT n AS id, md5(n::text) AS note FROM generate_series(1, 20000) AS n',
    );
    await client.query('ALTER TABLE orders ADD PRIMARY KEY (id)');
  });
  first = await startTestSystem({
    databases: [managed(source.server, 'shop', source.name)],
    deployment: { region: 'us-east-1', account: ACCOUNT, copies: { region: 'eu-west-1' } },
    schedules: false,
  });
});
afterAll(async () => {
  await first?.end();
  await source?.drop();
});

const content = (name: string) =>
  withClient(source.server, name, async (client) => {
    const { rows } = await client.query(
      'SELECT count(*), md5(string_agg(id || note, chr(10) ORDER BY id)) FROM orders',
    );
    return rows[0];
  });

function clients(endpoints: { s3: string; kms: string }) {
  const credentials = { accessKeyId: 'local', secretAccessKey: 'local' };
  return {
    s3: new S3Client({ endpoint: endpoints.s3, region: 'us-east-1', credentials, forcePathStyle: true }),
    kms: new KMSClient({ endpoint: endpoints.kms, region: 'us-east-1', credentials }),
  };
}

test('a deployment over the copies and the replica key restores what a lost region has backed up', async () => {
  const before = await content(source.name);
  const job = await startBackup(first.current, 'shop');
  expect(await endOf(first.current, job.id)).toMatchObject({ status: 'succeeded' });
  const backup = await getBackup(first.current, job.backup_id ?? '');

  const { s3 } = clients(first.current.services.endpoints);
  const { Buckets = [] } = await s3.send(new ListBucketsCommand({}));
  const own = Buckets.map(({ Name = '' }) => Name).find((name) => name.startsWith('dbms-storage-backups')) ?? '';
  const listed = async (Bucket: string) =>
    (await s3.send(new ListObjectsV2Command({ Bucket, Prefix: 'databases/' }))).Contents?.map(({ Key = '' }) => Key) ??
    [];
  const stored = await listed(own);
  await eventually(
    () => listed(COPIES),
    (copied) => copied.length === stored.length,
  );
  const head = await s3.send(new HeadObjectCommand({ Bucket: own, Key: stored[0] ?? '' }));
  expect(head.ReplicationStatus).toBe('COMPLETED');
  const keyArn = head.SSEKMSKeyId ?? '';
  expect(keyArn).toMatch(/^arn:aws:kms:us-east-1:000000000000:key\/mrk-/);
  const copy = await s3.send(new HeadObjectCommand({ Bucket: COPIES, Key: stored[0] ?? '' }));

  // The second deployment, with what the first region's stacks in the second one say: another prefix, an empty State table.
  await first.current.stop();
  const second = await startSystem({
    stateFolder: first.stateFolder,
    databases: [managed(source.server, 'shop', source.name)],
    deployment: {
      prefix: 'west',
      requests_per_minute: 100_000,
      existing_backups: {
        bucket: COPIES,
        key_arn: keyArn.replace('us-east-1', 'eu-west-1'),
        bucket_key_arn: (copy.SSEKMSKeyId ?? '').replace(/alias\/.*$/, 'key/0a1b2c3d-0000-4000-8000-000000000000'),
      },
    },
    schedules: false,
    durableRetryMilliseconds: 100,
    durableWaitShare: 0.1,
  });
  try {
    const now = clients(second.services.endpoints);
    // A region that is lost deletes nothing among its copies.
    await now.s3.send(new DeleteBucketReplicationCommand({ Bucket: own }));
    for (const Key of stored) await now.s3.send(new DeleteObjectCommand({ Bucket: own, Key }));
    expect(stored.length).toBeGreaterThan(2);
    await now.s3.send(new DeleteBucketCommand({ Bucket: own }));
    await now.kms.send(new DisableKeyCommand({ KeyId: keyArn }));
    expect((await call(second, `/backups/${backup.id}`, { as: 'viewer' })).status).toBe(404);

    const { stdout } = await promisify(execFile)(process.execPath, ['commands/rebuild-catalog.ts'], {
      cwd: root,
      env: { ...process.env, API: second.apiUrl + basePath, ADMIN: second.tokens.admin },
    });
    expect(stdout).toMatch(/\b1\b/);
    expect(await getBackup(second, backup.id)).toMatchObject({ status: 'available', rows: 20_000 });
    const target = uniqueName('restored');
    const restore = await startRestore(second, { database: 'shop', backup: backup.id, target });
    expect(await endOf(second, restore.id)).toMatchObject({ status: 'succeeded' });
    expect(await content(target)).toEqual(before);
    await withClient(source.server, 'postgres', (client) => client.query(`DROP DATABASE ${target}`));

    // It goes on from there: new backups lie among the copies, under the replica.
    const next = await startBackup(second, 'shop');
    expect(await endOf(second, next.id)).toMatchObject({ status: 'succeeded' });
  } finally {
    await second.stop();
  }
});
