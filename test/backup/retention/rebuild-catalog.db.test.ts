import { CopyObjectCommand, PutObjectCommand } from '@aws-sdk/client-s3';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { backupPrefix, MANIFEST } from '../../../shared/backup/layout.ts';
import { rebuildCatalog, rebuildWholeCatalog } from '../../../shared/backup/rebuild-catalog.ts';
import { assertRestorable, registerBackup } from '../../../shared/jobs/start.ts';
import { createBackupCatalog } from '../../../shared/state/backups.ts';
import { newBackupId } from '../../../shared/state/ids.ts';
import type { StateTable } from '../../../shared/state/table.ts';
import { createStateTable } from '../../state/support.ts';
import { databaseDifferences } from '../../support/compare/compare.ts';
import { anyServer, createScratchDatabase, type ScratchDatabase, withClient } from '../../support/servers.ts';
import { DATABASE_ID, useBackupHarness } from '../support/harness.ts';
import { backUpAndRecord, emptyTable } from './support-catalog.ts';

const harness = useBackupHarness();
const server = anyServer();
let source: ScratchDatabase;
let table: StateTable;
let close: () => void;
beforeAll(async () => {
  source = await createScratchDatabase(server);
  await withClient(server, source.name, (client) =>
    client.query('CREATE TABLE item AS SELECT n, md5(n::text) AS text FROM generate_series(1, 500) AS n'),
  );
  const state = await createStateTable(harness.services);
  table = state.table;
  close = () => state.client.destroy();
});
afterAll(async () => {
  close?.();
  await source?.drop();
});

const rebuild = (more: object = {}) =>
  rebuildCatalog(DATABASE_ID, { store: harness.store, table, signal: new AbortController().signal, ...more });
const listed = async () => (await createBackupCatalog(table).entries(DATABASE_ID)).map(({ backup }) => backup);
const putManifest = (id: string, Body: Buffer) =>
  harness.store.s3.send(
    new PutObjectCommand({ Bucket: harness.store.bucket, Key: backupPrefix(DATABASE_ID, id) + MANIFEST, Body }),
  );

test('after the State table was lost, backups are listed as before and can be restored', async () => {
  const made = [await backUpAndRecord(harness, table, source), await backUpAndRecord(harness, table, source)];
  const before = await listed();
  expect(before).toHaveLength(2);
  await emptyTable(table);
  expect(await listed()).toEqual([]);

  const ids = made.map(({ id }) => id);
  expect(await rebuild()).toEqual({ done: true, added: ids, listed: 0, unreadable: [], incomplete: 0 });
  const after = await listed();
  // When the job began, and which it was, nobody knows any more; and S3 has said since when it has the manifest.
  const same = before.map((backup) => ({
    ...backup,
    job_id: 'unknown',
    requested_by: 'test',
    created_at: made.find(({ id }) => id === backup.id)?.created_at,
    stored_at: expect.any(String),
  }));
  expect(after).toEqual(same);

  const [first] = made;
  if (!first) throw new Error('There is no backup');
  await assertRestorable(table, DATABASE_ID, first.id);
  const restored = await harness.restore(first, server);
  expect(await databaseDifferences(source, restored)).toEqual([]);

  // Again: nothing changes.
  expect(await rebuild()).toEqual({ done: true, added: [], listed: 2, unreadable: [], incomplete: 0 });
  expect(await listed()).toEqual(after);
});

test('leaves entries as they are, and lists nothing that has no manifest', async () => {
  const { job } = await registerBackup(table, {
    database: DATABASE_ID,
    requestedBy: 'alice',
    backupType: 'full',
    customName: null,
  });
  const running = job.backup_id ?? '';
  const [incomplete, mine] = [newBackupId(), await backUpAndRecord(harness, table, source)];
  const { bucket, s3 } = harness.store;
  for (const key of [
    `${backupPrefix(DATABASE_ID, incomplete)}schema.json.zst.enc`,
    `${backupPrefix(DATABASE_ID, running)}schema.json.zst.enc`,
    `databases/${DATABASE_ID}/backups/bkp-readme/${MANIFEST}`,
    `databases/${DATABASE_ID}/backups/${newBackupId()}`,
  ]) {
    await s3.send(new PutObjectCommand({ Bucket: bucket, Key: key, Body: 'x' }));
  }
  await createBackupCatalog(table).markDeleting(mine.id);
  expect(await rebuild()).toMatchObject({ added: [], unreadable: [], incomplete: 1 });
  const states = Object.fromEntries((await listed()).map(({ id, status }) => [id, status]));
  expect(states).toMatchObject({ [running]: 'running', [mine.id]: 'deleting' });
  expect(states).not.toHaveProperty(incomplete);
});

test('names manifests that cannot be read, and lists the others', async () => {
  const [good, damaged, moved] = [await backUpAndRecord(harness, table, source), newBackupId(), newBackupId()];
  const sealed = await harness.read(backupPrefix(DATABASE_ID, good.id) + MANIFEST);
  const changed = Buffer.from(sealed);
  changed[changed.length - 60] = (changed[changed.length - 60] ?? 0) ^ 1;
  await putManifest(damaged, changed);
  const { bucket, s3 } = harness.store;
  const CopySource = `${bucket}/${backupPrefix(DATABASE_ID, good.id)}${MANIFEST}`;
  await s3.send(
    new CopyObjectCommand({ Bucket: bucket, Key: backupPrefix(DATABASE_ID, moved) + MANIFEST, CopySource }),
  );
  await emptyTable(table);
  const { added, unreadable } = await rebuild();
  expect(added).toContain(good.id);
  const reasons = Object.fromEntries(unreadable.map(({ id, message }) => [id, message]));
  expect(Object.keys(reasons).sort()).toEqual([damaged, moved].sort());
  expect(reasons[moved]).toContain(`was sealed as ${MANIFEST} of backup ${good.id}`);
  const ids = (await listed()).map(({ id }) => id);
  expect(ids).not.toContain(damaged);
  expect(ids).not.toContain(moved);
});

test('lists those of every database in the bucket, of which only some may be configured, and of no other folder', async () => {
  const made = await backUpAndRecord(harness, table, source);
  const { bucket, s3 } = harness.store;
  const foreign = newBackupId();
  for (const key of [
    backupPrefix('former', foreign) + MANIFEST,
    `databases/NOT-ONE/backups/${newBackupId()}/${MANIFEST}`,
  ]) {
    await s3.send(new PutObjectCommand({ Bucket: bucket, Key: key, Body: 'x' }));
  }
  await emptyTable(table);
  const whole = { store: harness.store, table, signal: new AbortController().signal };
  const { done, added, unreadable } = await rebuildWholeCatalog(whole);
  expect([done, added.includes(made.id)]).toEqual([true, true]);
  // That of the other database was looked at, too: it is no manifest.
  expect(unreadable.map(({ id }) => id)).toContain(foreign);
  expect(await rebuildWholeCatalog({ ...whole, timeIsOver: AbortSignal.abort() })).toMatchObject({ done: false });
});

test('goes on where it was when the time of an invocation is over', async () => {
  const all = await listed();
  await emptyTable(table);
  expect(await rebuild({ timeIsOver: AbortSignal.abort() })).toMatchObject({ done: false, added: [] });
  expect((await rebuild()).added.sort()).toEqual(
    all
      .filter(({ status }) => status === 'available')
      .map(({ id }) => id)
      .sort(),
  );
});
