import { HeadObjectCommand } from '@aws-sdk/client-s3';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { backupLocation } from '../../shared/backup/location.ts';
import type { Manifest } from '../../shared/backup/manifest.ts';
import { readWhole } from '../../shared/backup/objects/object-store.ts';
import { anyServer, createScratchDatabase, type ScratchDatabase } from '../support/servers.ts';
import { DATABASE_ID, useBackupHarness } from './support/harness.ts';

const harness = useBackupHarness();

/** What a thief would look for: in rows, large objects, definitions, and what only the manifest says. */
const SECRETS = ['a-secret-in-a-row', 'a-secret-in-an-object', 'a_secret_column', 'a-secret-comment'];
/** What compressed rows begin with. */
const ZSTD_MAGIC = Buffer.from([0x28, 0xb5, 0x2f, 0xfd]);

let source: ScratchDatabase;
let manifest: Manifest;
let keys: string[];

beforeAll(async () => {
  source = await createScratchDatabase(anyServer());
  const client = await source.connect();
  await client.query(`
    CREATE TABLE secrets (n int, a_secret_column text);
    INSERT INTO secrets SELECT n, 'a-secret-in-a-row' || md5(n::text) FROM generate_series(1, 50000) AS n;
    SELECT lo_from_bytea(4711, 'a-secret-in-an-object');
    COMMENT ON DATABASE ${source.name} IS 'a-secret-comment';`);
  manifest = await harness.backUp(source.target());
  keys = await harness.keys(manifest);
});
afterAll(async () => {
  await source?.drop();
});

test('the bucket holds what the manifest names, the manifest, and nothing else', () => {
  const { prefix } = backupLocation(DATABASE_ID, manifest.id);
  const chunks = [...manifest.tables.flatMap((table) => table.chunks), ...manifest.large_objects.chunks];
  const named = [...chunks.map(({ path }) => path), manifest.schema.path, 'manifest.json.enc'];
  expect(chunks.length).toBeGreaterThan(3);
  expect(keys).toEqual(named.map((path) => prefix + path).sort());
  expect(manifest.totals.objects).toBe(keys.length);
});

test('no object can be read without the key', async () => {
  for (const key of keys) {
    const bytes = await harness.read(key);
    expect(bytes.length).toBeGreaterThan(0);
    for (const secret of SECRETS) expect(bytes.includes(secret), `${secret} in ${key}`).toBe(false);
    expect(bytes.subarray(0, 4).equals(ZSTD_MAGIC), key).toBe(false);
  }
});

test('with the key, each secret is found', async () => {
  const location = backupLocation(DATABASE_ID, manifest.id);
  const found = new Set<string>();
  for (const key of keys) {
    const path = key.slice(location.prefix.length);
    const compressed = path !== 'manifest.json.enc';
    const bytes = await readWhole(harness.store, location, path, { compressed, signal: new AbortController().signal });
    const text = bytes.toString('latin1');
    const plain = text + Buffer.from((/\\\\x([0-9a-f]+)/.exec(text) ?? ['', ''])[1] ?? '', 'hex').toString('latin1');
    for (const secret of SECRETS) if (plain.includes(secret)) found.add(secret);
  }
  expect([...found].sort()).toEqual([...SECRETS].sort());
});

test('each object is encrypted by S3 with the same key as well', async () => {
  for (const Key of keys) {
    const head = await harness.store.s3.send(new HeadObjectCommand({ Bucket: harness.store.bucket, Key }));
    expect(head).toMatchObject({ ServerSideEncryption: 'aws:kms', SSEKMSKeyId: harness.store.keyArn });
  }
});
