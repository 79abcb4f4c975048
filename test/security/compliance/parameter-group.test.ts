import { execFileSync } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  DescribeDBClustersCommand,
  DescribeDBInstancesCommand,
  DescribeDBParametersCommand,
  RDSClient,
} from '@aws-sdk/client-rds';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type LocalServices, startServices } from '../../../local/aws/services.ts';
import { rdsNamesOf } from '../../../shared/aws/rds-names.ts';
import { describeServer } from '../../../shared/platforms/managed/describe.ts';
import { rules } from '../../../shared/security/compliance/registry.ts';
import type { Context, Mend } from '../../../shared/security/compliance/rule.ts';
import { clientOptions } from '../../local/aws/support.ts';
import { type AwsClients, runAws } from './support/aws-cli.ts';

type Server = Record<string, unknown>;
const setting = (value: string, context: string, type = 'string', unit: string | null = null) => ({
  ...{ value, context, type, unit },
  source: 'default',
});
const server: Server = {
  version: 160_004,
  sees_all_settings: true,
  database: 'shop',
  settings: {
    log_connections: setting('off', 'superuser-backend', 'bool'),
    shared_preload_libraries: setting('pg_cron', 'postmaster'),
    data_directory: setting('/data', 'internal'),
  },
};

type Place = Partial<Context['database']>;

/** How a rule that a server of this kind breaks is judged. */
function judgeAt(
  id: string,
  place: Place,
  instance: Context['instance'] = null,
  parameters: Context['parameters'] = null,
) {
  const known = rules.find(({ rule }) => rule.id === id)?.rule;
  const database = { id: 'shop', kind: 'rds', name: 'shop', host: 'h.example', ...place } as Context['database'];
  const judged = known?.judge(server as never, { now: Date.now(), database, instance, parameters });
  if (judged?.status !== 'fail') throw new Error(`${id} is ${judged?.status}`);
  return judged;
}
const mendOf = (id: string, place: Place) => judgeAt(id, place).mend;

const groups = `
aws() {
  case "$2" in
    describe-db-instances) case "$*" in *DBClusterIdentifier*) echo orders ;; *) echo 'group of the instance' ;; esac ;;
    describe-db-clusters) case "$*" in *IsClusterWriter*) echo writer ;; *) echo "group of $4" ;; esac ;;
    *) printf '%s\\n' "$@" ;;
  esac
}
`;
/** The words that the CLI would be given, once a shell has read a statement; groups and writers are told by their commands. */
const read = (statement: string): string[] =>
  execFileSync('bash', ['-c', `${groups}${statement}`], { encoding: 'utf8' })
    .trimEnd()
    .split('\n');

const rds = { kind: 'rds', host: 'shop.cabc.eu-central-1.rds.amazonaws.com' } as const;
const cluster = { kind: 'aurora', host: 'ledger.cluster-cabc.eu-central-1.rds.amazonaws.com' } as const;
const member = { kind: 'aurora', host: 'orders-1.cabc.eu-central-1.rds.amazonaws.com' } as const;
const inInstance = ['rds', 'modify-db-parameter-group', '--db-parameter-group-name', 'group of the instance'];
const inCluster = (name: string) => [
  ...['rds', 'modify-db-cluster-parameter-group', '--db-cluster-parameter-group-name'],
  `group of ${name}`,
];

test.each([
  ['of an RDS instance, in its parameter group', rds, inInstance],
  ['of an Aurora cluster, in the parameter group of the cluster', cluster, inCluster('ledger')],
  ['of a member of one, in the parameter group of its cluster', member, inCluster('orders')],
])('a setting is mended at once: %s', (_, place, words) => {
  const mend = mendOf('log_connections', place);
  expect(mend.map(({ by }) => by)).toEqual(['aws']);
  const [name = '', ...rest] = read(mend[0]?.statement ?? '').reverse();
  expect(rest.reverse()).toEqual([...words, '--parameters']);
  const ApplyMethod = 'immediate';
  expect(JSON.parse(name)).toEqual([{ ParameterName: 'log_connections', ParameterValue: '1', ApplyMethod }]);
});

test.each([
  ['an RDS instance', rds, 'shop'],
  ['an RDS instance that is named', { ...rds, instance_id: 'shop-a' }, 'shop-a'],
  ['an Aurora cluster, its writer', cluster, 'writer'],
])('a setting that needs it restarts %s, and keeps what the list has', (_, place, instance) => {
  const [change, restart] = mendOf('pgaudit_loaded', place).map(({ statement }) => read(statement));
  const [parameter] = JSON.parse(change?.at(-1) ?? '');
  expect(parameter).toMatchObject({ ParameterName: 'shared_preload_libraries', ApplyMethod: 'pending-reboot' });
  expect(parameter.ParameterValue.split(',')).toEqual(['pg_cron', 'pgaudit']);
  expect(restart).toEqual(['rds', 'reboot-db-instance', '--db-instance-identifier', instance]);
});

describe('where RDS says which group it is', () => {
  let services: LocalServices;
  let folder: string;
  let clients: AwsClients;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'dbms-groups-'));
    services = await startServices({ stateFolder: folder });
    const rds = new RDSClient(clientOptions(services.endpoints.rds));
    clients = { rds } as AwsClients;
    await services.putInstance({
      DBInstanceIdentifier: 'shop',
      DBParameterGroups: [{ DBParameterGroupName: 'default.postgres16', ParameterApplyStatus: 'in-sync' }],
    });
    for (const id of ['a-reader', 'orders-1', 'z-reader']) {
      await services.putInstance({
        DBInstanceIdentifier: id,
        DBClusterIdentifier: 'orders',
        Engine: 'aurora-postgresql',
      });
    }
    await services.putCluster({
      DBClusterIdentifier: 'orders',
      DBClusterParameterGroup: 'default.aurora-postgresql16',
      DBClusterMembers: ['a-reader', 'orders-1', 'z-reader'].map((DBInstanceIdentifier) => ({
        DBInstanceIdentifier,
        IsClusterWriter: DBInstanceIdentifier === 'orders-1',
        DBClusterParameterGroupStatus: 'in-sync',
      })),
    });
  });
  afterAll(async () => {
    clients?.rds.destroy();
    await services?.close();
    await rm(folder, { recursive: true, force: true });
  });
  const judged = async (id: string, place: Place & { host: string }) =>
    judgeAt(id, place, await describeServer(clients.rds, rdsNamesOf(place), AbortSignal.timeout(10_000)));
  const run = async (mend: readonly Mend[]) => {
    for (const { statement } of mend) await runAws(statement, clients);
  };

  test('AWS lets nobody modify a default one', async () => {
    const parameters = JSON.stringify([{ ParameterName: 'log_connections', ParameterValue: 'on' }]);
    const command = `aws rds modify-db-parameter-group --db-parameter-group-name default.postgres16 --parameters '${parameters}'`;
    await expect(runAws(command, clients)).rejects.toMatchObject({ name: 'InvalidParameterValue' });
  });

  test('an instance gets a group of its own in place of a default one, and keeps that', async () => {
    const { found, mend } = await judged('log_connections', rds);
    expect(found).toMatch(/^log_connections = off; the parameter group default\.postgres16 is AWS's own and cannot be/);
    expect(mend.map(({ statement }) => statement)).toEqual([
      "aws rds create-db-parameter-group --db-parameter-group-name shop-postgres16 --db-parameter-group-family postgres16 --description 'Settings of shop'",
      expect.stringMatching(
        /^aws rds modify-db-parameter-group --db-parameter-group-name shop-postgres16 --parameters /,
      ),
      'aws rds modify-db-instance --db-instance-identifier shop --db-parameter-group-name shop-postgres16 --apply-immediately',
      'aws rds wait db-instance-available --db-instance-identifier shop',
      'aws rds reboot-db-instance --db-instance-identifier shop',
    ]);
    await run(mend);
    const { DBInstances } = await clients.rds.send(new DescribeDBInstancesCommand({ DBInstanceIdentifier: 'shop' }));
    const group = { DBParameterGroupName: 'shop-postgres16', ParameterApplyStatus: 'in-sync' };
    expect(DBInstances?.[0]?.DBParameterGroups).toEqual([group]);
    const again = await judged('log_connections', rds);
    expect(again.found).toBe('log_connections = off');
    expect(again.mend).toHaveLength(1);
    await run((await judged('pgaudit_loaded', rds)).mend);
    const { Parameters } = await clients.rds.send(
      new DescribeDBParametersCommand({ DBParameterGroupName: group.DBParameterGroupName, Source: 'user' }),
    );
    expect(Parameters).toMatchObject([
      { ParameterName: 'log_connections', ParameterValue: '1' },
      { ParameterName: 'shared_preload_libraries', ParameterValue: 'pg_cron,pgaudit' },
    ]);
  });

  test('a cluster gets one, too, by whichever address it is known, and each member restarts, the writer first', async () => {
    const orders = { kind: 'aurora', host: 'orders.cluster-cabc.eu-central-1.rds.amazonaws.com' } as const;
    const { found, mend } = await judged('pgaudit_loaded', orders);
    expect(found).toContain('default.aurora-postgresql16');
    expect(mend.map(({ statement }) => statement.replace(/ --parameters .*/, ''))).toEqual([
      "aws rds create-db-cluster-parameter-group --db-cluster-parameter-group-name orders-aurora-postgresql16 --db-parameter-group-family aurora-postgresql16 --description 'Settings of orders'",
      'aws rds modify-db-cluster-parameter-group --db-cluster-parameter-group-name orders-aurora-postgresql16',
      'aws rds modify-db-cluster --db-cluster-identifier orders --db-cluster-parameter-group-name orders-aurora-postgresql16 --apply-immediately',
      'aws rds wait db-cluster-available --db-cluster-identifier orders',
      ...['orders-1', 'a-reader', 'z-reader'].map((id) => `aws rds reboot-db-instance --db-instance-identifier ${id}`),
    ]);
    expect((await judged('pgaudit_loaded', member)).mend).toEqual(mend);
    await run(mend);
    const { DBClusters } = await clients.rds.send(new DescribeDBClustersCommand({ DBClusterIdentifier: 'orders' }));
    expect(DBClusters?.[0]?.DBClusterParameterGroup).toBe('orders-aurora-postgresql16');
    const states = DBClusters?.[0]?.DBClusterMembers?.map(({ DBClusterParameterGroupStatus: state }) => state);
    expect(states).toEqual(['in-sync', 'in-sync', 'in-sync']);
    // Without a restart, where the group is one's own and the parameter needs none.
    const [change, ...restarts] = (await judged('log_connections', member)).mend;
    expect(change?.statement).toContain('--db-cluster-parameter-group-name orders-aurora-postgresql16 --parameters');
    expect(restarts).toEqual([]);
  });
});

test('a server of its own is mended by statements', () => {
  const mend = mendOf('log_connections', { kind: 'self-managed' });
  expect(mend).toEqual([
    { by: 'sql', statement: `ALTER SYSTEM SET "log_connections" = 'on';` },
    { by: 'sql', statement: 'SELECT pg_catalog.pg_reload_conf();' },
  ]);
});
