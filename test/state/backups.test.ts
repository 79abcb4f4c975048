import { afterAll, beforeAll, expect, test } from 'vitest';
import { type BackupCatalog, createBackupCatalog, type NewBackup } from '../../shared/state/backups.ts';
import { newBackupId, newJobId } from '../../shared/state/ids.ts';
import { type StateService, startState } from './support.ts';

let state: StateService;
let backups: BackupCatalog;
beforeAll(async () => {
  state = await startState();
  backups = createBackupCatalog(state.table);
});
afterAll(() => state?.close());

const newBackup = (database = 'shop'): NewBackup => ({
  id: newBackupId(),
  database,
  backup_type: 'full',
  custom_name: null,
  job_id: newJobId(),
  requested_by: 'alice',
});
const facts = {
  snapshot_at: '2026-01-01T00:00:00.000Z',
  ended_at: '2026-01-01T00:01:00.000Z',
  expires_at: '2026-01-31T00:00:00.000Z',
  server_version: 180_004,
  tables: 3,
  rows: 100,
  bytes: 4_000_000_000,
  stored_bytes: 1000,
  objects: 5,
};

test('a backup becomes available once, and stays so when that is said again', async () => {
  const { id } = await backups.create(newBackup());
  expect(await backups.get(id)).toMatchObject({ status: 'running', bytes: null });
  await backups.markAvailable(id, facts);
  await backups.markAvailable(id, { ...facts, rows: 7 });
  expect(await backups.get(id)).toMatchObject({ ...facts, status: 'available' });
  expect(await backups.markFailed(id, 'late')).toBe(false);
});

test('a failed backup never becomes available', async () => {
  const { id } = await backups.create(newBackup());
  expect(await backups.markFailed(id, 'KMS refused the key')).toBe(true);
  await expect(backups.markAvailable(id, facts)).rejects.toMatchObject({ code: 'backup_not_running' });
  expect(await backups.get(id)).toMatchObject({ status: 'failed', error: 'KMS refused the key' });
});

test('only what is marked as deleting leaves the list, and a running backup cannot be marked', async () => {
  const { id } = await backups.create(newBackup());
  expect(await backups.markDeleting(id)).toBe(false);
  await backups.remove(id);
  expect(await backups.find(id)).not.toBeNull();
  await backups.markFailed(id, 'cause');
  expect(await backups.markDeleting(id)).toBe(true);
  expect(await backups.markDeleting(id)).toBe(true);
  await backups.remove(id);
  await backups.remove(id);
  expect(await backups.find(id)).toBeNull();
  expect(await backups.markDeleting(id)).toBe(false);
});

test('a list by status fills its pages although most entries do not fit', async () => {
  const wanted: string[] = [];
  for (let count = 0; count < 12; count++) {
    const { id } = await backups.create(newBackup('mixed'));
    if (count % 4 !== 0) continue;
    await backups.markAvailable(id, facts);
    wanted.push(id);
  }
  const first = await backups.list({ database: 'mixed', status: 'available', limit: 2 });
  expect(first.items).toHaveLength(2);
  const rest = await backups.list({
    database: 'mixed',
    status: 'available',
    limit: 2,
    cursor: first.next_cursor ?? '',
  });
  expect([...first.items, ...rest.items].map(({ id }) => id)).toEqual(wanted.reverse());
  expect(rest.next_cursor).toBeNull();
});
