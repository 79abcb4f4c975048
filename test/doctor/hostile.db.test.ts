import { afterAll, beforeAll, expect, test } from 'vitest';
import { describeReport } from '../../commands/doctor/describe.ts';
import { examine } from '../../shared/doctor/examine.ts';
import { quoteIdentifier } from '../../shared/postgres/identifiers.ts';
import {
  createScratchDatabase,
  forOneServer,
  type ScratchDatabase,
  targetFor,
  withClient,
} from '../support/servers.ts';
import { complaints, configuredDatabase, dependenciesFor } from './support/examined.ts';

/** What a terminal, psql or a reader would take for something else. */
const NASTY = 'x"; DROP ROLE doctor_mallory; --\n\\! touch /tmp/x\u001b[2J\u202e';
const login = { user: 'doctor_victim', password: 'of the victim' };

/** Functions and operators that the doctor's statements use, as somebody has made them, each of which leaves a trace. */
const trapsSql = `
CREATE SCHEMA evil; GRANT USAGE ON SCHEMA evil TO PUBLIC;
CREATE TABLE evil.caught (what text); GRANT INSERT ON evil.caught TO PUBLIC;
CREATE FUNCTION evil.current_setting(text) RETURNS text LANGUAGE plpgsql AS
  $$ BEGIN INSERT INTO evil.caught VALUES ('current_setting'); RETURN '180000'; END $$;
CREATE FUNCTION evil.pg_has_role(oid, text) RETURNS boolean LANGUAGE plpgsql AS
  $$ BEGIN INSERT INTO evil.caught VALUES ('pg_has_role'); RETURN true; END $$;
CREATE FUNCTION evil.count(bigint) RETURNS bigint LANGUAGE sql AS $$ SELECT 0::bigint $$;
CREATE FUNCTION evil.same(name, text) RETURNS boolean LANGUAGE plpgsql AS
  $$ BEGIN INSERT INTO evil.caught VALUES ('='); RETURN true; END $$;
CREATE OPERATOR evil.= (LEFTARG = name, RIGHTARG = text, FUNCTION = evil.same);
CREATE TABLE evil.pg_roles (rolname name, rolsuper boolean);
CREATE VIEW evil.pg_settings AS SELECT 'wal_level'::text AS name, 'logical'::text AS setting;`;

forOneServer((server) => {
  let database: ScratchDatabase;
  const asAdministrator = (sql: string) => withClient(server, database.name, (client) => client.query(sql));
  beforeAll(async () => {
    database = await createScratchDatabase(server);
    await asAdministrator(`CREATE ROLE doctor_mallory; CREATE ROLE ${login.user} LOGIN PASSWORD '${login.password}'`);
    await asAdministrator(trapsSql);
    await asAdministrator(`CREATE SCHEMA ${quoteIdentifier(NASTY.slice(0, 60))};
      CREATE TABLE ${quoteIdentifier(NASTY.slice(0, 60))}.${quoteIdentifier(NASTY)} (n int);
      ALTER TABLE ${quoteIdentifier(NASTY.slice(0, 60))}.${quoteIdentifier(NASTY)} OWNER TO doctor_mallory;
      ALTER TABLE ${quoteIdentifier(NASTY.slice(0, 60))}.${quoteIdentifier(NASTY)} ENABLE ROW LEVEL SECURITY;
      ALTER DATABASE ${quoteIdentifier(database.name)} SET search_path = evil, pg_catalog;
      ALTER DATABASE ${quoteIdentifier(database.name)} SET statement_timeout = '1ms';
      ALTER ROLE ${server.user} IN DATABASE ${quoteIdentifier(database.name)} SET statement_timeout = 0;
      ALTER ROLE ${server.user} IN DATABASE ${quoteIdentifier(database.name)} SET search_path = pg_catalog;
      ALTER ROLE ${login.user} SET search_path = evil, pg_catalog;
      ALTER ROLE doctor_mallory RENAME TO ${quoteIdentifier(NASTY)}`);
  });
  afterAll(async () => {
    await database?.drop();
    await withClient(server, 'postgres', (client) =>
      client.query(`DROP ROLE ${quoteIdentifier(NASTY)}; DROP ROLE ${login.user}`),
    );
  });

  test('a database with traps is told the truth about, and none of its code runs', async () => {
    const look = () =>
      examine(
        // Its row security is not for a role to be given: the owner's name is in the statement.
        configuredDatabase('rds', database.name),
        dependenciesFor(targetFor(server, database.name, { credentials: async () => login })),
      );
    const refused = await look();
    expect(complaints(refused)).toEqual(['login_refused']);
    await asAdministrator(refused.findings[0]?.remediation[0]?.statement ?? '');
    const report = await look();
    expect(report.unread).toEqual([]);
    expect(complaints(report)).toEqual(
      expect.arrayContaining([
        'monitor_missing',
        'rows_not_readable',
        'rows_hidden_by_policies',
        'owners_not_restored',
      ]),
    );
    expect(describeReport(report)).not.toMatch(/[^\P{Cc}\n]|\p{Cf}/u);
    // Each statement, pasted by an administrator, does what it says and nothing else.
    for (const { check, remediation } of report.findings.filter(({ check }) => /^rows|^owners/.test(check)))
      for (const { by, statement } of remediation) {
        expect([check, by]).toEqual([check, 'sql']);
        await asAdministrator(statement);
      }
    expect(complaints(await look()).filter((id) => /^rows|^owners/.test(id))).toEqual([]);
    const { rows } = await asAdministrator(
      `SELECT (SELECT count(*) FROM evil.caught)::int AS caught, count(*)::int AS there FROM pg_roles WHERE rolname LIKE 'x"; DROP%'`,
    );
    expect(rows).toEqual([{ caught: 0, there: 1 }]);
  });
});
