import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { runDrill } from '../../shared/backup/validate/drill.ts';
import { checkSetup } from '../../shared/changes/setup/check-setup.ts';
import { turnOff, turnOn } from '../../shared/changes/setup/turn-on.ts';
import { noDetails, readDetails } from '../../shared/health/sample/read-details.ts';
import { takeReading } from '../../shared/health/sample/take-reading.ts';
import { scramVerifier } from '../../shared/postgres/scram-verifier.ts';
import { changeOwnPassword } from '../../shared/security/rotation/change-password.ts';
import { newJobId } from '../../shared/state/ids.ts';
import { DATABASE_ID, useBackupHarness } from '../backup/support/harness.ts';
import { databaseDifferences } from '../support/compare/compare.ts';
import { testBinaries } from '../support/postgres-binaries.ts';
import { startServer } from '../support/postgres-server.ts';
import {
  createScratchDatabase,
  type ScratchDatabase,
  type TestServer,
  targetFor,
  withClient,
} from '../support/servers.ts';

const folder = join(import.meta.dirname, '../../docs/logins');
const { tested } = await testBinaries();
const stops: (() => Promise<void>)[] = [];
// Before the harness: what it restored is dropped while the servers still run.
afterAll(async () => {
  for (const stop of stops) await stop();
});
const harness = useBackupHarness();
const password = 'of the login';
const settings = {
  ...{ retention_days: 1, compression_level: 1, connections: 2 },
  ...{ chunk_bytes: 1_048_576, lanes: 1, connection_share: 0.5 },
};
const signal = new AbortController().signal;

/** What the master user of RDS has, as far as a server of one's own can have it. */
const rdsSql = `
CREATE ROLE rds_superuser;
CREATE ROLE rds_replication;
CREATE ROLE rds_iam;
GRANT pg_monitor, pg_signal_backend, rds_replication, rds_iam TO rds_superuser WITH ADMIN OPTION;
DO $$ BEGIN
  IF current_setting('server_version_num')::int >= 140000 THEN GRANT pg_read_all_data TO rds_superuser WITH ADMIN OPTION; END IF;
END $$;
CREATE ROLE master LOGIN CREATEDB CREATEROLE PASSWORD '${password}';
GRANT rds_superuser TO master`;

/** A database of one owner with tables of two, one of them with row-level security. */
const shopSql = `
CREATE ROLE shop_owner;
CREATE ROLE stock_owner;
CREATE ROLE clerk;
GRANT shop_owner, stock_owner, clerk TO CURRENT_USER;
GRANT CREATE ON DATABASE shop TO shop_owner;
CREATE SCHEMA sales AUTHORIZATION shop_owner;
SET ROLE shop_owner;
CREATE TABLE sales.orders (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, note text);
INSERT INTO sales.orders (note) SELECT md5(n::text) FROM generate_series(1, 500) n;
CREATE TABLE sales.secrets (id int PRIMARY KEY, owner text);
INSERT INTO sales.secrets VALUES (1, 'somebody');
ALTER TABLE sales.secrets ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON sales.secrets USING (owner = current_user);
GRANT SELECT ON sales.orders TO clerk;
RESET ROLE;
GRANT CREATE ON DATABASE shop TO stock_owner;
CREATE SCHEMA warehouse AUTHORIZATION stock_owner;
SET ROLE stock_owner;
CREATE TABLE warehouse.stock (n int);
INSERT INTO warehouse.stock VALUES (1);
RESET ROLE;
ALTER DATABASE shop OWNER TO shop_owner;
SET ROLE shop_owner;
CREATE TABLE public.plain (n int);
GRANT CREATE, USAGE ON SCHEMA sales TO stock_owner;
SET ROLE stock_owner;
CREATE TABLE sales.shelves (n int);
RESET ROLE;`;

describe.each(tested)('PostgreSQL $version', (binaries) => {
  describe.each(['self-managed', 'rds'] as const)('docs/logins/%s.sql', (platform) => {
    let server: TestServer;
    let shop: ScratchDatabase;

    /** As the administrator: a superuser, or the master user of RDS. */
    const asAdministrator = async (sql: string, database = shop.name): Promise<string[]> => {
      const warnings: string[] = [];
      const login =
        platform === 'rds' ? { user: 'master', password } : { user: server.user, password: server.password };
      const client = new pg.Client({ host: server.host, port: server.port, database, ...login });
      client.on('notice', ({ severity, message }) => severity === 'WARNING' && warnings.push(message ?? ''));
      await client.connect();
      try {
        await client.query(sql);
      } finally {
        await client.end();
      }
      return warnings;
    };
    const script = (name: string): string => readFileSync(join(folder, `${name}.sql`), 'utf8');
    const asLogin = async () => ({ user: 'dbms', password });
    const target = (name = shop.name) => targetFor(server, name, { credentials: asLogin });
    const connectAsLogin = async (): Promise<pg.Client> => {
      const { host, port } = server;
      const client = new pg.Client({ host, port, database: shop.name, user: 'dbms', password });
      await client.connect();
      return client;
    };

    beforeAll(async () => {
      const started = await startServer(binaries);
      server = started.server;
      stops.push(started.stop);
      if (platform === 'rds') await withClient(server, 'postgres', (client) => client.query(rdsSql));
      shop = await createScratchDatabase(server, 'shop');
      if (platform === 'rds')
        await withClient(server, 'postgres', (client) => client.query('ALTER DATABASE shop OWNER TO master'));
      if (binaries.statements)
        await withClient(server, 'shop', (client) => client.query('CREATE EXTENSION pg_stat_statements'));
      await asAdministrator(shopSql);
      expect(await asAdministrator(script(platform))).toEqual([]);
      if (binaries.version === 13) expect(await asAdministrator(script('read-13'))).toEqual([]);
      await asAdministrator(`ALTER ROLE dbms PASSWORD '${password}'`);
    });

    test('can be run again, for owners that have come', async () => {
      await asAdministrator(
        `CREATE ROLE newcomer; GRANT newcomer TO CURRENT_USER; GRANT CREATE ON DATABASE shop TO CURRENT_USER; CREATE SCHEMA later AUTHORIZATION newcomer`,
      );
      await asAdministrator(script(platform));
      if (binaries.version === 13) await asAdministrator(script('read-13'));
      const client = await connectAsLogin();
      const { rows } = await client.query("SELECT pg_has_role('dbms', 'newcomer', 'USAGE') AS member");
      await client.end();
      expect(rows).toEqual([{ member: true }]);
    });

    test.runIf(platform === 'rds')('names an owner whom a role of the master user has made', async () => {
      await asAdministrator('CREATE ROLE maker CREATEROLE');
      await withClient(server, shop.name, (client) =>
        client.query(`SET ROLE maker; CREATE ROLE made; RESET ROLE; CREATE SCHEMA of_made AUTHORIZATION made`),
      );
      const refused = /^The role made was not granted to dbms: /;
      expect(await asAdministrator(script('rds'))).toEqual(
        binaries.version >= 16 ? [expect.stringMatching(refused)] : [],
      );
      await withClient(server, shop.name, (client) =>
        client.query('DROP SCHEMA of_made; DROP ROLE made; DROP ROLE maker'),
      );
    });

    test.runIf(platform === 'rds')('says what a master user needs in the database of another', async () => {
      const other = await createScratchDatabase(server);
      const drills = asAdministrator(script('drills'), other.name);
      await expect(drills).rejects.toMatchObject({
        hint: `As the owner of the database, run GRANT CREATE ON DATABASE ${other.name} TO master, then run this again.`,
      });
      const { hint } = await drills.catch((error) => error);
      const [statement] = /GRANT [^,]+/.exec(hint) ?? [];
      await withClient(server, other.name, (client) => client.query(statement ?? ''));
      await asAdministrator(script('drills'), other.name);
      await other.drop();
    });

    test('makes a login that monitors: every value is known', async () => {
      const client = await connectAsLogin();
      const { values, failures } = await takeReading(client, { slowQuerySeconds: 1, poolLimit: 30 });
      expect(failures).toEqual([]);
      expect(Object.entries(values).filter(([, value]) => value === null)).toEqual([['replication_lag_seconds', null]]);
      const limits = { storageBytes: 1e12, everyMs: 0, budgetMs: 60_000 };
      expect((await readDetails(client, noDetails, limits)).failures).toEqual([]);
      await client.end();
    });

    test('... changes its own password, and by no function of somebody else', async () => {
      const change = async (to: string) => {
        const client = await connectAsLogin();
        await changeOwnPassword(client, 'dbms', await scramVerifier(to)).finally(() => client.end());
      };
      await change('another');
      await expect(connectAsLogin()).rejects.toMatchObject({ code: '28P01' });
      await asAdministrator(`ALTER ROLE dbms PASSWORD '${password}'`);
      if (platform === 'rds' || binaries.version >= 16) return;
      const client = await connectAsLogin();
      await expect(client.query("SELECT dbms_run.change_password('plain')")).rejects.toMatchObject({ code: '42501' });
      await client.end();
      await withClient(server, 'shop', (superuser) => superuser.query('ALTER SCHEMA dbms_run OWNER TO clerk'));
      await expect(change('another')).rejects.toMatchObject({ code: 'password_restricted' });
      await expect(asAdministrator(script(platform))).rejects.toThrow('belongs to somebody else');
      await withClient(server, 'shop', (superuser) => superuser.query('DROP SCHEMA dbms_run CASCADE'));
      await expect(change('another')).rejects.toMatchObject({ code: 'password_restricted' });
      await asAdministrator(script(platform));
      await change(password);
    });

    test('... ends the sessions of others', async () => {
      const other = await asOther(server);
      const client = await connectAsLogin();
      const { rows } = await client.query(
        "SELECT pg_terminate_backend(pid) AS ended FROM pg_stat_activity WHERE usename = 'somebody_else'",
      );
      await client.end();
      await other.end().catch(() => undefined);
      expect(rows).toEqual([{ ended: true }]);
    });

    test('... backs up every row and restores it with its owners', async () => {
      const manifest = await harness.backUp(target());
      expect(manifest.tables.map(({ name, rows }) => [name, rows]).sort()).toEqual([
        ['orders', 500],
        ['plain', 0],
        ['secrets', 1],
        ['shelves', 0],
        ['stock', 1],
      ]);
      const restored = await harness.restore(manifest, server, { target: target('postgres') });
      const { warnings } = restored.summary;
      // Superusers create this extension; on RDS the login may, where it is a member of rds_superuser.
      const extension = warnings.filter((text) => text.startsWith('EXTENSION pg_stat_statements: permission denied'));
      expect(extension).toHaveLength(binaries.statements ? 1 : 0);
      if (binaries.statements)
        await withClient(server, restored.name, (client) => client.query('CREATE EXTENSION pg_stat_statements'));
      // This system's own functions are in no copy.
      await withClient(server, 'shop', (client) => client.query('DROP SCHEMA IF EXISTS dbms_run CASCADE'));
      expect(await databaseDifferences(shop, restored)).toEqual([]);
    });

    test('... drills with a login made for the drill, after drills.sql, and not without it', async () => {
      const manifest = await harness.backUp(target());
      const drill = () =>
        runDrill(
          { jobId: newJobId(), backupId: manifest.id, database: DATABASE_ID },
          {
            target: target(),
            store: harness.store,
            settings: { ...settings },
            report: async () => undefined,
            signal,
            hasEnded: async () => false,
          },
        );
      await expect(drill()).rejects.toMatchObject({ code: 'run_login_refused' });
      // Somebody else's functions under these names are not called.
      await withClient(server, 'shop', (client) =>
        client.query(`
          DROP SCHEMA IF EXISTS dbms_run CASCADE;
          CREATE SCHEMA dbms_run AUTHORIZATION clerk;
          CREATE FUNCTION dbms_run.create_login(text, text, timestamptz) RETURNS void SECURITY DEFINER LANGUAGE sql AS 'SELECT 1/0';
          CREATE FUNCTION dbms_run.drop_login(text) RETURNS void SECURITY DEFINER LANGUAGE sql AS 'SELECT 1/0';
          ALTER FUNCTION dbms_run.create_login OWNER TO clerk; ALTER FUNCTION dbms_run.drop_login OWNER TO clerk;
          GRANT USAGE ON SCHEMA dbms_run TO dbms`),
      );
      await expect(drill()).rejects.toMatchObject({ code: 'run_login_refused' });
      await expect(asAdministrator(script('drills'))).rejects.toThrow('belongs to somebody else');
      await withClient(server, 'shop', (client) => client.query('DROP SCHEMA dbms_run CASCADE'));
      for (let time = 1; time <= 2; time++) expect(await asAdministrator(script('drills'))).toEqual([]);
      expect(await drill()).toMatchObject({ rows: manifest.totals.rows });
      const client = await connectAsLogin();
      const { rows } = await client.query("SELECT rolname FROM pg_roles WHERE rolname ~ '^dbms_run'");
      expect(rows).toEqual([]);
      for (const name of ['somebody', 'dbms_run_x', 'postgres']) {
        await expect(
          client.query("SELECT dbms_run.create_login($1, 'SCRAM-SHA-256$4096:c2FsdA==$a2V5:a2V5', now())", [name]),
        ).rejects.toMatchObject({ code: '42501' });
        await expect(client.query('SELECT dbms_run.drop_login($1)', [name])).rejects.toMatchObject({ code: '42501' });
      }
      await client.end();
    });

    test('... reads changes for point-in-time recovery', async () => {
      // A test server lets only those replicate who have the attribute; on RDS the role gives it.
      if (platform === 'rds')
        await withClient(server, 'postgres', (client) => client.query('ALTER ROLE dbms REPLICATION'));
      const client = await connectAsLogin();
      const { problems, warnings } = await checkSetup(client);
      await client.end();
      expect(problems).toEqual([]);
      expect(warnings.map(({ code }) => code)).toContain('definitions_not_followed');
      await turnOn(DATABASE_ID, { target: target(), store: harness.store, signal });
      expect(await turnOff(DATABASE_ID, { target: target() })).toMatchObject({ slots: [expect.any(String)], left: [] });
    });

    test('... is no superuser and makes no roles', async () => {
      const [role] = await withClient(server, 'postgres', async (client) => {
        const sql = "SELECT rolsuper, rolcreaterole FROM pg_roles WHERE rolname = 'dbms'";
        return (await client.query(sql)).rows;
      });
      expect(role).toEqual({ rolsuper: false, rolcreaterole: false });
      if (platform === 'rds') await asAdministrator(script('iam'));
    });
  });
});

/** A session of a login that has nothing to do with this system. */
async function asOther(server: TestServer): Promise<pg.Client> {
  await withClient(server, 'postgres', (client) =>
    client.query(
      `CREATE ROLE somebody_else LOGIN PASSWORD '${password}'; GRANT CONNECT ON DATABASE shop TO somebody_else`,
    ),
  );
  const { host, port } = server;
  const client = new pg.Client({ host, port, database: 'shop', user: 'somebody_else', password });
  client.on('error', () => undefined);
  await client.connect();
  return client;
}
