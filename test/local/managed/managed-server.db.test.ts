import { readFileSync } from 'node:fs';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parametersOf } from '../../../local/aws/rds/parameters/catalogue.ts';
import { logLinePrefixes, type ManagedKind } from '../../../local/postgres/managed/profile.ts';
import { readLogLine } from '../../../shared/security/audit/database-log/read-line.ts';
import { splitLine } from '../../../shared/security/audit/database-log/split-line.ts';
import { type ManagedServer, startManagedServer } from '../../support/managed-server.ts';
import { type PostgresBinaries, testBinaries } from '../../support/postgres-binaries.ts';

const { tested } = await testBinaries();

/** Each kind once, on different versions, where there are two. */
const servers = (['rds', 'aurora'] as const).map((kind, index): [ManagedKind, PostgresBinaries] => [
  kind,
  (tested[tested.length - 1 - index] ?? tested[0]) as PostgresBinaries,
]);

/** What AWS has as other types or in other ranges. */
const narrowed = new Set(['max_connections', 'max_wal_senders', 'shared_preload_libraries', 'log_destination']);

/** The error of what is refused, as psql shows it. */
async function refusalOf(run: Promise<unknown>): Promise<string> {
  const error = await run.then(
    () => null,
    (cause: unknown) => cause as { code: string; message: string; hint?: string },
  );
  if (!error) throw new Error('It was not refused');
  return [error.code, error.message, error.hint].filter(Boolean).join(' | ');
}

describe.each(servers)('%s', (kind, binaries) => {
  const { version } = binaries;
  let server: ManagedServer;
  beforeAll(async () => {
    server = await startManagedServer(kind, {
      binaries,
      parameters: { shared_preload_libraries: 'pg_stat_statements,pg_cron' },
    });
    await server.asMaster('postgres', 'CREATE DATABASE shop', 'CREATE ROLE clerk LOGIN PASSWORD $$clerk$$');
  });
  afterAll(() => server?.stop());
  const refused = async (statement: string, database = 'shop') => refusalOf(server.asMaster(database, statement));
  const value = async (expression: string, database = 'shop') =>
    Object.values((await server.asMaster(database, `SELECT ${expression}`)).rows[0] ?? {})[0];

  test('gives customers a master user without superuser rights, and keeps the cluster to rdsadmin', async () => {
    const { rows } = await server.asMaster(
      'postgres',
      `SELECT rolname, rolsuper, rolcreatedb, rolcreaterole, rolreplication, pg_has_role(oid, 'rds_superuser', 'USAGE') AS member
         FROM pg_roles WHERE rolname IN ('postgres', 'rdsadmin') ORDER BY 1`,
    );
    const flags = { rolsuper: false, rolcreatedb: true, rolcreaterole: true, rolreplication: false, member: true };
    expect(rows).toMatchObject([
      { rolname: 'postgres', ...flags },
      { rolname: 'rdsadmin', rolsuper: true },
    ]);
    const { rows: owners } = await server.asMaster(
      'postgres',
      "SELECT datname, pg_get_userbyid(datdba) AS owner FROM pg_database WHERE datname <> 'shop' ORDER BY 1",
    );
    expect(owners).toEqual([
      { datname: 'postgres', owner: 'postgres' },
      { datname: 'rdsadmin', owner: 'rdsadmin' },
      { datname: 'template0', owner: 'rdsadmin' },
      { datname: 'template1', owner: 'postgres' },
    ]);
    expect(await value("count(*)::int FROM pg_stat_activity WHERE usename = 'rdsadmin' AND datname = 'rdsadmin'")).toBe(
      2,
    );
    expect(await refused('SELECT 1', 'rdsadmin')).toMatch(
      /^28000 \| pg_hba\.conf rejects connection .* database "rdsadmin"/,
    );
  });

  test('gives rds_superuser the memberships that AWS documents', async () => {
    const { rows } = await server.asMaster(
      'postgres',
      `SELECT g.rolname AS name FROM pg_auth_members m
         JOIN pg_roles g ON g.oid = m.roleid JOIN pg_roles r ON r.oid = m.member
        WHERE r.rolname = 'rds_superuser' ${version >= 16 ? 'AND m.inherit_option' : ''} ORDER BY 1`,
    );
    expect(rows.map(({ name }) => name)).toEqual([
      ...(version >= 15 ? ['pg_checkpoint'] : []),
      'pg_monitor',
      'pg_signal_backend',
      ...(version >= 16 ? ['pg_use_reserved_connections'] : []),
      'rds_password',
      'rds_replication',
    ]);
    const roles = `${version >= 14 ? 'pg_read_all_data, ' : ''}rds_replication, rds_iam, pg_monitor`;
    await server.asMaster('postgres', `GRANT ${roles} TO clerk`);
    await server.asMaster('postgres', `REVOKE ${roles} FROM clerk`);
  });

  test('refuses what only superusers may do', async () => {
    expect(await refused('ALTER SYSTEM SET work_mem = 1000')).toMatch(
      /^42501 \| (?:permission denied to set parameter|must be superuser)/,
    );
    expect(await refused("COPY (SELECT 1) TO PROGRAM 'true'")).toMatch(
      /^42501 \| .*COPY to or from an external program/,
    );
    expect(await refused("SELECT pg_read_file('PG_VERSION')")).toBe(
      '42501 | permission denied for function pg_read_file',
    );
    expect(await refused('SELECT pg_reload_conf()')).toBe('42501 | permission denied for function pg_reload_conf');
    expect(await refused('ALTER ROLE clerk SUPERUSER')).toMatch(/^42501 \| /);
    expect(await refused('ALTER ROLE clerk BYPASSRLS')).toMatch(/^42501 \| /);
    const victim = await value("pid FROM pg_stat_activity WHERE usename = 'rdsadmin' LIMIT 1");
    expect(await refused(`SELECT pg_terminate_backend(${victim})`)).toMatch(/^42501 \| /);
  });

  test('shows the settings of AWS in pg_settings', async () => {
    const { rows } = await server.asMaster(
      'shop',
      "SELECT name, setting FROM pg_settings WHERE name IN ('rds.logical_replication', 'rds.allowed_extensions', 'wal_level') ORDER BY 1",
    );
    expect(rows).toEqual([
      { name: 'rds.allowed_extensions', setting: '*' },
      { name: 'rds.logical_replication', setting: 'off' },
      { name: 'wal_level', setting: 'replica' },
    ]);
    expect(await value("current_setting('shared_preload_libraries')")).toBe('rdsutils,pg_stat_statements,pg_cron');
    expect(await value("current_setting('wal_segment_size')")).toBe('64MB');
    expect(await value("current_setting('log_line_prefix')")).toBe(logLinePrefixes[0]);
  });

  test('has the parameters that the server has', async () => {
    const { rows } = await server.asRdsadmin(
      'postgres',
      "SELECT lower(name) AS name, vartype, context, min_val, max_val, enumvals FROM pg_settings WHERE context <> 'internal'",
    );
    const known = new Map(rows.map((row) => [row.name, row]));
    const parameters = [...parametersOf({ kind, version }).values()];
    const own = parameters.filter(
      ({ name }) => !/^(?:rds|cron|pgaudit|auto_explain)\./.test(name) && !narrowed.has(name),
    );
    expect(own.length).toBeGreaterThan(200);
    const differences = own.flatMap(({ name, dataType, allowed, isStatic }) => {
      const row = known.get(name);
      if (!row) return [`${name} is no setting`];
      const type = { bool: 'boolean', real: 'float', enum: 'string' }[String(row.vartype)] ?? row.vartype;
      const range = row.min_val === null ? allowed : `${row.min_val}-${row.max_val}`;
      const same = type === dataType && range === allowed && (row.context === 'postmaster') === isStatic;
      return same ? [] : [`${name}: ${JSON.stringify(row)}`];
    });
    expect(differences).toEqual([]);
  });

  test('creates the extensions of the managed service alone, pg_cron in one database', async () => {
    await server.asMaster(
      'shop',
      'CREATE EXTENSION pg_stat_statements',
      'CREATE EXTENSION hstore',
      'CREATE EXTENSION aws_s3 CASCADE',
    );
    expect(await refused('CREATE EXTENSION pg_cron')).toMatch(
      /^P0001 \| can only create extension in database postgres \| Add cron\.database_name = 'shop'/,
    );
    await server.asMaster(
      'postgres',
      'CREATE EXTENSION pg_cron',
      "SELECT cron.schedule('nightly', '0 3 * * *', 'VACUUM')",
    );
    expect(await refused('CREATE EXTENSION adminpack')).toMatch(
      /Extension "adminpack" is not supported by Amazon RDS \| .*SHOW rds\.extensions;$/,
    );
    expect(await refused('CREATE EXTENSION pgaudit')).toMatch(
      /^55000 \| pgaudit can only be loaded via shared_preload_libraries/,
    );
    await server.managed.setParameters({ 'rds.allowed_extensions': 'hstore, citext' });
    await expect.poll(() => value("current_setting('rds.allowed_extensions')")).toBe('hstore, citext');
    expect(await refused('CREATE EXTENSION pg_trgm')).toMatch(
      /^42501 \| permission denied to create extension "pg_trgm"/,
    );
    await server.asMaster('shop', 'CREATE EXTENSION citext');
  });

  test('lets others create trusted extensions alone', async () => {
    await server.asMaster('postgres', 'CREATE DATABASE desk', 'GRANT CREATE ON DATABASE desk TO clerk');
    await server.managed.setParameters({});
    await expect.poll(() => value("current_setting('rds.allowed_extensions')")).toBe('*');
    const { host, port } = server.server;
    const clerk = new pg.Client({ host, port, database: 'desk', user: 'clerk', password: 'clerk' });
    await clerk.connect();
    try {
      if (version < 15) await server.asMaster('desk', 'GRANT CREATE ON SCHEMA public TO clerk');
      await clerk.query('CREATE SCHEMA own; CREATE EXTENSION pg_trgm SCHEMA own');
      expect(await refusalOf(clerk.query('CREATE EXTENSION pg_buffercache SCHEMA own'))).toBe(
        '42501 | permission denied to create extension "pg_buffercache" | Must be superuser to create this extension.',
      );
    } finally {
      await clerk.end();
    }
  });

  test('lets members of rds_replication replicate, who have no attribute to show', async () => {
    await server.asMaster('postgres', 'GRANT rds_replication TO clerk');
    expect(await value("rolreplication FROM pg_roles WHERE rolname = 'clerk'")).toBe(false);
    const { host, port } = server.server;
    const clerk = new pg.Client({ host, port, database: 'shop', user: 'clerk', password: 'clerk' });
    await clerk.connect();
    try {
      await clerk.query("SELECT pg_create_physical_replication_slot('standby')");
      await clerk.query("SELECT pg_drop_replication_slot('standby')");
      await server.asMaster('postgres', 'REVOKE rds_replication FROM clerk');
      expect(await refusalOf(clerk.query("SELECT pg_create_physical_replication_slot('standby')"))).toMatch(
        /^42501 \| /,
      );
    } finally {
      await clerk.end();
    }
  });

  test('moves its log by 64 MB at each heartbeat', async () => {
    const position = async () => {
      const { rows } = await server.asRdsadmin(
        'postgres',
        `SELECT pg_wal_lsn_diff(${kind === 'aurora' ? 'pg_current_wal_lsn_of_postgresql' : 'pg_current_wal_lsn'}(), '0/0')::float8 AS at`,
      );
      return Number(rows[0]?.at);
    };
    await server.managed.beat();
    const before = await position();
    await server.managed.beat();
    expect((await position()) - before).toBeGreaterThanOrEqual(64 * 1024 ** 2 - 100_000);
  });

  test.each(logLinePrefixes)('writes logins with the prefix %s, which is read', async (log_line_prefix) => {
    await server.managed.setParameters({
      shared_preload_libraries: 'pg_stat_statements,pg_cron',
      ...{ log_connections: '1', log_line_prefix },
    });
    const read = () =>
      readFileSync(server.managed.log, 'utf8')
        .split('\n')
        .flatMap((line) => {
          const split = splitLine(line);
          const told = split && readLogLine(split);
          return told ? [[told.actor, told.databaseName, told.operation, told.outcome]] : [];
        });
    const before = read().length;
    await expect
      .poll(async () => {
        const clerk = new pg.Client({ ...server.server, user: 'clerk', password: 'clerk', database: 'shop' });
        await clerk.connect();
        await clerk.end();
        return read().slice(before);
      })
      .toContainEqual(['clerk', 'shop', 'login', 'succeeded']);
  });

  test('applies static parameters at a restart', async () => {
    await server.managed.setParameters({
      'rds.logical_replication': '1',
      work_mem: '8192',
      log_line_prefix: logLinePrefixes[1],
    });
    await expect.poll(() => value("current_setting('work_mem')")).toBe('8MB');
    expect(await value("current_setting('rds.logical_replication') || current_setting('wal_level')")).toBe(
      'offreplica',
    );
    await server.managed.restart();
    expect(await value("current_setting('rds.logical_replication') || current_setting('wal_level')")).toBe('onlogical');
  });
});

describe('aurora', () => {
  let server: ManagedServer;
  beforeAll(async () => {
    server = await startManagedServer('aurora');
  });
  afterAll(() => server?.stop());

  test('refuses the position in the log until rds.logical_replication is on', async () => {
    const read = () => server.asMaster('postgres', 'SELECT pg_current_wal_lsn()');
    expect(await refusalOf(read())).toBe(
      "55000 | wal_level must be set to 'logical' | WAL control functions cannot be executed when wal_level < logical.",
    );
    await server.managed.setParameters({ 'rds.logical_replication': '1' });
    await server.managed.restart();
    await read();
  });

  test('refuses the functions that Aurora does not have', async () => {
    const refused = async (statement: string) => refusalOf(server.asMaster('postgres', statement));
    expect(await refused('SELECT pg_last_wal_replay_lsn()')).toBe(
      '0A000 | Function pg_last_wal_replay_lsn() is currently not supported for Aurora',
    );
    expect(await refused('SELECT * FROM pg_stat_wal_receiver')).toMatch(
      /pg_stat_get_wal_receiver\(\) is currently not supported for Aurora/,
    );
  });

  test('has readers, which read alone and do not tell where they are in the log', async () => {
    await server.asMaster('postgres', 'CREATE TABLE seen (n int)', 'INSERT INTO seen VALUES (1)');
    const reader = await server.startReader();
    await expect.poll(async () => (await reader.asMaster('postgres', 'SELECT n FROM seen')).rows).toEqual([{ n: 1 }]);
    expect((await reader.asMaster('postgres', 'SELECT pg_is_in_recovery() AS reads')).rows).toEqual([{ reads: true }]);
    expect(await refusalOf(reader.asMaster('postgres', 'INSERT INTO seen VALUES (2)'))).toMatch(
      /^25006 \| cannot execute INSERT/,
    );
    expect(await refusalOf(reader.asMaster('postgres', 'SELECT pg_current_wal_lsn()'))).toMatch(
      /^55000 \| recovery is in progress/,
    );
    expect(await refusalOf(reader.asMaster('postgres', 'SELECT pg_last_wal_replay_lsn()'))).toMatch(
      /not supported for Aurora/,
    );
  });

  test('knows its version and the members of its cluster', async () => {
    await server.managed.setPlace({ instance: 'shop-2', members: { 'shop-1': false, 'shop-2': true } });
    const read = async () => {
      const { rows } = await server.asMaster(
        'postgres',
        "SELECT server_id, session_id = 'MASTER_SESSION_ID' AS writer, aurora_db_instance_identifier() AS own FROM aurora_replica_status() ORDER BY 1",
      );
      return rows;
    };
    await expect.poll(read).toEqual([
      { server_id: 'shop-1', writer: false, own: 'shop-2' },
      { server_id: 'shop-2', writer: true, own: 'shop-2' },
    ]);
    const { rows } = await server.asMaster('postgres', 'SELECT aurora_version() AS version');
    expect(rows[0]?.version).toMatch(/^\d+\.\d+\.\d+$/);
  });
});
