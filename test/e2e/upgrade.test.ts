import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  CreateDBParameterGroupCommand,
  DescribeDBInstancesCommand,
  DescribeEventsCommand,
  ModifyDBInstanceCommand,
  ModifyDBParameterGroupCommand,
  RDSClient,
  RebootDBInstanceCommand,
} from '@aws-sdk/client-rds';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { basePath } from '../../shared/contract/routes.ts';
import { recoveryWindowSchema } from '../../shared/contract/schemas/recovery.ts';
import { type Block, blocksOf, projectFolder, treatmentOf } from '../docs/support/blocks.ts';
import { makeReaderFolder } from '../docs/support/reader-folder.ts';
import { runBlocks } from '../docs/support/run-document.ts';
import { clientOptions } from '../local/aws/support.ts';
import { startUpgradableServer, type UpgradableServer, upgradeBinaries } from '../support/upgradable-server.ts';
import { accepted, call, endOf, eventually } from './support/api.ts';
import { startTestSystem, type TestSystem } from './support/system.ts';

const GUIDE = 'docs/upgrades-of-databases.md';
const PASSWORD = 'of the login';
const parameters = { 'rds.logical_replication': '1', max_slot_wal_keep_size: '10240' };
const binaries = await upgradeBinaries();
if (!binaries) process.stderr.write('SKIPPED: no older PostgreSQL with pg_dumpall is installed to upgrade from\n');

/** The guide's upgrade in place of RDS, as a database administrator pastes it. */
describe.skipIf(binaries === null)(`the upgrade of ${GUIDE}`, () => {
  const from = binaries?.from.version ?? 0;
  let server: UpgradableServer;
  let system: TestSystem;
  let rds: RDSClient;
  let folder: ReturnType<typeof makeReaderFolder>;
  /** When the window of the old server ended. */
  let end = '';

  beforeAll(async () => {
    if (!binaries) return;
    server = await startUpgradableServer('rds', binaries, parameters);
    await server.now.asMaster('postgres', 'CREATE DATABASE shop');
    const script = (name: string) => readFileSync(join(projectFolder, `docs/logins/${name}.sql`), 'utf8');
    await server.now.asMaster(
      'shop',
      ...['CREATE ROLE seller', 'GRANT seller TO CURRENT_USER', 'GRANT CREATE ON SCHEMA public TO seller'],
      ...['CREATE TABLE orders (id int PRIMARY KEY, state text)', 'ALTER TABLE orders OWNER TO seller'],
      ...[script('rds'), script('drills')],
    );
    // The stand-in for rds_replication is an attribute, and before 16 a superuser alone changes roles that have it.
    await server.now.asRdsadmin('shop', `ALTER ROLE dbms PASSWORD '${PASSWORD}'`);
    const { host, port, user, password } = server.now.server;
    const login = { user: 'dbms', password: PASSWORD };
    system = await startTestSystem({
      databases: [{ id: 'shop', host, port, name: 'shop', ...login, kind: 'rds', instance_id: 'shop' }],
      schedules: false,
    });
    const { services, apiUrl, tokens } = system.current;
    rds = new RDSClient(clientOptions(services.endpoints.rds));
    await describeServer();
    await services.attachServer('shop', server.attached);
    await rds.send(new RebootDBInstanceCommand({ DBInstanceIdentifier: 'shop' }));

    folder = makeReaderFolder({
      ...{ API: `${apiUrl}${basePath}`, RDS_URL: services.endpoints.rds },
      ...Object.fromEntries(Object.entries(tokens).map(([role, token]) => [role.toUpperCase(), token])),
      DATABASE_URL: `postgresql://${user}:${password}@${host}:${port}/shop`,
    });
  });
  afterAll(async () => {
    rds?.destroy();
    await system?.end();
    await server?.stop();
    folder?.remove();
  });

  async function describeServer(): Promise<void> {
    const DBParameterGroupName = `shop-${from}`;
    const DBParameterGroupFamily = `postgres${from}`;
    await rds.send(
      new CreateDBParameterGroupCommand({
        DBParameterGroupName,
        DBParameterGroupFamily,
        Description: 'Settings of shop',
      }),
    );
    const Parameters = Object.entries(parameters).map(([ParameterName, ParameterValue]) => ({
      ...{ ParameterName, ParameterValue },
      ApplyMethod: 'pending-reboot' as const,
    }));
    await rds.send(new ModifyDBParameterGroupCommand({ DBParameterGroupName, Parameters }));
    await system.current.services.putInstance({
      ...{ DBInstanceIdentifier: 'shop', Engine: 'postgres', EngineVersion: `${from}.18`, AllocatedStorage: 20 },
      DBInstanceClass: 'db.t4g.medium',
      DBParameterGroups: [{ DBParameterGroupName, ParameterApplyStatus: 'in-sync' }],
    });
  }

  const blocks = blocksOf(GUIDE);
  const heading = readFileSync(join(projectFolder, GUIDE), 'utf8').split('\n').indexOf('## Blue/green deployments');
  const inPlace = blocks.filter(({ line }) => line <= heading);
  const withText = (...parts: string[]): Block[] =>
    parts.map((part) => {
      const found = inPlace.find(({ text }) => text.includes(part));
      if (!found) throw new Error(`${GUIDE} has no command with ${part}`);
      return found;
    });
  const paste = (...parts: string[]) => runBlocks(withText(...parts), folder.path);
  const version = async () => {
    const { rows } = await server.now.asMaster('shop', 'SHOW server_version_num');
    return Math.floor(Number(rows[0]?.server_version_num) / 10_000);
  };
  const described = async () => {
    const { DBInstances } = await rds.send(new DescribeDBInstancesCommand({ DBInstanceIdentifier: 'shop' }));
    return DBInstances?.[0]?.EngineVersion;
  };
  const sell = (state: string) =>
    server.now.asMaster('shop', 'SET ROLE seller', `INSERT INTO orders SELECT count(*), '${state}' FROM orders`);
  const capture = async () => {
    const { outcome } = await system.current.lambda.invoke({ functionName: 'dbms-capture-changes', payload: '{}' });
    expect(outcome).toMatchObject({ ok: true });
  };
  const readWindow = async () => {
    const { status, json, text } = await call(system.current, '/recovery-window', { as: 'viewer' });
    expect(status, text).toBe(200);
    return recoveryWindowSchema.strict().parse(json);
  };
  const restore = async (point_in_time: string, target_database: string) => {
    const body = { point_in_time, target_database, confirm: true };
    const job = accepted(await call(system.current, '/restore', { body }));
    expect(await endOf(system.current, job.id)).toMatchObject({ status: 'succeeded', error: null });
    const { rows } = await server.now.asRdsadmin(target_database, 'SELECT id, state FROM orders ORDER BY id');
    return rows.map(({ state }) => state);
  };

  test('every command of the guide for RDS is run here', () => {
    const tried = withText(
      '{"enabled": true}',
      'before the upgrade',
      '"for": "upgrade"',
      'until curl',
      'pg_prepared_xacts',
    )
      .concat(withText('modify-db-instance', 'describe-events', '{"status": "on"}'))
      .map(({ line }) => line);
    const isOfAurora = ({ text }: Block) => text.includes('db-cluster');
    const all = inPlace.filter((block) => treatmentOf(block) !== 'text' && !isOfAurora(block));
    expect(all.map(({ line }) => line)).toEqual(tried);
  });

  test('is refused while recovery is on, and says why in the events', async () => {
    await paste('{"enabled": true}');
    await sell('before the backup');
    expect(await server.now.managed.logicalSlots()).toHaveLength(1);
    await rds.send(
      new ModifyDBInstanceCommand({
        ...{ DBInstanceIdentifier: 'shop', EngineVersion: '18.4', DBParameterGroupName: 'default.postgres18' },
        ...{ AllowMajorVersionUpgrade: true, ApplyImmediately: true },
      }),
    );
    expect([await described(), await version()]).toEqual([`${from}.18`, from]);
    await paste('describe-events');
    const { Events } = await rds.send(
      new DescribeEventsCommand({ SourceIdentifier: 'shop', SourceType: 'db-instance' }),
    );
    expect(Events?.at(-1)?.Message).toMatch(/PreUpgrade checks failed: .*logical replication slots/);
  });

  test('puts the server onto the new version once recovery is paused', async () => {
    await paste('before the upgrade');
    await sell('after the backup');
    // A window covers moments from a second after them on.
    await server.now.asMaster('shop', 'SELECT pg_sleep(1.1)');
    await paste('"for": "upgrade"', 'until curl');
    const window = await readWindow();
    expect(window).toMatchObject({ status: 'paused', latest: { time: expect.any(String) } });
    end = window.latest?.time ?? '';
    await paste('pg_prepared_xacts');
    expect(await server.now.managed.logicalSlots()).toEqual([]);
    const [ran] = await paste('modify-db-instance');
    expect(ran?.output.trim().split('\n').at(-1)).toBe('18.4');
    expect(await version()).toBe(binaries?.to.version);
  });

  test('is followed by a new window with a full backup; points in time before the upgrade can still be restored', async () => {
    await paste('{"status": "on"}');
    expect(await server.now.managed.logicalSlots()).toHaveLength(1);
    await capture();
    await sell('after the upgrade');
    const { rows } = await server.now.asMaster(
      'shop',
      `SELECT to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS at`,
    );
    const sold = String(rows[0]?.at);
    const window = await eventually(
      async () => {
        await sell('later still');
        await capture();
        return readWindow();
      },
      ({ base, latest }) => base !== null && latest !== null && latest.time > sold,
    );
    expect(window).toMatchObject({ status: 'on', closed: null });
    expect(await restore(window.latest?.time ?? '', 'later')).toContain('after the upgrade');
    expect(await restore(end, 'earlier')).toEqual(['before the backup', 'after the backup']);
  });

  test('leaves a slot dropped that a database administrator drops afterwards', async () => {
    const drop = blocks.find(({ text }) => text.includes('pg_drop_replication_slot'))?.text ?? '';
    const [slot] = await server.now.managed.logicalSlots();
    await server.now.asMaster('shop', drop.replace(/'dbms_shop_\w+'/, `'${slot?.name}'`));
    await capture();
    await capture();
    expect(await server.now.managed.logicalSlots()).toEqual([]);
    expect(await readWindow()).toMatchObject({ closed: { code: 'slot_dropped_by_others' } });
  });
});
