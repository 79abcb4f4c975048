import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Manifest } from '../../shared/backup/manifest.ts';
import { checkRestore } from '../../shared/backup/restore/check-restore.ts';
import { runDrill } from '../../shared/backup/validate/drill.ts';
import { checkSetup, listCoverageGaps } from '../../shared/changes/setup/check-setup.ts';
import { readFacts } from '../../shared/doctor/read-facts.ts';
import { connectionStats, listSessions } from '../../shared/health/connections/sessions.ts';
import { noDetails, readDetails } from '../../shared/health/sample/read-details.ts';
import { takeReading } from '../../shared/health/sample/take-reading.ts';
import { findPersonal } from '../../shared/masking/find/find-personal.ts';
import { planMasking } from '../../shared/masking/plan/plan-masking.ts';
import { platformOf } from '../../shared/platforms/platforms.ts';
import type { ConnectionTarget } from '../../shared/postgres/connect.ts';
import { withConnection } from '../../shared/postgres/with-connection.ts';
import { readLogins } from '../../shared/security/access/logins.ts';
import { readSqlSection, sqlSectionNames } from '../../shared/security/compliance/readings/sql-sections.ts';
import { newJobId } from '../../shared/state/ids.ts';
import { DATABASE_ID, useBackupHarness } from '../backup/support/harness.ts';
import { KEY, parseMask } from '../masking/support/mask-value.ts';
import {
  createScratchDatabase,
  forEachServer,
  type ScratchDatabase,
  targetFor,
  withClient,
} from '../support/servers.ts';
import { hostileSettings, hostileSql } from './hostile-database.sql.ts';
import { closeTripwire, openTripwire, ranAs, type Trip, tripsDuring } from './tripwire.ts';

const harness = useBackupHarness();
const script = (name: string): string =>
  readFileSync(join(import.meta.dirname, `../../docs/logins/${name}.sql`), 'utf8');
const LOGIN = 'dbms';
const OWNER = 'mallory';
const PASSWORD = 'of the login';
const { signal } = new AbortController();
const limits = { storageBytes: 1e12, everyMs: 0, budgetMs: 60_000 };

/** A database whose owner is against us, and the login that docs/logins tells to create. */
forEachServer((server) => {
  let hostile: ScratchDatabase;
  let manifest: Manifest;
  const run = (sql: string, database = 'postgres') => withClient(server, database, (client) => client.query(sql));
  const target = (name = hostile.name): ConnectionTarget =>
    targetFor(server, name, { credentials: async () => ({ user: LOGIN, password: PASSWORD }) });
  const asOwner = (name = hostile.name): ConnectionTarget =>
    targetFor(server, name, { credentials: async () => ({ user: OWNER, password: PASSWORD }) });

  beforeAll(async () => {
    hostile = await createScratchDatabase(server);
    await run(`CREATE ROLE ${OWNER} LOGIN PASSWORD '${PASSWORD}'; ALTER DATABASE ${hostile.name} OWNER TO ${OWNER}`);
    await withConnection(asOwner(), { kind: 'restoring' }, (client) => client.query(hostileSql(server.version)));
    for (const name of ['self-managed', ...(server.version < 14 ? ['read-13'] : [])])
      await run(script(name), hostile.name);
    await run(script('drills'));
    await run(`ALTER ROLE ${LOGIN} PASSWORD '${PASSWORD}'`);
    await withConnection(asOwner('postgres'), {}, async (client) => {
      for (const setting of hostileSettings(hostile.name, OWNER)) await client.query(setting);
    });
    // Somebody who administers the login is as careless.
    await run(`ALTER ROLE ${LOGIN} SET search_path = evil, pg_catalog`);
    await openTripwire(server);
  });
  afterAll(async () => {
    await closeTripwire(server);
    await hostile?.drop();
    await run(`DROP SCHEMA IF EXISTS dbms_run CASCADE; DROP OWNED BY ${LOGIN}; DROP ROLE ${LOGIN}; DROP ROLE ${OWNER}`);
  });

  const ofOurs = (trips: readonly Trip[]) => trips.filter((trip) => ranAs(LOGIN, trip));
  const nothingRuns = async (work: () => Promise<unknown>) =>
    expect(ofOurs(await tripsDuring(server, work))).toEqual([]);
  const inSnapshot = <Result>(work: (client: Parameters<typeof takeReading>[0]) => Promise<Result>) =>
    withConnection(target(), { kind: 'exporting' }, async (client) => {
      await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY');
      return work(client);
    });

  test('the tripwire tells who runs what, also in a READ ONLY transaction that is rolled back', async () => {
    const trips = await tripsDuring(server, () =>
      inSnapshot(async (client) => {
        await client.query('SELECT count(*) FROM evil.seen');
        await client.query("SELECT evil.same('index expression', 'x')");
        await client.query('ROLLBACK');
      }),
    );
    expect(new Set(ofOurs(trips).map(({ kind }) => kind))).toEqual(new Set(['view', 'index expression']));
    expect(trips[0]).toMatchObject({ session: LOGIN, current: LOGIN, database: hostile.name });
  });

  test('monitoring, sessions and access run nothing of it', () =>
    nothingRuns(() =>
      withConnection(target(), { kind: 'monitoring' }, async (client) => {
        const reading = await takeReading(client, { slowQuerySeconds: 1, poolLimit: 30 });
        expect(reading.failures).toEqual([]);
        await readDetails(client, noDetails, limits);
        await listSessions(client, { limit: 10 });
        await connectionStats(client);
        await readLogins(client);
      }),
    ));

  test('compliance runs nothing of it', () =>
    nothingRuns(async () => {
      for (const kind of ['catalog', 'inspecting'] as const) {
        await withConnection(target(), { kind }, async (client) => {
          for (const name of sqlSectionNames) await readSqlSection(client, name).catch(() => undefined);
        });
      }
    }));

  test('the doctor runs nothing of it', () =>
    nothingRuns(() => readFacts(target(), platformOf({ kind: 'self-managed' }).privileges, signal)));

  test('recovery runs nothing of it when it looks at the database', () =>
    nothingRuns(() =>
      withConnection(target(), { kind: 'administering' }, async (client) => {
        await checkSetup(client);
        await listCoverageGaps(client);
      }),
    ));

  test('masking runs nothing of it, and names what it has not tried', async () => {
    const rules = [
      { schema: 'evil', table: 'people', column: 'email', mask: parseMask({ rule: 'email' }) },
      { schema: 'evil', table: 'people', column: 'note', mask: parseMask({ rule: 'fixed', value: 'x' }) },
      { schema: 'evil', table: 'people', column: 'mood', mask: parseMask({ rule: 'fixed', value: 'bad' }) },
      { schema: 'evil', table: 'people', column: 'pair', mask: parseMask({ rule: 'null' }) },
      { schema: 'evil', table: 'people', column: 'emails', mask: parseMask({ rule: 'email' }) },
    ];
    const masking = { version: 1, rules, maskingKey: KEY };
    await nothingRuns(async () => {
      await inSnapshot((client) => findPersonal(client, signal));
      const { planned } = await inSnapshot((client) => planMasking(client, masking, signal));
      expect(planned.warnings.join()).toContain('constraint people_note_check');
      const backup = harness.backUp(target(), { request: { masking, leavesOut: true } });
      await backup.catch((error: unknown) => expect(error).toMatchObject({ code: 'masking_refused' }));
    });
  });

  test('backups, also of samples, run nothing of it', async () => {
    await nothingRuns(async () => {
      manifest = await harness.backUp(target());
      expect(manifest.missing).toBeUndefined();
      expect(manifest.tables.map(({ name, rows }) => [name, rows])).toContainEqual(['guarded', 1]);
      const sample = { percent: 50, tables: ['evil.people'] };
      await harness.backUp(target(), { request: { sample } });
    });
  });

  test('a drill runs it as a login that has no rights', async () => {
    const settings = {
      ...{ retention_days: 1, compression_level: 1, connections: 2 },
      ...{ chunk_bytes: 1_048_576, lanes: 1, connection_share: 0.5 },
    };
    const drilled = { jobId: newJobId(), backupId: manifest.id, database: DATABASE_ID };
    const trips = await tripsDuring(server, async () => {
      await runDrill(drilled, {
        target: target('postgres'),
        store: harness.store,
        settings,
        report: async () => undefined,
        signal,
        hasEnded: async () => false,
      });
    });
    const kinds = new Set(trips.map(({ kind }) => kind));
    for (const kind of ['check', 'domain', 'generated column', 'index expression', 'partition key'])
      expect(kinds).toContain(kind);
    expect(ofOurs(trips)).toEqual([]);
    expect(new Set(trips.map(({ session }) => session))).toEqual(
      new Set([`dbms_run_${drilled.jobId.slice('job-'.length).toLowerCase()}`]),
    );
    const { rows } = await run("SELECT rolname FROM pg_roles WHERE rolname LIKE 'dbms\\_run\\_%'");
    expect(rows).toEqual([]);
  });

  describe('a restore that an administrator asks for, the one place where it runs with our rights', () => {
    test('the check of it runs nothing, and names the functions that will', async () => {
      await nothingRuns(async () => {
        const check = await checkRestore(
          {
            database: DATABASE_ID,
            backupId: manifest.id,
            options: {},
            planned: { mode: 'new', targetDatabase: 'hostile_copy', missingRoles: 'create', connections: 2 },
          },
          { target: target('postgres'), store: harness.store, signal },
        );
        const functions = check.functions ?? [];
        expect(functions.find(({ name }) => name === 'evil.passes(text, text)')).toMatchObject({
          owner: OWNER,
          used_by: expect.arrayContaining(['DOMAIN evil.mail', 'TABLE evil.people']),
        });
        expect(functions.find(({ name }) => name === 'evil.same(text, text)')?.used_by).toContain(
          'INDEX evil.on_expression',
        );
        expect(functions.map(({ name }) => name)).not.toContain('evil.on_row()');
      });
    });

    test('what runs is what the check names, and neither triggers nor rules nor policies', async () => {
      const trips = await tripsDuring(server, async () => {
        const restored = await harness.restore(manifest, server, { target: target('postgres') });
        await restored.drop();
      });
      const ran = new Set(ofOurs(trips).map(({ kind }) => kind));
      expect(ran).toContain('check');
      const named = ['check', 'domain', 'generated column', 'index expression', 'index condition', 'partition key'];
      expect([...ran].filter((kind) => ![...named, 'range', 'statistics', 'materialized view'].includes(kind))).toEqual(
        [],
      );
    });
  });
});
