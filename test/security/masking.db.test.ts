import { GenerateDataKeyCommand, KMSClient } from '@aws-sdk/client-kms';
import { PutCommand } from '@aws-sdk/lib-dynamodb';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type MaskingChange, maskingChangeSchema } from '../../shared/contract/schemas/masking.ts';
import {
  changeMasking,
  describeMasking,
  loadMaskingRules,
  proposeMasking,
} from '../../shared/security/masking/change-masking.ts';
import { type KeyDependencies, loadMaskingKey } from '../../shared/security/masking/masking-key.ts';
import { readWrappedKey } from '../../shared/state/masking.ts';
import { DATABASE_ID, useBackupHarness } from '../backup/support/harness.ts';
import { clientOptions } from '../local/aws/support.ts';
import { createStateTable } from '../state/support.ts';
import { anyServer, createScratchDatabase, type ScratchDatabase } from '../support/servers.ts';

const harness = useBackupHarness();
let source: ScratchDatabase;
let key: KeyDependencies;
beforeAll(async () => {
  source = await createScratchDatabase(anyServer());
  const client = await source.connect();
  await client.query(`CREATE TABLE people (id int PRIMARY KEY, email text UNIQUE, name text NOT NULL);
    INSERT INTO people SELECT n, 'person' || n || '@mail.example', 'Somebody ' || n FROM generate_series(1, 50) AS n`);
  await client.end();
  const { table } = await createStateTable(harness.services);
  const kms = new KMSClient(clientOptions(harness.services.endpoints.kms));
  const keyArn = await harness.services.createKey({ keySpec: 'HMAC_256' });
  key = { table, kms, keyArn, backupKeyArn: harness.store.keyArn };
});
afterAll(async () => {
  key?.kms.destroy();
  await source?.drop();
});

const change = (version: number, rules: unknown[]) => {
  const parsed: MaskingChange = maskingChangeSchema.parse({ version, rules });
  const dependencies = { ...key, target: source.target(), signal: new AbortController().signal };
  return changeMasking(dependencies, { database: DATABASE_ID, change: parsed, by: 'alice' });
};

test('there is one key for all, which is derived and stored nowhere', async () => {
  const [first, second] = await Promise.all([loadMaskingKey(key), loadMaskingKey(key)]);
  expect(first).toHaveLength(32);
  expect(Buffer.from(second ?? [])).toEqual(Buffer.from(first ?? []));
  expect(await readWrappedKey(key.table)).toBeNull();
});

test('a key that KMS does not derive is a refusal, not another key', async () => {
  const other = { ...key, keyArn: await harness.services.createKey() };
  await expect(loadMaskingKey(other)).rejects.toMatchObject({ code: 'masking_key_unavailable' });
});

test('a deployment that has stored its masking key goes on with that one', async () => {
  const { table } = key;
  const KeyId = key.backupKeyArn;
  const made = await key.kms.send(
    new GenerateDataKeyCommand({ KeyId, KeySpec: 'AES_256', EncryptionContext: { purpose: 'masking' } }),
  );
  const wrapped = Buffer.from(made.CiphertextBlob ?? []).toString('base64');
  await table.documents.send(
    new PutCommand({ TableName: table.name, Item: { pk: 'MASKING_KEY', sk: 'MASKING_KEY', wrapped } }),
  );
  expect(Buffer.from(await loadMaskingKey(key))).toEqual(Buffer.from(made.Plaintext ?? []));
  const other = { ...key, backupKeyArn: await harness.services.createKey() };
  await expect(loadMaskingKey(other)).rejects.toMatchObject({ code: 'masking_key_unavailable' });
});

test('rules are changed at their version, all or none, and make a masked backup', async () => {
  expect(await describeMasking(key, DATABASE_ID)).toMatchObject({ version: 0, rules: [], changed_by: null });
  await expect(loadMaskingRules(key, DATABASE_ID)).rejects.toMatchObject({ code: 'masking_not_defined' });
  const { problems } = await change(0, [
    { table: 'public.people', column: 'email', mask: { rule: 'email' } },
    { table: { schema: 'public', table: 'people' }, column: 'name', mask: { rule: 'null' } },
    { table: 'public.people', column: 'absent', mask: { rule: 'null' } },
  ]);
  expect(problems).toEqual([
    { rule: 1, message: 'the column is NOT NULL' },
    { rule: 2, message: 'the table has no column absent' },
  ]);
  expect((await describeMasking(key, DATABASE_ID)).version).toBe(0);
  const email = { table: 'public.people', column: 'email', mask: { rule: 'email', domain: 'shop.test' } };
  expect(await change(0, [email])).toEqual({ problems: [], warnings: [] });
  await expect(change(0, [email])).rejects.toMatchObject({ code: 'masking_changed' });
  expect(await change(1, [email, { table: 'public.people', column: 'name', mask: { rule: 'name' } }])).toMatchObject({
    problems: [],
  });
  expect(await describeMasking(key, DATABASE_ID)).toMatchObject({
    version: 2,
    changed_by: 'alice',
    rules: [
      { table: { schema: 'public', table: 'people' }, column: 'email', mask: { rule: 'email', domain: 'shop.test' } },
      { column: 'name', mask: { rule: 'name', part: 'full' } },
    ],
  });
  const masking = await loadMaskingRules(key, DATABASE_ID);
  const manifest = await harness.backUp(source.target(), { request: { masking } });
  expect(manifest.masking?.version).toBe(2);
  const restored = await harness.restore(manifest, anyServer());
  const client = await restored.connect();
  const { rows } = await client.query(
    "SELECT DISTINCT email ~ '^[a-z2-7]{16}@shop.test$' AND name !~ 'Somebody' AS ok FROM people",
  );
  await client.end();
  expect(rows).toEqual([{ ok: true }]);
});

test('personal data is found by names and values, without telling any; without time by names alone', async () => {
  const client = await source.connect();
  await client.query(`CREATE SCHEMA shop;
    CREATE TABLE shop.payments (id int, x varchar(30), y text, ip inet, phone text, remarks text, data jsonb, list text[]) PARTITION BY RANGE (id);
    CREATE TABLE shop.payments_1 PARTITION OF shop.payments DEFAULT;
    INSERT INTO shop.payments SELECT n, 'GB82WEST12345698765432', '4111 1111 1111 1111', '10.0.0.1', '+43 660 1234' || n, 'ok',
           jsonb_build_object('to', repeat('x', 300), 'from', jsonb_build_array('p' || n || '@mail.example')), ARRAY['p' || n || '@mail.example', NULL]
      FROM generate_series(1, 40) AS n;
    CREATE TABLE shop.empty (id int, email text)`);
  await client.end();
  const found = await proposeMasking(
    { ...key, target: source.target(), signal: new AbortController().signal, readUntil: new AbortController().signal },
    DATABASE_ID,
  );
  const kinds = found.findings.map(({ table, column, kind, is_masked }) => [
    `${table.table}.${column}`,
    kind,
    is_masked,
  ]);
  expect(kinds.sort()).toEqual([
    ['empty.email', 'email', false],
    ['payments.data', 'email', false],
    ['payments.ip', 'ip_address', false],
    ['payments.list', 'email', false],
    ['payments.phone', 'phone', false],
    ['payments.x', 'iban', false],
    ['payments.y', 'card', false],
    ['people.email', 'email', true],
  ]);
  expect(found.findings.find(({ column }) => column === 'data')?.mask).toMatchObject({
    rule: 'json',
    paths: { '$.from.*': { rule: 'email' } },
  });
  expect(found).toMatchObject({ tables: 3, tables_left: 0, findings_left: 0, rules_checked: true });
  expect(JSON.stringify(found)).not.toMatch(/4111|WEST1234|mail\.example/);
  const none = AbortSignal.abort();
  const without = (signal: AbortSignal) =>
    proposeMasking({ ...key, target: source.target(), signal, readUntil: none }, DATABASE_ID);
  const late = await without(new AbortController().signal);
  expect(late.tables_left).toBe(3);
  expect(late.findings.map(({ column }) => column).sort()).toContain('email');
  expect(await without(none)).toMatchObject({ tables: 3, tables_left: 3, findings: [], rules_checked: false });
});
