import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { quoteIdentifier } from '../../shared/postgres/identifiers.ts';
import { useBackupHarness } from '../backup/support/harness.ts';
import { createScratchDatabase, forEachServer, type ScratchDatabase, withClient } from '../support/servers.ts';
import { complaints } from './support/examined.ts';
import { asLogin, type LoggedIn, loginPassword, loginScript, testLosses } from './support/login-tests.ts';
import { commonLosses, type Loss, settingSql } from './support/losses.ts';

const roles = ['dbms', 'dbms_owner', 'doctor_owner', 'doctor_stranger'];

const losses: readonly Loss[] = [
  ...commonLosses,
  { what: 'REPLICATION', sql: 'ALTER ROLE dbms NOREPLICATION', check: 'replication_refused' },
  {
    what: 'BYPASSRLS',
    sql: 'ALTER ROLE dbms NOBYPASSRLS; ALTER TABLE doctor_plain.ledger ENABLE ROW LEVEL SECURITY',
    check: 'rows_hidden_by_policies',
    stopsBackups: true,
  },
  {
    what: 'the function that changes its password',
    sql: 'DROP FUNCTION dbms_run.change_password(text)',
    check: 'password_not_changed',
    until: 15,
  },
  {
    what: 'the right to that function',
    sql: 'REVOKE EXECUTE ON FUNCTION dbms_run.change_password(text) FROM dbms',
    check: 'password_not_changed',
    until: 15,
  },
  {
    what: 'event triggers that do not fire when it logs in',
    sql: `CREATE OR REPLACE FUNCTION doctor_plain.on_login() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END';
      ALTER FUNCTION doctor_plain.on_login OWNER TO doctor_stranger;
      DROP EVENT TRIGGER IF EXISTS doctor_login; CREATE EVENT TRIGGER doctor_login ON login EXECUTE FUNCTION doctor_plain.on_login();
      ALTER ROLE dbms RESET event_triggers; REVOKE SET ON PARAMETER event_triggers FROM dbms`,
    check: 'login_triggers_fire',
    since: 17,
  },
];

const harness = useBackupHarness();

forEachServer((server) => {
  describe('docs/logins/self-managed.sql', () => {
    let shop: ScratchDatabase;
    const asAdministrator = (sql: string) => withClient(server, shop.name, (client) => client.query(sql));
    const get = (): LoggedIn => ({ kind: 'self-managed', server, name: shop.name, asAdministrator });
    const look = () => asLogin(get()).look();

    beforeAll(async () => {
      shop = await createScratchDatabase(server);
      await asAdministrator(settingSql);
      await asAdministrator(loginScript('self-managed'));
      if (server.version === 13) await asAdministrator(loginScript('read-13'));
      await asAdministrator(`ALTER ROLE dbms PASSWORD '${loginPassword}'`);
      await asAdministrator(`REVOKE CONNECT ON DATABASE ${quoteIdentifier(shop.name)} FROM PUBLIC`);
    });
    afterAll(async () => {
      for (const name of ['max_slot_wal_keep_size', 'log_connections', 'log_disconnections', 'log_line_prefix'])
        await withClient(server, 'postgres', (client) => client.query(`ALTER SYSTEM RESET ${name}`));
      await withClient(server, 'postgres', (client) => client.query('SELECT pg_reload_conf()'));
      await shop?.drop();
      await withClient(server, 'postgres', async (client) => {
        for (const role of roles) await client.query(`DROP OWNED BY ${role} CASCADE; DROP ROLE ${role}`);
      });
    });

    test('leaves the doctor nothing to complain about but settings, whose remediation works', async () => {
      const before = await look();
      expect(before.unread).toEqual([]);
      expect(complaints(before).sort()).toEqual(['connections_not_logged', 'log_not_limited', 'log_not_read']);
      for (const { remediation } of before.findings.filter(({ check: id }) => complaints(before).includes(id)))
        for (const { statement } of remediation) await asAdministrator(statement);
      await expect.poll(async () => complaints(await look()), { timeout: 20_000 }).toEqual([]);
      const after = await look();
      expect(after).toMatchObject({ status: 'works_with_limits', login: 'dbms', platform: 'a server of your own' });
      expect(after.findings.map(({ check: id }) => id).sort()).toEqual(
        [
          'administrators_own_objects',
          'definitions_not_followed',
          'logins_not_changed',
          'statements_not_counted',
        ].sort(),
      );
      await asLogin(get()).check();
    });

    testLosses(losses, server.version, harness, get);

    test('names CONNECT, with the statement that gives it back', async () => {
      await asAdministrator(`REVOKE CONNECT ON DATABASE ${quoteIdentifier(shop.name)} FROM dbms, PUBLIC`);
      // The owner has it by itself, and the login is a member.
      await asAdministrator(`REVOKE ALL ON DATABASE ${quoteIdentifier(shop.name)} FROM dbms_owner`);
      const report = await look();
      expect(report.features.every(({ status }) => status === 'does_not_work')).toBe(true);
      const [finding] = report.findings;
      expect(finding).toMatchObject({
        check: 'login_refused',
        remediation: [{ statement: `GRANT CONNECT ON DATABASE "${shop.name}" TO "dbms";` }],
      });
      await asAdministrator(finding?.remediation[0]?.statement ?? '');
      expect((await look()).findings.map(({ check: id }) => id)).not.toContain('login_refused');
    });

    test('names a database of an administrator, which cannot be swapped', async () => {
      await asAdministrator(`ALTER DATABASE ${quoteIdentifier(shop.name)} OWNER TO ${server.user}`);
      const report = await look();
      expect(complaints(report)).toEqual(['database_not_owned']);
      for (const { statement } of report.findings.find(({ check: id }) => id === 'database_not_owned')?.remediation ??
        [])
        await asAdministrator(statement);
      expect(complaints(await look())).toEqual([]);
    });

    test('names extensions that a restore leaves out, and is refused for once definitions need them', async () => {
      const found = async () => (await look()).findings.find(({ check }) => check === 'extensions_not_created');
      const { rows } = await asAdministrator("SELECT FROM pg_available_extensions WHERE name = 'pg_stat_statements'");
      if (rows.length === 0) return;
      await asAdministrator('CREATE EXTENSION pg_stat_statements');
      expect(await found()).toMatchObject({
        limits: [],
        notes: ['restore', 'swap'],
        message: expect.stringContaining('"pg_stat_statements" can be created by a superuser alone'),
        remediation: [{ by: 'sql', statement: 'CREATE EXTENSION "pg_stat_statements";' }],
      });
      await asAdministrator('CREATE VIEW doctor_plain.calls AS SELECT calls FROM pg_stat_statements');
      expect(await found()).toMatchObject({
        limits: ['restore', 'swap'],
        remediation: [{ by: 'api', statement: '{"leave_out":{"extensions":["pg_stat_statements"]}}' }, { by: 'sql' }],
      });
    });

    test('says unknown, and of which features, when the server does not answer', async () => {
      const report = await asLogin(get()).look({ port: 1 });
      expect(report).toMatchObject({ status: 'unknown', findings: [], login: null });
      expect(report.features.every(({ status }) => status === 'unknown')).toBe(true);
      expect(report.unread[0]?.reason).toContain('No connection to database');
    });
  });
});
