import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Manifest } from '../../../shared/backup/manifest.ts';
import { checkRestore } from '../../../shared/backup/restore/check-restore.ts';
import type { RestoreRequest } from '../../../shared/backup/restore/run-restore.ts';
import { runDrill } from '../../../shared/backup/validate/drill.ts';
import { captureDatabase } from '../../../shared/recovery/capture-database.ts';
import { turnRecoveryOff, turnRecoveryOn } from '../../../shared/recovery/change-recovery.ts';
import { planOnBase } from '../../../shared/recovery/plan-on-base.ts';
import { replayOf } from '../../../shared/recovery/replay.ts';
import { newJobId } from '../../../shared/state/ids.ts';
import { createStateTable } from '../../state/support.ts';
import {
  anyServer,
  createScratchDatabase,
  type ScratchDatabase,
  targetFor,
  withClient,
} from '../../support/servers.ts';
import { parseStatements } from '../../support/sql-parser.ts';
import { addStandIns, STAND_INS_SINCE, type StandIns } from '../../support/stand-in-extensions.ts';
import { DATABASE_ID, useBackupHarness } from '../support/harness.ts';

const server = anyServer();
const signal = new AbortController().signal;
const PASSWORD = 'of the login';
const script = (name: string) => readFileSync(join(import.meta.dirname, `../../../docs/logins/${name}.sql`), 'utf8');

/** A database that pg_cron lives in, with two jobs, and tables that use the type of another extension. */
describe.skipIf(server.version < STAND_INS_SINCE)('extensions that the target would not create', () => {
  const harness = useBackupHarness();
  let standIns: StandIns;
  let source: ScratchDatabase;
  let manifest: Manifest;
  const run = async (sql: string, database = source.name) => {
    const result = await withClient(server, database, (client) => client.query(sql));
    return result.rows;
  };
  const asLogin = (database = 'postgres') =>
    targetFor(server, database, { credentials: async () => ({ user: 'dbms', password: PASSWORD }) });

  beforeAll(async () => {
    source = await createScratchDatabase(server);
    standIns = await addStandIns(server, { cronDatabase: source.name });
    await run(`
      CREATE EXTENSION pg_cron; CREATE EXTENSION spots;
      CREATE ROLE scheduler; GRANT USAGE ON SCHEMA cron TO scheduler;
      INSERT INTO cron.job (schedule, command) VALUES ('@daily', 'VACUUM'), ('@hourly', 'ANALYZE');
      INSERT INTO cron.job_run_details (jobid, status) VALUES (1, 'succeeded');
      CREATE TABLE things AS SELECT generate_series(1, 20) AS n;
      ALTER TABLE things ADD PRIMARY KEY (n);
      CREATE TABLE places (id int PRIMARY KEY, at spot);
      INSERT INTO places VALUES (1, '(1,2)');
      CREATE VIEW seen AS SELECT id, far(at) FROM places;
      CREATE INDEX by_name ON things ((n + 1));
      CREATE TABLE visits (place int REFERENCES places);
      INSERT INTO visits VALUES (1)`);
    await run(script('self-managed'));
    await run(script('drills'), 'postgres');
    await run(`ALTER ROLE dbms PASSWORD '${PASSWORD}'`);
    manifest = await harness.backUp(source.target());
  });
  afterAll(async () => {
    await run('DROP SCHEMA dbms_run CASCADE', 'postgres');
    await run('DROP OWNED BY scheduler, dbms; DROP ROLE scheduler, dbms').catch(() => undefined);
    await source?.drop();
    await standIns?.remove();
  });

  const check = (planned: object = {}, options: object = {}, target = targetFor(server, 'postgres')) =>
    checkRestore(
      {
        database: DATABASE_ID,
        backupId: manifest.id,
        options,
        planned: { mode: 'new', targetDatabase: 'not there yet', missingRoles: 'create', connections: 2, ...planned },
      },
      { target, store: harness.store, signal },
    );
  const restore = (request: Partial<RestoreRequest>, target = targetFor(server, 'postgres')) =>
    harness.restore(manifest, server, { request, target });
  const tablesOf = async (database: string) => {
    const sql = `SELECT schemaname || '.' || tablename AS name FROM pg_tables
                  WHERE schemaname NOT IN ('pg_catalog', 'information_schema') ORDER BY 1`;
    return (await run(sql, database)).map(({ name }) => name);
  };

  test('a backup holds the jobs of pg_cron, and knows whose tables they are in', () => {
    const rows = Object.fromEntries(
      manifest.tables.map(({ schema, name, rows: count }) => [`${schema}.${name}`, count]),
    );
    expect(rows).toMatchObject({ 'cron.job': 2, 'cron.job_run_details': 1, 'public.things': 20 });
    const cron = manifest.extensions?.find(({ name }) => name === 'pg_cron');
    expect(cron?.relations.map(({ name }) => name)).toEqual(['job', 'job_run_details', 'jobid_seq', 'runid_seq']);
    expect(manifest.warnings).toEqual([]);
  });

  const drill = (target: ReturnType<typeof asLogin>) =>
    runDrill(
      { jobId: newJobId(), backupId: manifest.id, database: DATABASE_ID },
      {
        target,
        store: harness.store,
        settings: {
          retention_days: 1,
          compression_level: 1,
          connections: 2,
          chunk_bytes: 1_048_576,
          lanes: 1,
          connection_share: 0.5,
        },
        report: async () => undefined,
        signal,
        hasEnded: async () => false,
      },
    );

  test('a drill goes without an extension whose own tables alone are lost, says so, and passes', async () => {
    const { warnings, rows } = await drill(targetFor(server, 'postgres'));
    expect(warnings).toEqual([
      'Extension pg_cron is left out, and with it the rows of cron.job (2 rows), cron.job_run_details (1 row)',
    ]);
    expect(rows).toBe(22);
  });

  test('a drill without an extension that a table needs proves nothing of its rows, and names both', async () => {
    await expect(drill(asLogin())).rejects.toMatchObject({
      code: 'drill_incomplete',
      message: expect.stringMatching(
        /the rows of 1 table were not tried.*: public\.places\. .*Extension spots is left out, and with it TABLE public\.places/,
      ),
    });
  });

  test('the check names what the server would not create and what goes with it, before anything is created', async () => {
    const { problems, restores } = await check();
    expect(problems).toEqual([
      {
        code: 'extension_refused',
        message: expect.stringMatching(
          /pg_cron can be created in the database ".+" \(cron\.database_name\) alone, .+; with it go the rows of cron\.job \(2 rows\), cron\.job_run_details \(1 row\)$/,
        ),
        nextStep: expect.stringContaining('"leave_out": {"extensions": ["pg_cron"]}'),
      },
    ]);
    expect(restores?.rows).toBe(25);
    await expect(restore({})).rejects.toMatchObject({ code: 'extension_refused' });
  });

  test('a restore without pg_cron has all the rest', async () => {
    const options = { leaveOut: { extensions: ['pg_cron'] } };
    const { problems, restores } = await check({}, options);
    expect({ problems, rows: restores?.rows }).toEqual({ problems: [], rows: 22 });
    const restored = await restore(options);
    expect(restored.summary.warnings).toEqual([
      'Extension pg_cron is left out, and with it the rows of cron.job (2 rows), cron.job_run_details (1 row)',
    ]);
    expect(await tablesOf(restored.name)).toEqual([
      ...['public.places', 'public.spot_kinds', 'public.things', 'public.visits'],
    ]);
    await restored.drop();
  });

  test('a login that may not create an extension is told what depends on it, and can leave it out', async () => {
    const { problems } = await check({}, { leaveOut: { extensions: ['pg_cron'] } }, asLogin());
    expect(problems).toMatchObject([
      { code: 'extension_refused', message: expect.stringContaining('TABLE public.places, VIEW public.seen') },
    ]);
    const options = { leaveOut: { extensions: ['pg_cron', 'spots'] }, withoutOwners: true };
    const restored = await restore(options, asLogin());
    expect(await tablesOf(restored.name)).toEqual(['public.things', 'public.visits']);
    await restored.drop();
  });

  test('a login that may not create an extension restores into a copy of a database that has it', async () => {
    const options = {
      leaveOut: { extensions: ['pg_cron'] },
      expect: { extensions: ['spots'], template: 'prepared' },
      withoutOwners: true,
    };
    const problemsOf = async () => (await check({}, options, asLogin())).problems.map(({ message }) => message);
    expect(await problemsOf()).toEqual(['There is no database named "prepared" to copy from']);
    await run('CREATE DATABASE prepared TEMPLATE template0', 'postgres');
    expect(await problemsOf()).toEqual([
      'The login may not copy the database "prepared", as it does not own it',
      'The database "prepared" does not have the extensions spots',
    ]);
    await run('CREATE EXTENSION spots', 'prepared');
    await run('ALTER DATABASE prepared IS_TEMPLATE true', 'postgres');
    expect(await problemsOf()).toEqual([]);
    const restored = await restore(options, asLogin());
    expect(await run('SELECT far FROM seen', restored.name)).toEqual([{ far: 3 }]);
    // The login may not write into the extension's table, and had nothing to write.
    expect(await run('SELECT name FROM spot_kinds', restored.name)).toEqual([{ name: 'plain' }]);
    await restored.drop();

    await run("INSERT INTO spot_kinds VALUES ('own')");
    const withOwn = await harness.backUp(source.target());
    const restoreOwn = () => harness.restore(withOwn, server, { request: options, target: asLogin() });
    await expect(restoreOwn()).rejects.toMatchObject({
      code: 'rows_refused',
      nextStep: expect.stringContaining('right to insert into public.spot_kinds on the target server'),
    });
    await run('GRANT INSERT ON spot_kinds TO dbms', 'prepared');
    const loaded = await restoreOwn();
    expect(await run('SELECT name FROM spot_kinds ORDER BY 1', loaded.name)).toEqual([
      { name: 'own' },
      { name: 'plain' },
    ]);
    await loaded.drop();
    await run("DELETE FROM spot_kinds WHERE name = 'own'");
    await run('ALTER DATABASE prepared IS_TEMPLATE false', 'postgres');
    await run('DROP DATABASE prepared', 'postgres');
  });

  test('a swap of the database that pg_cron lives in is refused', async () => {
    const { problems } = await check(
      { mode: 'swap', targetDatabase: source.name },
      { leaveOut: { extensions: ['pg_cron'] } },
    );
    expect(problems).toMatchObject([{ code: 'cron_database', message: expect.stringContaining('pg_cron lives in') }]);
  });

  test('an extension that the backup does not have cannot be left out', async () => {
    const { problems } = await check({}, { leaveOut: { extensions: ['pg_cron', 'no such one'] } });
    expect(problems).toMatchObject([
      { code: 'selection_unknown', message: 'The backup does not hold: extension no such one' },
    ]);
  });

  test('a backup by a login that sees its own jobs alone goes without them, and says so', async () => {
    await run('ALTER ROLE dbms NOBYPASSRLS');
    const seen = await harness.backUp(asLogin(source.name));
    expect(seen.warnings).toEqual([
      'Rows of cron.job, a table of the extension pg_cron, are not in the backup: row-level security hides some of them from the login',
    ]);
    expect(seen.tables.map(({ name }) => name)).not.toContain('job');
    await run('ALTER ROLE dbms BYPASSRLS');
  });

  test('point-in-time recovery passes over the changes of what is left out', async () => {
    const { table, client } = await createStateTable(harness.services);
    const dependencies = {
      ...{ target: source.target(), store: harness.store, table, configuration: { alert_emails: [] }, signal },
      ...{ limits: { mostRetainedBytes: 10 * 1_073_741_824, warnAt: 0.5 }, compressionLevel: 1, timeMs: 60_000 },
      ...{ waitMs: 60_000, startBase: async () => undefined },
    };
    await turnRecoveryOn(DATABASE_ID, 'alice', dependencies);
    const base = await harness.backUp(source.target());
    await run(`INSERT INTO cron.job_run_details (jobid, status) VALUES (2, 'succeeded');
               UPDATE cron.job SET schedule = '@weekly' WHERE jobid = 2`);
    await run(`INSERT INTO places VALUES (2, '(3,4)')`);
    const [last] = await run('INSERT INTO things VALUES (21) RETURNING pg_current_xact_id()::text AS transaction');
    const point = { transaction: String(last?.transaction) };
    const plan = async (attempts = 30): ReturnType<typeof planOnBase> => {
      await captureDatabase(DATABASE_ID, dependencies);
      const of = { id: base.id, database: DATABASE_ID };
      return planOnBase(of, point, { table, store: harness.store, signal }).catch(async (error: { code?: string }) => {
        if (error.code !== 'target_not_covered' || attempts === 0) throw error;
        // Until what is stored reaches a second beyond the backup.
        await run('INSERT INTO visits SELECT 1; SELECT pg_sleep(0.2)');
        return plan(attempts - 1);
      });
    };
    const planned = await plan();
    const target = targetFor(server, 'postgres');
    const restored = await harness.restore(base, server, {
      request: { leaveOut: { extensions: ['pg_cron', 'spots'] } },
      replay: replayOf(planned, { target, store: harness.store, signal, parse: parseStatements, isPart: false }),
    });
    expect(await run('SELECT count(*)::int AS rows FROM things', restored.name)).toEqual([{ rows: 21 }]);
    await turnRecoveryOff(DATABASE_ID, 'alice', dependencies);
    await restored.drop();
    client.destroy();
  });
});
