import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CreateBucketCommand, PutBucketReplicationCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { watchCopies } from '../../shared/backup/copies/watch-copies.ts';
import { environmentNames } from '../../shared/configuration/environment.ts';
import { readAges } from '../../shared/health/ages.ts';
import { createBackupCatalog, runningBackup } from '../../shared/state/backups.ts';
import { newBackupId, newJobId } from '../../shared/state/ids.ts';
import { clientOptions } from '../local/aws/support.ts';
import { type StateService, startState } from '../state/support.ts';

const DATABASE = 'shop';
let state: StateService;
let s3: S3Client;
let folder: string;
let configurationPath: string;
const bucket = () => ({ s3, bucket: 'backups' });
const watch = (at?: Date) => watchCopies(DATABASE, { table: state.table, bucket: bucket() }, at);
const values = async (now?: number) => {
  const { uncopied_seconds, failed_copies } = await readAges(state.table, DATABASE, now);
  return [uncopied_seconds, failed_copies];
};

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'copies-'));
  configurationPath = join(folder, 'runtime.json');
  const login = { type: 'secret', secret_arn: 'arn:aws:secretsmanager:eu-west-1:111122223333:secret:shop' };
  const identity = { issuer: 'https://issuer.example', audience: 'dbms' };
  await writeFile(
    configurationPath,
    JSON.stringify({ databases: [{ id: DATABASE, host: 'h', name: 'shop', login }], identity }),
  );
  state = await startState();
  for (const [name, value] of Object.entries(state.services.environment())) vi.stubEnv(name, value);
  s3 = new S3Client({ ...clientOptions(state.services.endpoints.s3), forcePathStyle: true });
  for (const Bucket of ['backups', 'copies']) await s3.send(new CreateBucketCommand({ Bucket }));
});
afterAll(async () => {
  s3.destroy();
  vi.unstubAllEnvs();
  await state.close();
  await rm(folder, { recursive: true });
});

async function store(hoursAgo = 0): Promise<string> {
  const id = newBackupId();
  const at = new Date(Date.now() - hoursAgo * 3_600_000).toISOString();
  for (const name of ['data/1', 'manifest.json.enc'])
    await s3.send(
      new PutObjectCommand({ Bucket: 'backups', Key: `databases/${DATABASE}/backups/${id}/${name}`, Body: 'x' }),
    );
  const made = runningBackup({
    id,
    database: DATABASE,
    backup_type: 'full',
    custom_name: null,
    job_id: newJobId(),
    requested_by: 'it',
  });
  await createBackupCatalog(state.table).addMissing({
    ...made,
    status: 'available',
    created_at: at,
    stored_at: at,
    ended_at: at,
  });
  return id;
}
const replicateTo = (name: string) =>
  s3.send(
    new PutBucketReplicationCommand({
      Bucket: 'backups',
      ReplicationConfiguration: {
        Role: 'arn:aws:iam::000000000000:role/replication',
        Rules: [
          { Status: 'Enabled', Filter: { Prefix: 'databases/' }, Destination: { Bucket: `arn:aws:s3:::${name}` } },
        ],
      },
    }),
  );
const until = (check: () => Promise<void>) => vi.waitFor(check, { timeout: 20_000, interval: 100 });

it('knows nothing where no copies are watched, and does not count what was stored before', async () => {
  await store(5);
  expect(await values()).toEqual([null, null]);
  await watch(new Date(Date.now() - 4 * 3_600_000));
  expect(await values(Date.now() - 4 * 3_600_000)).toEqual([0, 0]);
  // The look was four hours ago: nobody knows how it is now.
  expect(await values()).toEqual([null, null]);
});

it('tells how long a backup waits, and no longer once every object is copied', async () => {
  await store(3);
  expect((await watch()).waiting_since).not.toBeNull();
  const [waiting] = await values();
  expect(waiting).toBeGreaterThanOrEqual(3 * 3600);
  expect(waiting).toBeLessThan(3 * 3600 + 600);

  await replicateTo('copies');
  const id = await store();
  await until(async () => expect((await watch()).copied).toEqual([id]));
});

it('tells of what S3 could not copy, by its events and by its status, until it is stored anew', async () => {
  await replicateTo('gone');
  const id = await store();
  const key = `databases/${DATABASE}/backups/${id}/data/1`;
  await until(async () => expect((await watch()).failed).toContain(key));
  expect((await values())[1]).toBe(2);

  vi.stubEnv(environmentNames.stateTable, state.table.name);
  vi.stubEnv(environmentNames.backupBucket, 'backups');
  vi.stubEnv(environmentNames.configurationPath, configurationPath);
  const changes = 'databases/shop/changes/a b';
  await s3.send(new PutObjectCommand({ Bucket: 'backups', Key: changes, Body: 'x' }));
  const { handler } = await import('../../functions/watch-copies.ts');
  const record = {
    eventName: 'Replication:OperationFailedReplication',
    s3: { object: { key: changes.replace(' ', '+') } },
  };
  await handler({ Records: [{ Sns: { Message: JSON.stringify({ Records: [record] }) } }] });
  await handler({ Records: [{ Sns: { Message: JSON.stringify({ Service: 'Amazon S3', Event: 's3:TestEvent' }) } }] });
  expect((await values())[1]).toBe(3);

  await replicateTo('copies');
  for (const name of [key, key.replace('data/1', 'manifest.json.enc'), changes])
    await s3.send(new PutObjectCommand({ Bucket: 'backups', Key: name, Body: 'x' }));
  await until(async () => expect((await watch()).failed).toEqual([]));
  await handler({ source: 'aws.events' });
  expect((await values())[1]).toBe(0);
});
