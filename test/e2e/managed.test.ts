import { randomUUID } from 'node:crypto';
import {
  DescribeDBClustersCommand,
  ModifyDBClusterParameterGroupCommand,
  RDSClient,
  RebootDBInstanceCommand,
} from '@aws-sdk/client-rds';
import { RotateSecretCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { clientOptions } from '../local/aws/support.ts';
import { accepted, call, endOf, eventually, startBackup, startRestore } from './support/api.ts';
import { startTestSystem, type TestSystem } from './support/system.ts';

/**
 * What this system does, once each, on a server that is managed as Aurora is, with the login of the guide. `npm run managed` runs all
 * e2e tests on both kinds.
 */
let system: TestSystem;
let rds: RDSClient;

beforeAll(async () => {
  system = await startTestSystem({ managed: 'aurora', schedules: false });
  rds = new RDSClient(clientOptions(system.current.services.endpoints.rds));
});
afterAll(async () => {
  rds?.destroy();
  await system?.end();
});

const asMaster = async (sql: string, database = 'shop'): Promise<Record<string, unknown>[]> => {
  const { managed } = system.current;
  if (!managed) throw new Error('The server is not managed');
  const client = new pg.Client({ host: managed.host, port: managed.port, database, ...managed.master });
  await client.connect();
  try {
    const result: pg.QueryResult | pg.QueryResult[] = await client.query(sql);
    // Of several statements, the last.
    return (Array.isArray(result) ? result.at(-1)?.rows : result.rows) ?? [];
  } finally {
    await client.end();
  }
};
/** As the role that owns the shop. */
const asOwner = async (sql: string, database = 'shop') => asMaster(`SET ROLE shop_owner; ${sql}`, database);
const invoke = async (name: string, payload: object = {}) => {
  const { outcome } = await system.current.lambda.invoke({
    functionName: `dbms-${name}`,
    payload: JSON.stringify(payload),
  });
  expect(outcome).toMatchObject({ ok: true });
};
const customers = async (database: string) =>
  (await asOwner('SELECT count(*)::int AS n, min(email) AS email FROM shop.customers', database))[0];
const reviews = async () => (await asOwner('SELECT count(*)::int AS n FROM shop.reviews'))[0]?.n;

let backup = '';

test('backs up Aurora at its default settings, and restores into a new database', async () => {
  const taken = await endOf(system.current, (await startBackup(system.current, 'shop')).id);
  expect(taken).toMatchObject({ status: 'succeeded', error: null });
  backup = taken.backup_id ?? '';
  const restore = await startRestore(system.current, { database: 'shop', backup, target: 'shop_restored' });
  const restored = await endOf(system.current, restore.id);
  expect(restored).toMatchObject({ status: 'succeeded', error: null });
  // The login is no member of rds_superuser, who alone may create it.
  expect(restored.warnings.filter((text) => !/EXTENSION pg_stat_statements/.test(text))).toEqual([]);
  expect(await customers('shop_restored')).toEqual(await customers('shop'));
});

test('verifies the backup by a restore', async () => {
  const started = accepted(
    await call(system.current, `/backups/${backup}/validate`, { as: 'operator', body: { level: 'restore' } }),
  );
  expect(await endOf(system.current, started.id)).toMatchObject({ status: 'succeeded', error: null });
});

test('restores in place of the database and swaps back', async () => {
  const before = await reviews();
  await asOwner('DELETE FROM shop.reviews');
  const started = accepted(
    await call(system.current, '/restore', { body: { backup_id: backup, confirm: true, mode: 'swap' } }),
  );
  expect(await endOf(system.current, started.id)).toMatchObject({ status: 'succeeded', error: null });
  expect(await reviews()).toBe(before);
  const back = await call(system.current, `/restore/${started.id}/swap-back`, { body: { confirm: true } });
  expect(back.status, back.text).toBe(200);
  expect(await reviews()).toBe(0);
});

test('masks a backup', async () => {
  const rules = [{ table: 'shop.customers', column: 'email', mask: { rule: 'email' } }];
  const changed = await call(system.current, '/security/masking', { method: 'PUT', body: { version: 0, rules } });
  expect(changed.status, changed.text).toBe(200);
  const taken = accepted(await call(system.current, '/backups', { body: { backup_type: 'full', masked: true } }));
  const ended = await endOf(system.current, taken.id);
  expect(ended).toMatchObject({ status: 'succeeded', error: null });
  const restore = await startRestore(system.current, {
    database: 'shop',
    backup: ended.backup_id ?? '',
    target: 'shop_masked',
  });
  expect(await endOf(system.current, restore.id)).toMatchObject({ status: 'succeeded', error: null });
  const [plain, masked] = [await customers('shop'), await customers('shop_masked')];
  expect(masked?.n).toBe(plain?.n);
  expect(masked?.email).not.toBe(plain?.email);
});

test('samples the health, judges the compliance and names what the platform allows', async () => {
  await invoke('sample-health');
  const health = await call(system.current, '/health', { as: 'viewer' });
  expect(health.json).toMatchObject({ database: 'shop', unreachable: null });
  const doctor = await call(system.current, '/doctor', { as: 'viewer' });
  expect(doctor.json).toMatchObject({ platform: 'Amazon Aurora', login: 'dbms' });
  const compliance = await call(system.current, '/security/compliance', { as: 'auditor' });
  expect(compliance.status, compliance.text).toBe(200);
});

test('recovers to a point in time once rds.logical_replication is on and the instance was rebooted', async () => {
  const turn = (enabled: boolean) => call(system.current, '/recovery', { method: 'PUT', body: { enabled } });
  expect((await turn(true)).status).toBe(409);
  const parameter = {
    ParameterName: 'rds.logical_replication',
    ParameterValue: '1',
    ApplyMethod: 'pending-reboot',
  } as const;
  await rds.send(
    new ModifyDBClusterParameterGroupCommand({
      DBClusterParameterGroupName: 'shop-settings',
      Parameters: [
        parameter,
        { ParameterName: 'max_slot_wal_keep_size', ParameterValue: '1024', ApplyMethod: 'immediate' },
      ],
    }),
  );
  const statusOf = async () => {
    const { DBClusters } = await rds.send(new DescribeDBClustersCommand({ DBClusterIdentifier: 'shop' }));
    return DBClusters?.[0]?.DBClusterMembers?.[0]?.DBClusterParameterGroupStatus;
  };
  expect(await statusOf()).toBe('pending-reboot');
  await rds.send(new RebootDBInstanceCommand({ DBInstanceIdentifier: 'shop-1' }));
  expect(await statusOf()).toBe('in-sync');

  const on = await turn(true);
  expect(on.status, on.text).toBe(200);
  const base = await endOf(system.current, (await startBackup(system.current, 'shop')).id);
  expect(base).toMatchObject({ status: 'succeeded', error: null });
  const rename = (name: string) => asOwner(`UPDATE shop.customers SET name = '${name}' WHERE id = 1`);
  await rename('wanted');
  const [moment] = await asMaster(
    `SELECT to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS at`,
  );
  const at = String(moment?.at);
  await rename('by mistake');
  await eventually(
    async () => {
      await rename('later');
      await invoke('capture-changes');
      return (await call(system.current, '/recovery-window', { as: 'viewer' })).json;
    },
    ({ latest }) => latest !== null && latest.time > at,
  );
  const restored = accepted(
    await call(system.current, '/restore', {
      body: { point_in_time: at, target_database: 'shop_before', confirm: true },
    }),
  );
  expect(await endOf(system.current, restored.id)).toMatchObject({ status: 'succeeded', error: null });
  expect(await asOwner('SELECT name FROM shop.customers WHERE id = 1', 'shop_before')).toEqual([{ name: 'wanted' }]);
  expect((await turn(false)).json).toMatchObject({ status: 'off', slot: null });
});

test('turns recovery on for a member of rds_superuser whom the server refuses event triggers, and says so', async () => {
  const turn = (enabled: boolean) => call(system.current, '/recovery', { method: 'PUT', body: { enabled } });
  await asMaster('GRANT rds_superuser TO dbms');
  const on = await turn(true);
  expect(on.status, on.text).toBe(200);
  expect(on.json).toMatchObject({ status: 'on', follows_definitions: false });
  expect(on.json.warnings).toContainEqual(
    expect.objectContaining({
      code: 'definitions_not_followed',
      message: expect.stringContaining('the server let the login create no event triggers'),
    }),
  );
  expect((await turn(false)).json).toMatchObject({ status: 'off', slot: null });
  await asMaster('REVOKE rds_superuser FROM dbms');
});

test('rotates the password of the login', async () => {
  const secrets = new SecretsManagerClient(clientOptions(system.current.services.endpoints.secretsmanager));
  const [SecretId, ClientRequestToken] = ['databases/shop', randomUUID()];
  try {
    const RotationLambdaARN = 'arn:aws:lambda:us-east-1:000000000000:function:rotate';
    const { ARN } = await secrets.send(new RotateSecretCommand({ SecretId, ClientRequestToken, RotationLambdaARN }));
    for (const Step of ['createSecret', 'setSecret', 'testSecret', 'finishSecret'])
      await invoke('rotate-password', { Step, SecretId: ARN, ClientRequestToken });
  } finally {
    secrets.destroy();
  }
  await invoke('sample-health');
  const { json } = await call(system.current, '/health', { as: 'viewer' });
  expect(json.unreachable).toBeNull();
});
