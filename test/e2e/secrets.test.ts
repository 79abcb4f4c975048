import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DynamoDBClient, ListTablesCommand, paginateScan } from '@aws-sdk/client-dynamodb';
import { ListBucketsCommand, paginateListObjectsV2 } from '@aws-sdk/client-s3';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { clientOptions } from '../local/aws/support.ts';
import { anyServer, createScratchDatabase, dropDatabase, type ScratchDatabase } from '../support/servers.ts';
import { call, endOf, startBackup, startRestore, uniqueName } from './support/api.ts';
import { managed, openBucket, startTestSystem, type TestSystem } from './support/system.ts';

/** What nobody should read anywhere but in the database, each as nothing else is written. */
const HIDDEN = {
  'an e-mail of a row': 'zoe.quarrel@private-person.example',
  'a card of a row': '4024007103939509',
  'a number of a row': '88442211998877',
  'a constant of a statement': 'constant-of-a-statement-6c1f',
  'a password that was sent': 'sent-by-mistake-91b7',
};

let database: ScratchDatabase;
let system: TestSystem;
const target = uniqueName('restored');

beforeAll(async () => {
  database = await createScratchDatabase(anyServer());
  system = await startTestSystem({ databases: [managed(anyServer(), 'shop', database.name)], schedules: false });
});
afterAll(async () => {
  await system?.end();
  await dropDatabase(anyServer(), target);
  await database?.drop();
});

/** Every item of every table, and every key and plain object, as text. */
async function everythingStored(): Promise<{ where: string; text: string }[]> {
  const { services } = system.current;
  const found: { where: string; text: string }[] = [];
  const client = new DynamoDBClient(clientOptions(services.endpoints.dynamodb));
  const { TableNames = [] } = await client.send(new ListTablesCommand({}));
  for (const TableName of TableNames) {
    for await (const { Items = [] } of paginateScan({ client }, { TableName }))
      found.push({ where: TableName, text: JSON.stringify(Items) });
  }
  const { s3 } = await openBucket(system.current);
  const { Buckets = [] } = await s3.send(new ListBucketsCommand({}));
  for (const { Name: Bucket = '' } of Buckets) {
    for await (const { Contents = [] } of paginateListObjectsV2({ client: s3 }, { Bucket }))
      found.push({ where: Bucket, text: JSON.stringify(Contents) });
  }
  found.push({ where: 'mails', text: JSON.stringify(services.emails()) });
  return found;
}

/** What the system wrote to files: logs, the state of durable executions, the stand-ins of AWS. */
async function everythingWritten(folder: string): Promise<{ where: string; text: string }[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  return Promise.all(files.map(async (where) => ({ where, text: await readFile(where, 'latin1') })));
}

test('nothing that is written tells passwords, tokens, values of rows or constants of statements', async () => {
  const client = await database.connect();
  const [email, card, number, constant, password] = Object.values(HIDDEN);
  await client.query('CREATE TABLE people (id int PRIMARY KEY, email text, card text, number text)');
  await client.query('INSERT INTO people VALUES (1, $1, $2, $3)', [email, card, number]);

  const backup = await endOf(system.current, (await startBackup(system.current, 'shop')).id);
  const id = backup.backup_id ?? '';
  const restored = await startRestore(system.current, { database: 'shop', backup: id, target });
  expect(await endOf(system.current, restored.id)).toMatchObject({ status: 'succeeded' });

  // Rows that the server refuses in words of its own.
  const intoRows = { backup_id: id, confirm: true, mode: 'data', target_database: database.name };
  for (const check of ['email::int > 0', 'number::date IS NOT NULL', 'card::int > 0']) {
    await client.query(
      `TRUNCATE people; ALTER TABLE people DROP CONSTRAINT IF EXISTS reads, ADD CONSTRAINT reads CHECK (${check})`,
    );
    const refused = await call(system.current, '/restore?database=shop', { body: intoRows });
    expect(await endOf(system.current, refused.json.id)).toMatchObject({
      status: 'failed',
      error: { code: 'rows_refused' },
    });
  }

  // A statement that is at work, seen with its text.
  const at = client.query(`SELECT pg_sleep(2), '${constant}'`);
  expect((await call(system.current, '/connections/details?database=shop')).status).toBe(200);
  expect((await call(system.current, '/locks?database=shop')).status).toBe(200);
  await at;

  // Calls with what does not belong into them.
  const wrong = { backup_type: 'full', password, note: email };
  expect((await call(system.current, '/backups?database=shop', { body: wrong })).status).toBe(400);
  const forged = { token: `${system.current.tokens.admin}x` };
  expect((await call(system.current, '/backups?database=shop', forged)).status).toBe(401);
  expect((await call(system.current, '/security/masking/find?database=shop', { body: {} })).status).toBe(200);
  await client.end();

  const texts = [...(await everythingStored()), ...(await everythingWritten(system.stateFolder))];
  expect(
    texts.filter(({ text }) => text.includes('people')).length,
    'the job was looked for elsewhere',
  ).toBeGreaterThan(0);
  const hidden = {
    ...HIDDEN,
    'the password of the login': anyServer().password,
    ...Object.fromEntries(Object.entries(system.current.tokens).map(([role, token]) => [`a token of ${role}`, token])),
  };
  const told = texts.flatMap(({ where, text }) =>
    Object.entries(hidden).flatMap(([what, value]) => (text.includes(value) ? [`${what} in ${where}`] : [])),
  );
  // Where it belongs: the stand-in of Secrets Manager.
  expect(told.filter((one) => !/^the password of the login in .*secrets\.json$/.test(one))).toEqual([]);
});
