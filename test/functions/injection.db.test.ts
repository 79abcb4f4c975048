import { join } from 'node:path';
import { CreateBucketCommand } from '@aws-sdk/client-s3';
import fc from 'fast-check';
import type pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { runBackup } from '../../shared/backup/export/run-backup.ts';
import { loadConfiguration } from '../../shared/configuration/load.ts';
import { problemSchema } from '../../shared/contract/schemas/common.ts';
import { succeedBackup } from '../../shared/jobs/end.ts';
import { newAlertId, newJobId } from '../../shared/state/ids.ts';
import { createJobStore } from '../../shared/state/jobs.ts';
import { anyServer, createScratchDatabase, type ScratchDatabase } from '../support/servers.ts';
import { startApi, type TestApi } from './api.ts';
import { type StringInput, stringInputs } from './string-inputs.ts';

let database: ScratchDatabase;
let client: pg.Client;
let api: TestApi;
let inputs: StringInput[];
let before: unknown;

/**
 * What an injected statement would change: the canary, and what the server has of roles, settings and databases newer than the
 * canary's. Older ones are of files that ran before, which the server may still be removing.
 */
async function stateOfServer(): Promise<unknown> {
  const { rows } = await client.query(`
    SELECT (SELECT array_agg(c ORDER BY id) FROM public.canary c) AS canary,
           (SELECT array_agg(relname ORDER BY relname) FROM pg_class WHERE relnamespace = 'public'::regnamespace) AS relations,
           (SELECT array_agg(datname ORDER BY datname) FROM pg_database
            WHERE oid > (SELECT oid FROM pg_database WHERE datname = current_database())) AS databases,
           (SELECT array_agg(rolname ORDER BY rolname) FROM pg_roles) AS roles,
           (SELECT array_agg(s::text) FROM pg_db_role_setting s) AS settings`);
  return rows[0];
}

beforeAll(async () => {
  database = await createScratchDatabase(anyServer());
  client = await database.connect();
  await client.query(`CREATE TABLE public.canary (id int PRIMARY KEY, song text NOT NULL);
    INSERT INTO public.canary SELECT n, 'song ' || n FROM generate_series(1, 20) AS n`);
  const { host, port, user, password } = database.server;
  api = await startApi(undefined, { host, port, user, password, name: database.name });
  const { s3Client } = await import('../../shared/aws/clients.ts');
  await s3Client().send(new CreateBucketCommand({ Bucket: api.bucket }));
  const backup = await availableBackup();
  inputs = stringInputs([backup, newJobId(), newAlertId(), 'tls_enabled', '2147483647']).map(({ name, call }) => ({
    name,
    call: (text) => withBackup(call(text), backup),
  }));
  before = await stateOfServer();
});
afterAll(async () => {
  await client?.end();
  await api?.close();
  await database?.drop();
});

/** A real backup of the database, so that what names one comes as far as the server. */
async function availableBackup(): Promise<string> {
  const { body: job } = await api.call({ method: 'POST', path: '/backups', body: { backup_type: 'full' } });
  await createJobStore(api.table).start(job.id);
  const { s3Client } = await import('../../shared/aws/clients.ts');
  const manifest = await runBackup(
    { id: job.backup_id, database: 'shop', backupType: 'full', customName: null, requestedBy: 'test' },
    {
      target: database.target(),
      store: { s3: s3Client(), bucket: api.bucket, keyArn: api.backupKeyArn },
      settings: loadConfiguration().backups,
      postgresToolsPath: join(import.meta.dirname, '../../node_modules'),
      report: async () => undefined,
      signal: AbortSignal.timeout(60_000),
    },
  );
  const at = manifest.snapshot.taken_at;
  const counts = { tables: 1, rows: 20, bytes: 1, stored_bytes: 1, objects: 3 };
  const facts = { snapshot_at: at, ended_at: at, server_version: 180_004, expires_at: null, ...counts };
  await succeedBackup(api.table, { jobId: job.id, backupId: job.backup_id, facts, warnings: [] });
  return job.backup_id;
}

/** The examples of the contract name a backup of nobody's. */
function withBackup<Call extends { body?: unknown }>(call: Call, backup: string): Call {
  const text = JSON.stringify(call.body ?? null);
  return {
    ...call,
    ...(call.body === undefined
      ? {}
      : { body: JSON.parse(text.replace(/"bkp-01JZ8Q4F7M3N5P6R8S9T0V1W2X"/, `"${backup}"`)) }),
  };
}

const statements = [
  'DROP TABLE public.canary',
  "UPDATE public.canary SET song = 'none'",
  'CREATE TABLE public.injected ()',
  'CREATE ROLE injected SUPERUSER',
  "COPY public.canary FROM PROGRAM 'echo 99'",
];
/** Ends of what a text, an identifier or a number may stand in. */
const ways: ((statement: string) => string)[] = [
  (statement) => `x'; ${statement}; --`,
  (statement) => `x"; ${statement}; --`,
  (statement) => `1; ${statement}; --`,
  (statement) => `x') OR 1 = 1; ${statement}; --`,
  (statement) => `x\\'; ${statement}; --`,
  (statement) => `x\\"; ${statement}; --`,
  (statement) => `$$; ${statement}; $$`,
  (statement) => `*/ ${statement}; /*`,
  (statement) => `x\n; ${statement};\n--`,
  (statement) => `\u02bc; ${statement}; --`,
  (statement) => `\uff07; ${statement}; --`,
  (statement) => `a.b"; ${statement}; --`,
  (statement) => `x\0'; ${statement}; --`,
];
const known = [
  ...ways.map((way, at) => way(statements[at % statements.length] ?? '')),
  `' UNION SELECT song FROM public.canary --`,
  `' || (SELECT pg_sleep(0)) || '`,
  `x"."canary`,
  `public.canary"; DELETE FROM public.canary; --`,
  Buffer.from(JSON.stringify({ id: `'; ${statements[0]}; --`, sort: "'" })).toString('base64url'),
  '{{7*7}}%27%22',
  "'",
  '"'.repeat(63),
  '',
];

/** Answers are of the contract: done, or refused in words; never a failure. Says what is not. */
async function send({ name, call }: StringInput, text: string): Promise<string[]> {
  const { status, problem, body } = await api.call({ ...call(text), as: ['admin'] });
  const said = `${name} with ${JSON.stringify(text)}: ${status} ${JSON.stringify(body).slice(0, 400)}`;
  const isRight = status < 400 || (status < 500 && problemSchema.safeParse(problem).success);
  return isRight ? [] : [said];
}

test('known injections in every text of every route change nothing', async () => {
  expect(inputs.length).toBeGreaterThan(100);
  const wrong: string[] = [];
  for (const input of inputs) wrong.push(...(await Promise.all(known.map((text) => send(input, text)))).flat());
  expect(wrong).toEqual([]);
  expect(await stateOfServer()).toEqual(before);
});

test('nor does anything else', async () => {
  const statement = fc.constantFrom(...statements);
  const text = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 80 }),
    fc
      .tuple(fc.string({ unit: 'grapheme', maxLength: 10 }), fc.constantFrom(...ways), statement)
      .map(([head, way, of]) => head + way(of)),
  );
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...inputs), text, async (input, sent) => {
      expect(await send(input, sent)).toEqual([]);
    }),
    { numRuns: 500 },
  );
  expect(await stateOfServer()).toEqual(before);
});
