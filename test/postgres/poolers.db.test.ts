import pg from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { takeSnapshot } from '../../shared/backup/export/snapshot.ts';
import { openServerSession } from '../../shared/backup/restore/server-session.ts';
import { openRestoreSession } from '../../shared/backup/restore/session.ts';
import { openCaptureSession } from '../../shared/changes/capture/session.ts';
import { readBlocking } from '../../shared/health/connections/blocking-tree.ts';
import { connectionStats, listSessions, terminateSession } from '../../shared/health/connections/sessions.ts';
import { noDetails, readDetails, readSessionGroups } from '../../shared/health/sample/read-details.ts';
import { takeReading } from '../../shared/health/sample/take-reading.ts';
import { platformOf } from '../../shared/platforms/platforms.ts';
import { type ConnectionTarget, connect, poolerOf } from '../../shared/postgres/connect.ts';
import { runWasmPgDump } from '../../shared/postgres/pg-dump/wasm-pg-dump.ts';
import { type SessionKind, sessionSettings } from '../../shared/postgres/session-settings.ts';
import { withConnection } from '../../shared/postgres/with-connection.ts';
import { changeLogin } from '../../shared/security/access/change-login.ts';
import { readLogins } from '../../shared/security/access/logins.ts';
import { readSqlSection, sqlSectionNames } from '../../shared/security/compliance/readings/sql-sections.ts';
import { startWatched } from '../alerts/support/watched.ts';
import { createScratchDatabase, forEachServer, type ScratchDatabase, type TestServer } from '../support/servers.ts';
import { type PgBouncer, pgBouncerOrSkip, startPgBouncer } from './support/pgbouncer.ts';

const program = await pgBouncerOrSkip();
/** The login that the guide tells people to create. */
const LOGIN = 'dbms';
const PASSWORD = 'of the "dbms" login';
const watching = ['inspecting', 'monitoring', 'catalog'] as const satisfies SessionKind[];
const needingServer = ['exporting', 'capturing', 'restoring', 'administering'] as const satisfies SessionKind[];

describe.skipIf(!program)('through PgBouncer', () => {
  forEachServer((server) => {
    let database: ScratchDatabase;
    let admin: pg.Client;
    beforeAll(async () => {
      database = await createScratchDatabase(server);
      admin = await database.connect();
      await createLogin(admin, server);
    });
    afterAll(async () => {
      await admin?.end();
      await database?.drop();
      await withoutLogin(server);
    });

    const start = (mode: 'transaction' | 'session' | 'statement', poolSize = 1) =>
      startPgBouncer(program ?? '', {
        serverPort: server.port,
        mode,
        poolSize,
        users: { [LOGIN]: PASSWORD, [server.user]: server.password },
      });
    const through = ({ host, port }: PgBouncer, changes: Partial<ConnectionTarget> = {}): ConnectionTarget =>
      database.target({ host, port, credentials: async () => ({ user: LOGIN, password: PASSWORD }), ...changes });
    /** Another client of the pooler, such as an application. */
    const application = async ({ host, port }: PgBouncer): Promise<pg.Client> => {
      const client = new pg.Client({ host, port, user: LOGIN, password: PASSWORD, database: database.name });
      await client.connect();
      return client;
    };

    describe.each(['transaction', 'session'] as const)('in %s mode', (mode) => {
      let bouncer: PgBouncer;
      beforeEach(async () => {
        bouncer = await start(mode);
      });
      afterEach(() => bouncer?.stop());
      const target = (changes?: Partial<ConnectionTarget>) => through(bouncer, changes);

      test('recognises the pooler, and says by what', async () => {
        await withConnection(target(), { kind: 'monitoring' }, async (client) => {
          expect(poolerOf(client)).toEqual({
            name: 'a connection pooler such as PgBouncer',
            recognised_by: expect.stringMatching(
              /^the login announced the server process -?\d+, .* by the process \d+$/,
            ),
          });
        });
        const direct = database.target();
        await withConnection(direct, { kind: 'monitoring' }, async (client) => expect(poolerOf(client)).toBeNull());
      });

      test('samples the health of the database', async () => {
        await withConnection(target(), { kind: 'monitoring' }, async (client) => {
          const options = { slowQuerySeconds: 1, poolLimit: 30 };
          const detailed = { storageBytes: null, everyMs: 0, budgetMs: 60_000 };
          // What this login may not read, it may not read without a pooler either.
          const direct = database.target({ credentials: async () => ({ user: LOGIN, password: PASSWORD }) });
          const unread = await withConnection(direct, { kind: 'monitoring' }, async (other) => [
            ...(await takeReading(other, options)).failures,
            ...(await readDetails(other, noDetails, detailed)).failures,
          ]);
          const { values, counters, failures } = await takeReading(client, options);
          expect(values).toMatchObject({ up: 1, probe_ms: expect.any(Number), connections: expect.any(Number) });
          expect(counters?.commits).toEqual(expect.any(Number));
          const details = await readDetails(client, noDetails, detailed);
          expect([...failures, ...details.failures]).toEqual(unread);
          expect(details.values.dead_rows).toEqual(expect.any(Number));
          expect((await readSessionGroups(client)).length).toBeGreaterThan(0);
        });
      });

      test('lists sessions and locks, and ends a session', async () => {
        const other = await database.connect();
        const direct = new pg.Client({ ...login(server), database: database.name, application_name: 'ended' });
        direct.on('error', () => undefined);
        await direct.connect();
        const { rows } = await direct.query('SELECT pg_catalog.pg_backend_pid() AS pid');
        try {
          await withConnection(target({ applicationName: 'dbms look' }), { kind: 'monitoring' }, async (client) => {
            expect((await connectionStats(client)).connections).toBeGreaterThan(1);
            const { items } = await listSessions(client, { application: 'ended', limit: 10 });
            expect(items).toMatchObject([{ pid: rows[0].pid, user: LOGIN }]);
            await readBlocking(client);
            expect(await terminateSession(client, rows[0].pid)).toMatchObject({ closed: [{ pid: rows[0].pid }] });
            await expect(terminateSession(client, 1)).rejects.toMatchObject({ code: 'unknown_session' });
          });
        } finally {
          await direct.end().catch(() => undefined);
          await other.end();
        }
      });

      test('reads logins and what compliance looks at', async () => {
        await withConnection(target(), { kind: 'monitoring' }, async (client) => {
          const logins = await readLogins(client);
          expect(logins.find(({ name }) => name === LOGIN)).toMatchObject({ is_own: true });
          // A transaction of several statements, which is rolled back as the login may not change others.
          await expect(
            changeLogin(client, server.user, { connection_limit: 5, privileged: true }, platformOf({ kind: 'rds' })),
          ).rejects.toMatchObject({ code: 'login_not_changeable' });
          expect(await readLogins(client, LOGIN)).toHaveLength(1);
        });
        await withConnection(target(), { kind: 'catalog' }, async (client) => {
          for (const name of sqlSectionNames.filter((each) => !['hba', 'passwords'].includes(each))) {
            expect(await readSqlSection(client, name), name).toBeDefined();
          }
          // The file of rules and the hashes of passwords are for superusers, however they are asked for.
          await expect(readSqlSection(client, 'hba')).rejects.toMatchObject({ code: '42501' });
          await expect(client.query('CREATE TABLE public.no ()')).rejects.toMatchObject({ code: /25006|42501/ });
        });
      });

      test.each(watching)('leaves none of the settings of a session for %s behind', async (kind) => {
        const before = await application(bouncer);
        const settingsBefore = await settingsOf(before);
        await before.end();
        await withConnection(target({ applicationName: 'dbms sample' }), { kind }, async (client) => {
          await client.query('SELECT 1');
          await client.query('SELECT $1::text', ['x']);
          await expect(client.query('SELECT 1 / 0')).rejects.toMatchObject({ code: '22012' });
          await expect(client.query('SELECT 1 / $1::int', [0])).rejects.toMatchObject({ code: '22012' });
          await client.query('BEGIN');
          await client.query('SELECT 1');
          await client.query('COMMIT');
          if (mode === 'session') return;
          // The one session of the server is lent to somebody else while this one is still open.
          const meanwhile = await application(bouncer);
          expect(await settingsOf(meanwhile)).toEqual(settingsBefore);
          await meanwhile.end();
        });
        const after = await application(bouncer);
        expect(await settingsOf(after)).toEqual(settingsBefore);
        await after.end();
      });

      test('leaves nothing behind when the client is gone in the middle of a transaction', async () => {
        const before = await application(bouncer);
        const { settings } = await settingsOf(before);
        await before.end();
        const client = await connect(target(), { kind: 'monitoring' });
        await client.query('BEGIN');
        (client as unknown as { connection: { stream: { destroy(): void } } }).connection.stream.destroy();
        const after = await application(bouncer);
        expect((await settingsOf(after)).settings).toEqual(settings);
        await after.end();
      });

      test('has its settings in every statement, whatever the login has of its own', async () => {
        await admin.query(`DROP SCHEMA IF EXISTS evil CASCADE; CREATE SCHEMA evil;
          CREATE OR REPLACE FUNCTION evil.wrong(name, text) RETURNS boolean LANGUAGE sql AS 'SELECT true';
          CREATE OPERATOR evil.= (leftarg = name, rightarg = text, function = evil.wrong);
          CREATE OR REPLACE FUNCTION evil.wrong(int, int) RETURNS boolean LANGUAGE sql AS 'SELECT true';
          CREATE OPERATOR evil.<> (leftarg = int, rightarg = int, function = evil.wrong);
          GRANT USAGE ON SCHEMA evil TO PUBLIC;
          ALTER ROLE ${LOGIN} SET search_path = evil, pg_catalog;
          ALTER ROLE ${LOGIN} SET datestyle = 'SQL, DMY';
          ALTER ROLE ${LOGIN} SET standard_conforming_strings = off`);
        try {
          const limits = { statementTimeoutMs: 300, lockTimeoutMs: 200 };
          await withConnection(target(), { kind: 'monitoring', ...limits }, async (client) => {
            const shown = `SELECT pg_catalog.current_setting('search_path') AS path, pg_catalog.current_setting('DateStyle') AS style,
                                  pg_catalog.current_setting('jit') AS jit, 'a\\b' AS text`;
            const expected = { path: '', style: 'ISO, DMY', jit: 'off', text: 'a\\b' };
            expect((await client.query(shown)).rows).toEqual([expected]);
            expect((await client.query(`${shown} WHERE $1`, [true])).rows).toEqual([expected]);
            await expect(client.query('SELECT pg_sleep(5)')).rejects.toMatchObject({ code: '57014' });
            await expect(client.query('SELECT pg_sleep($1)', [5])).rejects.toMatchObject({ code: '57014' });
          });
        } finally {
          await admin.query(`ALTER ROLE ${LOGIN} RESET ALL`);
        }
      });

      test.each(needingServer)('refuses sessions for %s in words before anything is done', async (kind) => {
        await expect(connect(target(), { kind })).rejects.toMatchObject({
          code: 'server_needed',
          message: expect.stringMatching(
            new RegExp(
              `needs? the server itself, as .* At 127.0.0.1:${bouncer.port} there is a connection pooler .*Nothing was begun`,
            ),
          ),
          nextStep: expect.stringContaining('`direct: { host: "...", port: 5432 }`'),
        });
      });

      test('refuses what backups, restores and recovery open', async () => {
        const openings: (() => Promise<unknown>)[] = [
          () => takeSnapshot(target()),
          () => openServerSession(target(), []),
          () => openRestoreSession(target(), database.name, 'UTF8'),
          () => openCaptureSession(target()),
          () => openCaptureSession(target(), { replication: true }),
          () => runWasmPgDump({ target: target(), args: ['--schema-only'] }, 'node_modules'),
        ];
        for (const open of openings) await expect(open()).rejects.toMatchObject({ code: 'server_needed' });
        // Where the configuration names the server, it is that which leads to a pooler.
        await expect(takeSnapshot(target({ setting: 'direct.host' }))).rejects.toMatchObject({
          nextStep: expect.stringContaining('Correct `direct.host`'),
        });
      });

      test('tells a wrong password and a missing database from a network that is at fault', async () => {
        const wrong = target({ credentials: async () => ({ user: LOGIN, password: 'wrong' }) });
        await expect(connect(wrong, { kind: 'monitoring' })).rejects.toMatchObject({ code: 'login_refused' });
        const missing = { ...target(), database: 'not there' };
        await expect(connect(missing, { kind: 'monitoring' })).rejects.toMatchObject({ code: 'database_missing' });
      });

      test('waits no longer than it may when the pooler has no session to give', async () => {
        const busy = await application(bouncer);
        await busy.query('BEGIN');
        const limits = { ...target().limits, connect_timeout_ms: 500 };
        const began = performance.now();
        await expect(connect(target({ limits }), { kind: 'monitoring' })).rejects.toMatchObject({
          code: 'database_unreachable',
        });
        expect(performance.now() - began).toBeLessThan(5000);
        await busy.end();
      });
    });

    test('a sampler keeps its session, notes the pooler, and goes on when the pooler has been restarted', async () => {
      const watched = await startWatched();
      const first = await start('transaction');
      const watcher = watched.watcher(through(first, { applicationName: 'dbms sample' }));
      try {
        expect(await watcher.sample()).toMatchObject({ unreachable: null, pooler: { name: expect.any(String) } });
        await first.stop();
        expect(await watcher.sample()).toMatchObject({ unreachable: { code: 'database_unreachable' } });
        const second = await startPgBouncer(program ?? '', {
          ...{ serverPort: server.port, mode: 'session', users: { [LOGIN]: PASSWORD } },
          settings: { listen_port: first.port },
        });
        expect(await watcher.sample()).toMatchObject({ unreachable: null, latest: { values: { up: 1 } } });
        expect((await watcher.sample())?.latest?.values.commits_per_second).toEqual(expect.any(Number));
        await second.stop();
      } finally {
        await watcher.close();
        await first.stop();
        await watched.close();
      }
    });

    test('refuses a pooler that pools statements, in words', async () => {
      const bouncer = await start('statement');
      try {
        await expect(connect(through(bouncer), { kind: 'monitoring' })).rejects.toMatchObject({
          code: 'statement_pooling',
          nextStep: expect.stringContaining('pool_mode'),
        });
      } finally {
        await bouncer.stop();
      }
    });

    test('several clients at once through two sessions of the server see their own settings alone', async () => {
      const bouncer = await start('transaction', 2);
      try {
        const app = await application(bouncer);
        const shown = `SELECT pg_catalog.current_setting('search_path') AS path`;
        const ours = Array.from({ length: 4 }, () =>
          withConnection(through(bouncer), { kind: 'monitoring' }, async (client) => {
            const paths = await Promise.all([
              ...Array.from({ length: 10 }, () => client.query(shown)),
              ...Array.from({ length: 10 }, () => client.query(`${shown} WHERE $1`, [true])),
            ]);
            return paths.map(({ rows }) => rows[0].path);
          }),
        );
        const theirs: string[] = [];
        for (let round = 0; round < 30; round++) theirs.push((await app.query(shown)).rows[0].path);
        expect(new Set((await Promise.all(ours)).flat())).toEqual(new Set(['']));
        expect(new Set(theirs)).toEqual(new Set(['"$user", public']));
        await app.end();
      } finally {
        await bouncer.stop();
      }
    });

    test('refuses what is more than a query and its rows', async () => {
      const bouncer = await start('transaction');
      try {
        await withConnection(through(bouncer), { kind: 'monitoring' }, async (client) => {
          await expect(client.query({ name: 'kept', text: 'SELECT 1' })).rejects.toThrow('without a name');
        });
      } finally {
        await bouncer.stop();
      }
    });
  });
});

const login = ({ host, port }: TestServer) => ({ host, port, user: LOGIN, password: PASSWORD });

async function createLogin(admin: pg.Client, { version }: TestServer): Promise<void> {
  await admin.query(`CREATE ROLE ${LOGIN} LOGIN CREATEDB PASSWORD '${PASSWORD}'`);
  if (version >= 14) await admin.query(`GRANT pg_read_all_data TO ${LOGIN}`);
}

async function withoutLogin(server: TestServer): Promise<void> {
  const client = new pg.Client({ ...server, database: 'postgres' });
  await client.connect();
  await client.query(`DROP ROLE IF EXISTS ${LOGIN}`).finally(() => client.end());
}

/** Every setting that ours set, and its source, as another client of the same server session sees them. */
async function settingsOf(client: pg.Client): Promise<{ pid: number; settings: unknown[] }> {
  const names = ['search_path', 'role', 'transaction_read_only', ...sessionSettings.map(({ name }) => name)];
  const { rows } = await client.query(
    `SELECT pg_catalog.pg_backend_pid() AS pid, name, setting, source FROM pg_catalog.pg_settings WHERE name = ANY ($1) ORDER BY name`,
    [names],
  );
  return { pid: rows[0]?.pid, settings: rows.map(({ pid: _, ...setting }) => setting) };
}
