import type pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { connect } from '../../shared/postgres/connect.ts';
import { limitsOf, sessionKinds, sessionSettings, settingsOf } from '../../shared/postgres/session-settings.ts';
import { withConnection } from '../../shared/postgres/with-connection.ts';
import { createScratchDatabase, forEachServer, type ScratchDatabase, withClient } from '../support/servers.ts';

/** From the version on that has them. */
const SINCE: Readonly<Record<string, number>> = {
  idle_session_timeout: 14,
  client_connection_check_interval: 14,
  transaction_timeout: 17,
};

test('each kind of session sets a setting once, and says why', () => {
  for (const kind of sessionKinds) {
    const own = sessionSettings.filter(({ kinds }) => kinds.includes(kind)).map(({ name }) => name);
    expect(new Set(own).size, kind).toBe(own.length);
  }
  expect(sessionSettings.filter(({ why }) => why.length < 10)).toEqual([]);
});

forEachServer((server) => {
  let database: ScratchDatabase;
  let admin: pg.Client;
  /** A login whose own settings are against us, as anybody who administers the database may make them. */
  const LOGIN = 'hostile';
  const target = () => database.target({ credentials: async () => ({ user: LOGIN, password: 'h' }) });
  beforeAll(async () => {
    database = await createScratchDatabase(server);
    admin = await database.connect();
    await admin.query(`CREATE ROLE ${LOGIN} LOGIN REPLICATION PASSWORD 'h'; GRANT pg_monitor TO ${LOGIN}; CREATE SCHEMA evil;
      GRANT USAGE ON SCHEMA evil TO PUBLIC;
      CREATE TABLE evil.called (n int); GRANT INSERT ON evil.called TO PUBLIC;
      CREATE FUNCTION evil.wrong(name, text) RETURNS boolean LANGUAGE sql AS 'INSERT INTO evil.called VALUES (1); SELECT true';
      CREATE FUNCTION evil.wrong(text, text) RETURNS boolean LANGUAGE sql AS 'INSERT INTO evil.called VALUES (2); SELECT true';
      CREATE FUNCTION evil.wrong(int, int) RETURNS boolean LANGUAGE sql AS 'INSERT INTO evil.called VALUES (3); SELECT true';
      CREATE OPERATOR evil.= (leftarg = name, rightarg = text, function = evil.wrong);
      CREATE OPERATOR evil.= (leftarg = text, rightarg = text, function = evil.wrong);
      CREATE OPERATOR evil.<> (leftarg = int, rightarg = int, function = evil.wrong)`);
    const hostile = {
      ...{
        search_path: 'evil, pg_catalog',
        datestyle: "'SQL, DMY'",
        intervalstyle: 'sql_standard',
        bytea_output: 'escape',
      },
      ...{
        standard_conforming_strings: 'off',
        transform_null_equals: 'on',
        extra_float_digits: '-10',
        timezone: "'+05'",
      },
      ...{
        statement_timeout: 3_600_000,
        lock_timeout: 3_600_000,
        default_transaction_isolation: 'serializable',
        jit: 'on',
      },
      ...{
        default_transaction_read_only: 'on',
        quote_all_identifiers: 'on',
        row_security: 'on',
        array_nulls: 'off',
        role: 'pg_monitor',
        xmloption: 'document',
      },
    };
    for (const [name, value] of Object.entries(hostile))
      await admin.query(`ALTER ROLE ${LOGIN} SET ${name} = ${value}`);
  });
  afterAll(async () => {
    await admin?.end();
    await database?.drop();
    await withClient(server, 'postgres', (client) => client.query(`DROP ROLE ${LOGIN}`));
  });

  test.each(sessionKinds)('a session for %s has just its settings, whatever the login has of its own', async (kind) => {
    const settings = settingsOf(kind, limitsOf(kind, target().limits, {}));
    const expected = [...settings].filter(([name]) => (SINCE[name] ?? 0) <= server.version);
    for (const replication of kind === 'capturing' ? [false, true] : [false]) {
      await withConnection(target(), { kind, replication }, async (client) => {
        const { rows: own } = await client.query('SHOW search_path');
        expect(own).toEqual([{ search_path: '' }]);
        const { rows: role } = await client.query('SELECT current_user AS name');
        expect(role).toEqual([{ name: LOGIN }]);
        for (const [name, value] of expected) {
          // Compared as the server writes them, which has units of its own.
          const { rows } = await client.query(`SELECT name, setting, source FROM pg_settings WHERE name = '${name}'`);
          expect(rows, name).toMatchObject([{ source: 'session' }]);
          await client.query(`SELECT pg_catalog.set_config('${name}', '${value}', false)`);
          const { rows: same } = await client.query(`SELECT name, setting FROM pg_settings WHERE name = '${name}'`);
          expect(same, name).toMatchObject([{ setting: rows[0].setting }]);
        }
        const { rows: session } = await client.query(`SELECT name FROM pg_settings WHERE source = 'session'`);
        const known = new Set([...expected.map(([name]) => name), 'search_path', 'transaction_deferrable']);
        expect(
          session.map(({ name }) => name).filter((name) => !known.has(name) && !name.startsWith('transaction_')),
        ).toEqual([]);
      });
    }
    expect((await admin.query('SELECT n FROM evil.called')).rows).toEqual([]);
  });

  test('a session that cannot be brought into its state is closed', async () => {
    const before = await countOf();
    await admin.query(`REVOKE EXECUTE ON FUNCTION pg_catalog.set_config(text, text, boolean) FROM PUBLIC`);
    try {
      await expect(connect(target(), { kind: 'monitoring' })).rejects.toMatchObject({ code: 'database_unreachable' });
    } finally {
      await admin.query(`GRANT EXECUTE ON FUNCTION pg_catalog.set_config(text, text, boolean) TO PUBLIC`);
    }
    await expect.poll(countOf).toBe(before);
  });

  async function countOf(): Promise<number> {
    const { rows } = await admin.query(`SELECT count(*)::int AS n FROM pg_stat_activity WHERE usename = '${LOGIN}'`);
    return rows[0].n;
  }
});
