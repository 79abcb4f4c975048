import { DeleteObjectCommand, PutObjectCommand } from '@aws-sdk/client-s3';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { MANIFEST } from '../../../shared/backup/layout.ts';
import { backupLocation } from '../../../shared/backup/location.ts';
import type { Manifest } from '../../../shared/backup/manifest.ts';
import { readWhole, writeWhole } from '../../../shared/backup/objects/object-store.ts';
import { type CheckPosition, checkIntegrity, START } from '../../../shared/backup/validate/check-integrity.ts';
import type { Progress } from '../../../shared/contract/schemas/job.ts';
import { newBackupId } from '../../../shared/state/ids.ts';
import { anyServer, createScratchDatabase, type ScratchDatabase } from '../../support/servers.ts';
import { DATABASE_ID, useBackupHarness } from '../support/harness.ts';

const harness = useBackupHarness();
const { signal } = new AbortController();

let source: ScratchDatabase;
let manifest: Manifest;
let paths: string[];
/** The objects as they were written, put back after each test. */
const kept = new Map<string, Buffer>();

beforeAll(async () => {
  source = await createScratchDatabase(anyServer());
  const client = await source.connect();
  await client.query(`
    CREATE TABLE lines (n int PRIMARY KEY, text text);
    INSERT INTO lines SELECT n, E'two\\nlines\\tand a tab ' || md5(n::text) || repeat('x', 200) FROM generate_series(1, 30000) AS n;
    CREATE TABLE empty (n int);
    SELECT lo_from_bytea(0, decode(repeat('0a', 5000), 'hex'))`);
  manifest = await harness.backUp(source.target());
  const { prefix } = backupLocation(DATABASE_ID, manifest.id);
  for (const key of await harness.keys(manifest)) kept.set(key.slice(prefix.length), await harness.read(key));
  paths = manifest.tables.flatMap(({ chunks }) => chunks.map(({ path }) => path));
  expect(paths.length).toBeGreaterThan(5);
});
afterEach(async () => {
  for (const [path, bytes] of kept) await put(path, bytes);
});
afterAll(() => source?.drop());

const location = () => backupLocation(DATABASE_ID, manifest.id);

async function put(path: string, Body: Buffer): Promise<void> {
  const { s3, bucket: Bucket } = harness.store;
  await s3.send(new PutObjectCommand({ Bucket, Key: location().prefix + path, Body }));
}

const stored = (path: string): Buffer => Buffer.from(kept.get(path) ?? '');
const nth = (index: number): string => paths[index] ?? '';

/** The object with one bit turned, at a place from 0 to 1. */
function flipped(path: string, place: number): Buffer {
  const bytes = stored(path);
  const at = Math.floor(bytes.length * place);
  bytes[at] = (bytes[at] ?? 0) ^ 1;
  return bytes;
}

const check = (from = START, more: { timeIsOver?: AbortSignal; report?: (progress: Progress) => Promise<void> } = {}) =>
  checkIntegrity({ database: DATABASE_ID, backupId: manifest.id }, from, {
    store: harness.store,
    report: async () => undefined,
    signal,
    timeIsOver: signal,
    ...more,
  });

test('a sound backup has no damaged object, and every one is read, row for row', async () => {
  let last: Progress | undefined;
  const report = async (progress: Progress) => {
    last = progress;
  };
  const { tables, rows, bytes, objects } = manifest.totals;
  expect(await check(START, { report })).toEqual({ left: null, objects, damagedObjects: 0, damaged: [] });
  const all = (done: number) => ({ done, total: done });
  expect(last).toMatchObject({ phase: 'reading', tables: all(tables), rows: all(rows), bytes: all(bytes) });
});

test.for(['schema', 'data'] as const)('a sound backup of type %s passes', async (backupType) => {
  const { id, totals } = await harness.backUp(source.target(), { request: { backupType } });
  const found = await checkIntegrity({ database: DATABASE_ID, backupId: id }, START, {
    store: harness.store,
    report: async () => undefined,
    signal,
    timeIsOver: signal,
  });
  expect(found).toEqual({ left: null, objects: totals.objects, damagedObjects: 0, damaged: [] });
});

/** What may happen to an object, and how it is said of it. */
const harms: [name: string, code: string, harm: (path: string) => Promise<unknown>][] = [
  ['missing', 'object_missing', (path) => remove(path)],
  ['corrupted within', 'object_damaged', (path) => put(path, flipped(path, 0.5))],
  // There KMS is asked to open something that it never closed, which looks as if it refused the key.
  ['corrupted where its data key is', 'object_damaged', (path) => put(path, flippedKey(path))],
  // Then no key is asked at all, as none of that name is known.
  ['corrupted where its key is named', 'object_damaged', (path) => put(path, flippedKey(path, -30))],
  ['corrupted in its first byte', 'object_damaged', (path) => put(path, flipped(path, 0))],
  ['corrupted in its last byte', 'object_damaged', (path) => put(path, flipped(path, 0.9999999))],
  ['truncated', 'object_damaged', (path) => put(path, stored(path).subarray(0, stored(path).length / 2))],
  ['emptied', 'object_damaged', (path) => put(path, Buffer.alloc(0))],
  ['longer than it was', 'object_damaged', (path) => put(path, Buffer.concat([stored(path), Buffer.from('x')]))],
  ['replaced by another', 'object_misplaced', (path) => put(path, stored(otherThan(path)))],
];

const otherThan = (path: string): string => (path === nth(0) ? nth(1) : nth(0));

async function remove(path: string): Promise<void> {
  const { s3, bucket: Bucket } = harness.store;
  await s3.send(new DeleteObjectCommand({ Bucket, Key: location().prefix + path }));
}

function flippedKey(path: string, offset = 20): Buffer {
  const bytes = stored(path);
  // The header names the key's ARN right before the encrypted data key.
  const at = bytes.indexOf(harness.store.keyArn) + harness.store.keyArn.length + offset;
  bytes[at] = (bytes[at] ?? 0) ^ 1;
  return bytes;
}

describe('an object is named that is', () => {
  test.each(harms)('%s', async (_name, code, harm) => {
    for (const path of [nth(2), manifest.schema.path, manifest.large_objects.chunks[0]?.path ?? '']) {
      await harm(path);
      const found = await check();
      const { objects } = manifest.totals;
      expect(found, path).toMatchObject({ left: null, objects, damagedObjects: 1, damaged: [{ path, code }] });
      await put(path, stored(path));
    }
  });

  test('with a row more than the manifest says, though it was sealed with the key and its checksum is right', async () => {
    const path = nth(1);
    const reading = { compressed: true, signal };
    const text = await readWhole(harness.store, location(), path, reading);
    const more = Buffer.concat([text, text.subarray(0, text.indexOf('\n') + 1)]);
    const writing = { compressionLevel: 1, signal };
    const written = await writeWhole(harness.store, location(), path, more, writing);
    const forged = structuredClone(manifest);
    const chunk = forged.tables.flatMap(({ chunks }) => chunks).find((each) => each.path === path);
    forged.totals.stored_bytes += written.stored_bytes - (chunk?.stored_bytes ?? 0);
    Object.assign(chunk ?? {}, written);
    await writeWhole(harness.store, location(), MANIFEST, Buffer.from(JSON.stringify(forged)), {
      compressionLevel: null,
      signal,
    });
    const found = await check();
    expect(found).toMatchObject({ damagedObjects: 1, damaged: [{ path, code: 'rows_differ' }] });
    const rows = manifest.tables.flatMap(({ chunks }) => chunks).find((each) => each.path === path)?.rows ?? 0;
    expect(found.damaged[0]?.message).toContain(`It holds ${rows + 1} rows`);
  });
});

describe('the manifest is named', () => {
  test.each([
    ['missing', 'object_missing', () => remove(MANIFEST)],
    ['corrupted', 'object_damaged', () => put(MANIFEST, flipped(MANIFEST, 0.5))],
    ['corrupted where its data key is', 'object_damaged', () => put(MANIFEST, flippedKey(MANIFEST))],
    ['another object', 'object_misplaced', () => put(MANIFEST, stored(nth(0)))],
  ])('when it is %s', async (_name, code, harm) => {
    await harm();
    expect(await check()).toMatchObject({
      left: null,
      objects: 1,
      damagedObjects: 1,
      damaged: [{ path: MANIFEST, code }],
    });
  });

  test('when its counts contradict each other', async () => {
    const forged = structuredClone(manifest);
    const table = forged.tables.find(({ name }) => name === 'lines');
    if (table) table.rows += 1;
    await writeWhole(harness.store, location(), MANIFEST, Buffer.from(JSON.stringify(forged)), {
      compressionLevel: null,
      signal,
    });
    const found = await check();
    expect(found.damaged.map(({ code }) => code)).toEqual(['manifest_contradictory', 'manifest_contradictory']);
    expect(found.damaged[0]?.message).toContain('the rows of public.lines are 30001, and names 30000 in detail');
    expect(found.damagedObjects).toBe(1);
  });
});

test('all that is damaged is named in one answer', async () => {
  const harmed = harms.map(([, code, harm], index) => ({ path: nth(index), code, harm }));
  for (const { path, harm } of harmed) await harm(path);
  const { damaged, damagedObjects, objects } = await check();
  const byPath = (some: readonly { path: string; code: string }[]) =>
    some.map(({ path, code }) => `${path} ${code}`).sort();
  expect(byPath(damaged)).toEqual(byPath(harmed));
  expect([damagedObjects, objects]).toEqual([harms.length, manifest.totals.objects]);
});

test('it goes on where the time was over, and reads no object to its end twice', async () => {
  await put(nth(3), flipped(nth(3), 0.5));
  const { s3 } = harness.store;
  const totals = { rounds: 0, objects: 0, damaged: [] as string[] };
  let reads = 0;
  let over = new AbortController();
  s3.middlewareStack.add(
    (next, { commandName }) =>
      async (args) => {
        if (commandName === 'GetObjectCommand') reads += 1;
        // The manifest, and so many objects that two at least have ended.
        if (reads === 7) over.abort(new DOMException('The time is over', 'TimeoutError'));
        return next(args);
      },
    { step: 'initialize', name: 'count' },
  );
  let last: Progress | undefined;
  try {
    for (let from: CheckPosition | null = START; from !== null; ) {
      [over, reads] = [new AbortController(), 0];
      const round: Awaited<ReturnType<typeof check>> = await check(from, {
        timeIsOver: over.signal,
        report: async (progress) => {
          last = progress;
        },
      });
      totals.rounds += 1;
      totals.objects += round.objects;
      totals.damaged.push(...round.damaged.map(({ path }) => path));
      from = round.left;
      if (totals.rounds > 200) throw new Error('It does not come to an end');
    }
  } finally {
    s3.middlewareStack.remove('count');
  }
  const { objects, tables, rows } = manifest.totals;
  expect(totals).toMatchObject({ objects, damaged: [nth(3)] });
  expect(totals.rounds).toBeGreaterThan(2);
  // A damaged object's rows count as read too.
  expect(last).toMatchObject({ tables: { done: tables }, rows: { done: rows } });
});

describe('it fails, and says nothing of the backup,', () => {
  afterEach(() => harness.services.faults.clear());

  test.each([
    ['S3', { service: 's3', operation: 'GetObject', status: 403, code: 'AccessDenied' }, 'store_failed'],
    ['KMS', { service: 'kms', operation: 'Decrypt', status: 400, code: 'AccessDeniedException' }, 'key_refused'],
  ] as const)('when %s refuses', async (_name, fault, code) => {
    // The manifest can be read still.
    await harness.services.faults.set({ ...fault, after: 1, times: Number.POSITIVE_INFINITY });
    await expect(check()).rejects.toMatchObject({ code });
  });

  test('when it is told to end', async () => {
    const reason = new Error('cancelled');
    const stopped = checkIntegrity({ database: DATABASE_ID, backupId: newBackupId() }, START, {
      store: harness.store,
      report: async () => undefined,
      signal: AbortSignal.abort(reason),
      timeIsOver: signal,
    });
    await expect(stopped).rejects.toBe(reason);
  });
});
