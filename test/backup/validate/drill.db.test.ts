import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { PutObjectCommand } from '@aws-sdk/client-s3';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { MANIFEST } from '../../../shared/backup/layout.ts';
import { backupLocation } from '../../../shared/backup/location.ts';
import type { Manifest } from '../../../shared/backup/manifest.ts';
import { readWhole, writeWhole } from '../../../shared/backup/objects/object-store.ts';
import { RECORD_SCHEMA } from '../../../shared/backup/restore/restore-record.ts';
import { verifyBuilt } from '../../../shared/backup/restore/verify-built.ts';
import { checkIntegrity } from '../../../shared/backup/validate/check-integrity.ts';
import {
  type DrillDependencies,
  discardDrill,
  drillDatabase,
  runDrill,
} from '../../../shared/backup/validate/drill.ts';
import { cancelJob, endValidation } from '../../../shared/jobs/end.ts';
import { registerValidation } from '../../../shared/jobs/start-validation.ts';
import { runValidationJob } from '../../../shared/jobs/validation-job.ts';
import type { SchemaEntry } from '../../../shared/postgres/pg-dump/schema-dump.ts';
import { runLoginName } from '../../../shared/postgres/run-login/run-login.ts';
import { createBackupCatalog } from '../../../shared/state/backups.ts';
import { newJobId } from '../../../shared/state/ids.ts';
import { createJobStore } from '../../../shared/state/jobs.ts';
import type { StateTable } from '../../../shared/state/table.ts';
import { createStateTable } from '../../state/support.ts';
import { createEverything } from '../../support/everything/create-everything.ts';
import {
  anyServer,
  createScratchDatabase,
  dropDatabase,
  forEachServer,
  type ScratchDatabase,
  type TestServer,
  targetFor,
  withClient,
} from '../../support/servers.ts';
import { backUpAndRecord } from '../retention/support-catalog.ts';
import { DATABASE_ID, useBackupHarness } from '../support/harness.ts';

const harness = useBackupHarness();
const settings = {
  retention_days: 1,
  compression_level: 1,
  connections: 2,
  chunk_bytes: 1_048_576,
  lanes: 1,
  connection_share: 0.5,
};
const { signal } = new AbortController();

async function names(server: TestServer, sql: string): Promise<string[]> {
  return withClient(server, 'postgres', async (client) => {
    const { rows } = await client.query<{ name: string }>(sql);
    return rows.map(({ name }) => name);
  });
}

/** A server may still be creating a database of a restore whose session another test file has ended, so those are not looked at. */
const drillDatabases = (server: TestServer) =>
  names(server, "SELECT datname AS name FROM pg_database WHERE datname LIKE 'dbms\\_drill\\_%' ORDER BY 1");
const runLogins = (server: TestServer) =>
  names(server, "SELECT rolname AS name FROM pg_roles WHERE rolname LIKE 'dbms\\_run\\_%' ORDER BY 1");
/** Whatever a job has created, by the end of its name. */
const databasesOf = async (server: TestServer, jobId: string) => {
  const all = await names(server, 'SELECT datname AS name FROM pg_database ORDER BY 1');
  return all.filter((name) => name.endsWith(jobId.slice('job-'.length).toLowerCase()));
};
const rolesOf = (server: TestServer) => names(server, 'SELECT rolname AS name FROM pg_roles ORDER BY 1');

const dependenciesOn = (server: TestServer, more: Partial<DrillDependencies> = {}): DrillDependencies => ({
  target: targetFor(server, 'postgres', { applicationName: 'dbms drill test' }),
  store: harness.store,
  settings,
  report: async () => undefined,
  signal,
  hasEnded: async () => false,
  ...more,
});

const drill = (
  server: TestServer,
  { id }: Pick<Manifest, 'id'>,
  jobId = newJobId(),
  more: Partial<DrillDependencies> = {},
) => runDrill({ jobId, backupId: id, database: DATABASE_ID }, dependenciesOn(server, more));

forEachServer((server) => {
  test('a drill of a database with one of everything passes, and leaves neither a database nor a role', async () => {
    const source = await createEverything(server, { bigRowBytes: 100_000 });
    // Only a superuser makes access methods; see the drill that is not complete below.
    await withClient(server, source.name, (client) => client.query('DROP TABLE code.in_own_heap'));
    const manifest = await harness.backUp(source.target());
    const before = [await drillDatabases(server), await rolesOf(server)];
    const phases = new Set<string>();
    const report = async ({ phase }: { phase: string }) => void phases.add(phase);
    const jobId = newJobId();
    const { warnings, tables, rows } = await drill(server, manifest, jobId, { report });
    const leftOut = 'Left out of the drill, as its login has no rights beyond its database: ';
    expect({ warnings, tables, rows }).toEqual({
      warnings: [expect.stringMatching(new RegExp(`^${leftOut}FUNCTION code.own_handler\\(\\), .*OPERATOR CLASS`))],
      tables: manifest.totals.tables,
      rows: manifest.totals.rows,
    });
    expect(phases).toContain('counting');
    expect([await drillDatabases(server), await rolesOf(server)]).toEqual(before);
    expect(await databasesOf(server, jobId)).toEqual([]);
    await source.drop();
  });
});

describe('on one server', () => {
  const server = anyServer();
  let source: ScratchDatabase;
  let table: StateTable;
  let close: () => void;
  beforeAll(async () => {
    source = await createScratchDatabase(server);
    await withClient(server, source.name, (client) =>
      client.query(`
        CREATE FUNCTION slow(int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS $$
         BEGIN
           IF current_database() LIKE 'dbms\\_drill\\_%' AND $1 = 1 THEN PERFORM pg_sleep(0.5); END IF;
           RETURN $1;
         END $$;
        CREATE TABLE parent (id int PRIMARY KEY, text text);
        INSERT INTO parent SELECT i, repeat(md5(i::text), 30) FROM generate_series(1, 9000) i;
        CREATE INDEX slowly_built ON parent (slow(id));
        CREATE TABLE child (id int REFERENCES parent)`),
    );
    const state = await createStateTable(harness.services);
    table = state.table;
    close = () => state.client.destroy();
  });
  afterAll(async () => {
    close?.();
    await source?.drop();
  });

  /** The job of a validation, as its function runs it. */
  async function validate(backupId: string, level: 'integrity' | 'restore') {
    const jobs = createJobStore(table);
    const configuration = { drills: { server: 'tested' } };
    const { event, job } = await registerValidation(table, configuration, { backupId, level, requestedBy: 'alice' });
    const run = <Result>(_name: string, work: () => Promise<Result>) => work();
    const steps = { step: run, audited: run, wait: async () => undefined };
    const { status } = await runValidationJob(event, steps, {
      register: async ({ job_id = '', backup_id = '' }) => ({ jobId: job_id, backupId: backup_id }),
      start: (jobId) => jobs.start(jobId),
      report: async () => undefined,
      checkIntegrity: (validation, from, report) =>
        checkIntegrity(validation, from, { store: harness.store, report, signal, timeIsOver: signal }),
      drill: async (validation) => (await runDrill(validation, dependenciesOn(server))).warnings,
      discard: (jobId) => discardDrill(targetFor(server, 'postgres'), jobId),
      end: (end) => endValidation(table, end),
      cancelled: async (jobId) => void (await cancelJob(table, jobId)),
    });
    return { status, job: await jobs.get(job.id), backup: await createBackupCatalog(table).get(backupId) };
  }

  test('a drill proves a backup until damage is found; that of a damaged one fails, and drops its database', async () => {
    const manifest = await backUpAndRecord(harness, table, source);
    const { id } = manifest;
    const proven = await validate(id, 'restore');
    expect(proven.status).toBe('succeeded');
    const passed = { level: 'restore', outcome: 'passed', error: null, job_id: proven.job.id };
    expect(proven.backup).toMatchObject({ last_validation: passed, last_drill: passed });
    expect(proven.backup.proven_at).toBe(proven.backup.last_drill?.ended_at);
    expect(proven.job).toMatchObject({ kind: 'validation', status: 'succeeded', validation: { level: 'restore' } });
    expect(await createBackupCatalog(table).restoresOf(id)).toEqual([]);

    const key = (await harness.keys(manifest)).find((each) => each.includes('/data/')) ?? '';
    const bytes = await harness.read(key);
    const put = (Body: Buffer) =>
      harness.store.s3.send(new PutObjectCommand({ Bucket: harness.store.bucket, Key: key, Body }));
    await put(bytes.subarray(0, bytes.length - 100));
    const path = key.slice(key.indexOf('data/'));
    const read = await validate(id, 'integrity');
    const error = { code: 'backup_damaged', message: expect.stringContaining(path) };
    expect(read.job).toMatchObject({
      status: 'failed',
      error,
      validation: { objects: manifest.totals.objects, damaged_objects: 1, damaged: [{ path, code: 'object_damaged' }] },
    });
    expect(read.backup).toMatchObject({
      status: 'damaged',
      damage: { found_by: 'integrity', ...error },
      last_validation: { level: 'integrity', outcome: 'failed', error },
      last_drill: passed,
      proven_at: null,
    });

    const failed = await validate(id, 'restore');
    expect(failed.job).toMatchObject({ status: 'failed', error: { code: 'object_damaged' } });
    expect(failed.backup).toMatchObject({ last_drill: { outcome: 'failed', job_id: failed.job.id }, proven_at: null });
    expect(await drillDatabases(server)).toEqual([]);
    expect(await createBackupCatalog(table).restoresOf(id)).toEqual([]);

    await put(bytes);
    const again = await validate(id, 'restore');
    expect(again.backup).toMatchObject({
      status: 'available',
      damage: null,
      proven_at: again.backup.last_drill?.ended_at,
    });
  });

  test('a drill of definitions alone passes', async () => {
    const manifest = await harness.backUp(source.target(), { request: { backupType: 'schema' } });
    expect(await drill(server, manifest)).toMatchObject({ warnings: [], rows: 0 });
    expect(await drillDatabases(server)).toEqual([]);
  });

  test('a drill without a table that only a superuser makes proves nothing of its rows, and says so', async () => {
    const own = await createScratchDatabase(server);
    await withClient(server, own.name, (client) =>
      client.query(`
        CREATE ACCESS METHOD own_heap TYPE TABLE HANDLER heap_tableam_handler;
        CREATE TABLE in_own_heap USING own_heap AS SELECT 1 AS n;
        CREATE TABLE plain AS SELECT 1 AS n`),
    );
    const { id } = await backUpAndRecord(harness, table, own);
    await own.drop();
    const { status, job, backup } = await validate(id, 'restore');
    expect(status).toBe('failed');
    expect(job.error).toMatchObject({
      code: 'drill_incomplete',
      message: expect.stringMatching(/rows of 1 table were not tried.*: public.in_own_heap. .*ACCESS METHOD own_heap/),
    });
    expect(backup).toMatchObject({ last_drill: { outcome: 'inconclusive' }, proven_at: null });
    expect(await drillDatabases(server)).toEqual([]);
  });

  test('what a killed drill left is dropped by the next one, and by the next attempt of its own job', async () => {
    const manifest = await harness.backUp(source.target());
    const [killed, again, running] = [newJobId(), newJobId(), newJobId()];
    for (const jobId of [killed, again]) await killDrill(manifest, jobId);
    const left = [killed, again].map(drillDatabase);
    expect(await drillDatabases(server)).toEqual(left.sort());
    expect(await runLogins(server)).toEqual([killed, again].map(runLoginName).sort());
    // Of a run whose job is unknown here, and whose time is over.
    const forgotten = runLoginName(newJobId());
    await withClient(server, 'postgres', (client) =>
      client.query(`CREATE ROLE ${forgotten} LOGIN VALID UNTIL '2026-01-01'`),
    );
    // Of a drill that is at work, or of another system.
    await withClient(server, 'postgres', (client) => client.query(`CREATE DATABASE ${drillDatabase(running)}`));
    await drill(server, manifest, newJobId(), { hasEnded: async (id) => id === killed });
    expect(await drillDatabases(server)).toEqual([again, running].map(drillDatabase).sort());
    expect(await runLogins(server)).toEqual([runLoginName(again)]);
    await drill(server, manifest, again);
    expect(await drillDatabases(server)).toEqual([drillDatabase(running)]);
    expect(await runLogins(server)).toEqual([]);
    await dropDatabase(server, drillDatabase(running));
  });

  /** Kills the process of a drill while it fills its database. */
  async function killDrill({ id }: Manifest, jobId: string): Promise<void> {
    const { credentials, ...target } = targetFor(server, 'postgres');
    const told = {
      drill: { jobId, backupId: id, database: DATABASE_ID },
      target,
      credentials: await credentials(),
      bucket: harness.store.bucket,
      keyArn: harness.store.keyArn,
      settings,
    };
    const script = fileURLToPath(new URL('../support/run-drill.ts', import.meta.url));
    const env = { ...process.env, ...harness.services.environment() };
    const child = spawn(process.execPath, [script, JSON.stringify(told)], { env, stdio: 'ignore' });
    const ended = once(child, 'exit');
    const loaded = () =>
      withClient(server, drillDatabase(jobId), async (client) => {
        const { rows } = await client.query(`SELECT FROM ${RECORD_SCHEMA}.done WHERE item LIKE 'chunk %'`);
        return rows.length;
      }).catch(() => 0);
    await expect.poll(loaded, { timeout: 120_000, interval: 5 }).toBeGreaterThan(0);
    child.kill('SIGKILL');
    await ended;
  }

  test('a drill goes without subscriptions and without policies of roles that the server lacks, and says so; without an index it fails', async () => {
    const odd = await createScratchDatabase(server);
    const role = `role_of_${odd.name}`;
    await withClient(server, odd.name, (client) =>
      client.query(`
        CREATE ROLE ${role};
        CREATE TABLE guarded (id int);
        GRANT SELECT ON guarded TO ${role};
        CREATE POLICY theirs ON guarded TO ${role};
        COMMENT ON POLICY theirs ON guarded IS 'a remark on it';
        CREATE POLICY everyones ON guarded`),
    );
    const manifest = await harness.backUp(odd.target());
    const location = backupLocation(DATABASE_ID, manifest.id);
    const text = await readWhole(harness.store, location, manifest.schema.path, { compressed: true, signal });
    const schema = JSON.parse(text.toString('utf8'));
    // As pg_dump writes one; without leaving it out, the database could not be dropped.
    const sql = "CREATE SUBSCRIPTION news CONNECTION 'host=nowhere.example' PUBLICATION p WITH (connect = false);";
    schema.entries.push({
      ...{ dump_id: 1_000_000, class_id: 6100, oid: 1, depends_on: [], section: 'post-data', type: 'SUBSCRIPTION' },
      ...{ schema: null, name: 'news', owner: null, sql },
    });
    const put = (path: string, content: unknown, compressionLevel: number | null) =>
      writeWhole(harness.store, location, path, Buffer.from(JSON.stringify(content)), { compressionLevel, signal });
    const store = async () => put(MANIFEST, { ...manifest, schema: await put(manifest.schema.path, schema, 1) }, null);
    await store();
    await odd.drop();
    await withClient(server, 'postgres', (client) => client.query(`DROP ROLE ${role}`));
    const before = [await drillDatabases(server), await rolesOf(server)];
    const { warnings } = await drill(server, manifest);
    expect(warnings).toEqual(['Left out of the drill: SUBSCRIPTION news, POLICY public.guarded theirs']);
    expect([await drillDatabases(server), await rolesOf(server)]).toEqual(before);

    schema.entries.push({
      ...{ dump_id: 1_000_001, class_id: 1259, oid: 2, depends_on: [], section: 'post-data', type: 'INDEX' },
      ...{ schema: 'public', name: 'never_built', owner: null, sql: 'SELECT;' },
    });
    await store();
    const failing = drill(server, manifest);
    await expect(failing).rejects.toMatchObject({
      code: 'structure_differs',
      message: expect.stringContaining('INDEX public.never_built is missing'),
    });
    expect(await drillDatabases(server)).toEqual(before[0]);
  });

  test('indexes and constraints that are missing or not valid are named', async () => {
    const built = await createScratchDatabase(server);
    await withClient(server, built.name, async (client) => {
      await client.query(`
        CREATE TABLE twice AS SELECT 1 AS n FROM generate_series(1, 2);
        ALTER TABLE twice ADD CONSTRAINT meant CHECK (n > 1) NOT VALID, ADD CONSTRAINT forgotten CHECK (n > 2) NOT VALID`);
      await client.query('CREATE UNIQUE INDEX CONCURRENTLY never_unique ON twice (n)').catch(() => undefined);
    });
    const entry = (type: string, name: string, sql = ''): SchemaEntry => ({
      ...{ dump_id: 1, class_id: 0, oid: 0, depends_on: [], section: 'post-data', owner: null },
      ...{ type, schema: 'public', name, sql },
    });
    const entries = [
      entry(
        'CHECK CONSTRAINT',
        'twice meant',
        'ALTER TABLE public.twice ADD CONSTRAINT meant CHECK ((n > 1)) NOT VALID;',
      ),
      entry(
        'CHECK CONSTRAINT',
        'twice forgotten',
        'ALTER TABLE public.twice ADD CONSTRAINT forgotten CHECK ((n > 2));',
      ),
      entry('INDEX', 'never_unique'),
      entry('INDEX', 'not_there'),
      entry('FK CONSTRAINT', 'twice not_there_either'),
    ];
    const verified = verifyBuilt(built.target(), built.name, { preamble: '', entries });
    await expect(verified).rejects.toMatchObject({ code: 'structure_differs' });
    const { message } = (await verified.catch((error: unknown) => error)) as Error;
    const named = message.split(': ')[1]?.split(', ').sort();
    expect(named).toEqual([
      'FK CONSTRAINT public.twice not_there_either is missing',
      'INDEX public.not_there is missing',
      'public.never_unique is not valid',
      'public.twice forgotten is not valid',
    ]);
    await built.drop();
  });
});
