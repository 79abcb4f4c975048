import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DescribeDBInstancesCommand, RDSClient } from '@aws-sdk/client-rds';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type LocalServices, startServices } from '../../../local/aws/services.ts';
import { rdsNamesOf } from '../../../shared/aws/rds-names.ts';
import { describeServer } from '../../../shared/platforms/managed/describe.ts';
import type { Judgement } from '../../../shared/security/compliance/rule.ts';
import { instanceRules } from '../../../shared/security/compliance/rules/instance.ts';
import { clientOptions } from '../../local/aws/support.ts';
import { type AwsClients, runAws } from './support/aws-cli.ts';

const host = 'ledger.cluster-cabc.eu-central-1.rds.amazonaws.com';
const CLASS = 'db.r8g.large';
let services: LocalServices;
let folder: string;
let rds: RDSClient;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'dbms-cluster-'));
  services = await startServices({ stateFolder: folder });
  rds = new RDSClient(clientOptions(services.endpoints.rds));
  const member = { DBClusterIdentifier: 'ledger', DBInstanceClass: CLASS, Engine: 'aurora-postgresql' };
  await services.putInstance({ ...member, DBInstanceIdentifier: 'ledger-a', AutoMinorVersionUpgrade: true });
  await services.putInstance({ ...member, DBInstanceIdentifier: 'ledger-b', PubliclyAccessible: true });
  // Another's, which is public as well.
  await services.putInstance({
    DBInstanceIdentifier: 'other',
    PubliclyAccessible: true,
    DBClusterIdentifier: 'others',
  });
  await services.putCluster({
    DBClusterIdentifier: 'ledger',
    Engine: 'aurora-postgresql',
    BackupRetentionPeriod: 1,
    DBClusterMembers: [
      { DBInstanceIdentifier: 'ledger-a', IsClusterWriter: false },
      { DBInstanceIdentifier: 'ledger-b', IsClusterWriter: true },
    ],
  });
});
afterAll(async () => {
  rds?.destroy();
  await services?.close();
  await rm(folder, { recursive: true, force: true });
});

const read = (place: { host: string; instance_id?: string } = { host }) =>
  describeServer(rds, rdsNamesOf(place), AbortSignal.timeout(10_000));

async function judged(id: string): Promise<Judgement> {
  const rule = instanceRules.find((each) => each.id === id);
  if (!rule) throw new Error(`There is no rule ${id}`);
  const context = { now: Date.now(), database: { kind: 'aurora', name: 'ledger' } };
  return rule.judge(await read(), context as never);
}

test('is read by its endpoints and by those of its members, the writer first', async () => {
  const cluster = await read();
  expect(cluster).toMatchObject({ id: 'ledger', isCluster: true, instances: [{ id: 'ledger-b' }, { id: 'ledger-a' }] });
  for (const place of [
    { host: host.replace('.cluster-', '.cluster-ro-') },
    { host: 'ledger-a.cabc.eu-central-1.rds.amazonaws.com' },
    { host: 'db.example', instance_id: 'ledger-b' },
    // What its first label names is an endpoint, no cluster.
    { host: 'reports.cluster-custom-cabc.eu-central-1.rds.amazonaws.com', instance_id: 'ledger-a' },
  ])
    expect(await read(place), place.host).toEqual(cluster);
});

test.each([
  'db.example',
  'reports.cluster-custom-cabc.eu-central-1.rds.amazonaws.com',
  'a.proxy-cabc.eu-central-1.rds.amazonaws.com',
])('is not guessed from %s', async (name) => {
  await expect(read({ host: name })).rejects.toThrow('set instance_id');
});

test.each([
  ['instance_public', 'It has one: ledger-b'],
  ['instance_backups', '1 days'],
  ['instance_deletion', 'off'],
  ['instance_upgrades', 'off: ledger-b'],
  ['instance_log', 'It is not exported'],
  // The last one: its copy has what the cluster has.
  ['instance_encryption', 'It is not'],
])('%s: what the rule says mends a cluster', async (id, found) => {
  const broken = await judged(id);
  expect(broken).toMatchObject({ status: 'fail', found });
  if (broken.status !== 'fail') return;
  for (const { by, statement } of broken.mend) if (by === 'aws') await runAws(statement, { rds } as AwsClients);
  expect(await judged(id)).toMatchObject({ status: 'pass' });
});

test('its encrypted copy has an instance', async () => {
  const { DBInstances } = await rds.send(
    new DescribeDBInstancesCommand({ DBInstanceIdentifier: 'ledger-encrypted-1' }),
  );
  expect(DBInstances).toMatchObject([{ DBClusterIdentifier: 'ledger', DBInstanceClass: CLASS }]);
});
