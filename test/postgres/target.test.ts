import { expect, test } from 'vitest';
import { rdsNamesOf } from '../../shared/aws/rds-names.ts';
import { databaseSchema, runtimeConfigurationSchema } from '../../shared/configuration/runtime.ts';
import { connect } from '../../shared/postgres/connect.ts';
import { poolerByAddress } from '../../shared/postgres/pooler.ts';
import { configuredPooler, connectionTarget, monitoringTarget } from '../../shared/postgres/target.ts';

const PROXY = 'shop.proxy-cabcdefghijk.eu-central-1.rds.amazonaws.com';
const SERVER = 'shop.cabcdefghijk.eu-central-1.rds.amazonaws.com';
const AWS = { region: 'eu-central-1', credentials: { accessKeyId: 'AKIA', secretAccessKey: 'secret' } };
const iam = { type: 'iam', user: 'dbms', resource_id: 'prx-ABC' };
const databaseOf = (more: object) =>
  databaseSchema.parse({ id: 'shop', host: PROXY, name: 'shop', login: iam, ...more });
const limits = runtimeConfigurationSchema.parse({ databases: [databaseOf({})] }).connections;
const clients = { secretsManager: undefined as never, rdsSigner: AWS };

test('monitoring goes to the pooler and jobs to the server, each with a token for its own address', async () => {
  const database = databaseOf({ port: 6432, direct: { host: SERVER, tls: { ca: 'of the server' } } });
  const watching = monitoringTarget(database, limits, clients, 'dbms sample');
  const working = connectionTarget(database, limits, clients, 'dbms backup');
  expect(watching).toMatchObject({ host: PROXY, port: 6432, setting: 'host', tls: { mode: 'verify-full' } });
  expect(working).toMatchObject({ host: SERVER, port: 5432, setting: 'direct.host', tls: { ca: 'of the server' } });
  expect((await watching.credentials()).password).toMatch(`${PROXY}:6432/`);
  expect((await working.credentials()).password).toMatch(`${SERVER}:5432/`);
  expect(configuredPooler(database)).toBeNull();
  expect(rdsNamesOf(database).instance).toBe('shop');
});

test('without an address of its own the server is where monitoring goes', () => {
  const database = databaseOf({ host: SERVER });
  const { credentials: _, ...target } = connectionTarget(database, limits, clients, 'dbms');
  expect(monitoringTarget(database, limits, clients, 'dbms')).toMatchObject(target);
});

test.each([
  [PROXY, true],
  ['read-only.endpoint.proxy-cabcdefghijk.eu-central-1.rds.amazonaws.com', true],
  ['SHOP.PROXY-CABCDEFGHIJK.CN-NORTH-1.RDS.AMAZONAWS.COM.CN', true],
  [SERVER, false],
  ['shop.cluster-cabcdefghijk.eu-central-1.rds.amazonaws.com', false],
  ['proxy-shop.cabcdefghijk.eu-central-1.rds.amazonaws.com', false],
  ['pooler.internal', false],
])('the address %s is that of a proxy: %s', (host, isProxy) => {
  expect(poolerByAddress(host) !== null).toBe(isProxy);
});

test('a job is refused at the address of a proxy before anything connects or asks for credentials', async () => {
  const database = databaseOf({});
  const target = connectionTarget(database, limits, clients, 'dbms backup');
  const unasked = { ...target, credentials: () => Promise.reject(new Error('asked')) };
  await expect(connect(unasked, { kind: 'exporting' })).rejects.toMatchObject({
    code: 'server_needed',
    message: expect.stringMatching(
      /At shop\.proxy-.+:5432 there is an RDS Proxy: the address is that of a proxy endpoint/,
    ),
  });
  await expect(connect(unasked, { kind: 'monitoring' })).rejects.toThrow('asked');
  expect(configuredPooler(database)?.pooler.name).toBe('an RDS Proxy');
});
