import { CloudWatchClient, PutMetricDataCommand } from '@aws-sdk/client-cloudwatch';
import { RDSClient } from '@aws-sdk/client-rds';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { databaseSchema } from '../../shared/configuration/runtime.ts';
import { platformOf } from '../../shared/platforms/platforms.ts';
import { clientOptions, useServices } from '../local/aws/support.ts';

const services = useServices();
let cloudwatch: CloudWatchClient;
let api: RDSClient;

const GIBIBYTE = 2 ** 30;
const instance = (Value: string) => [{ Name: 'DBInstanceIdentifier', Value }];
const cluster = (Value: string, Role?: string) => [
  { Name: 'DBClusterIdentifier', Value },
  ...(Role ? [{ Name: 'Role', Value: Role }] : []),
];

/** What AWS publishes: minutes ago, where, what. */
const published: [minutes: number, ReturnType<typeof instance>, Record<string, number>][] = [
  [8, instance('shop'), { CPUUtilization: 90, FreeableMemory: 1 * GIBIBYTE, FreeStorageSpace: 10 * GIBIBYTE }],
  [2, instance('shop'), { CPUUtilization: 25, FreeableMemory: 2 * GIBIBYTE, FreeStorageSpace: 30 * GIBIBYTE }],
  [2, instance('started'), { FreeableMemory: 3 * GIBIBYTE }],
  [40, instance('stopped'), { CPUUtilization: 50, FreeableMemory: 4 * GIBIBYTE, FreeStorageSpace: GIBIBYTE }],
  [2, instance('orders-1'), { CPUUtilization: 10, FreeableMemory: 5 * GIBIBYTE }],
  [2, cluster('orders'), { CPUUtilization: 50, FreeableMemory: 6 * GIBIBYTE, VolumeBytesUsed: 32 * 1024 * GIBIBYTE }],
  [2, cluster('orders', 'WRITER'), { CPUUtilization: 80, FreeableMemory: 7 * GIBIBYTE }],
  [2, instance('grown'), { CPUUtilization: 5, FreeStorageSpace: 40 * GIBIBYTE }],
  [2, instance('multi-2'), { CPUUtilization: 30, FreeableMemory: GIBIBYTE, FreeStorageSpace: 60 * GIBIBYTE }],
  [2, instance('nights-1'), { CPUUtilization: 40, ACUUtilization: 95, FreeLocalStorage: 2 * GIBIBYTE }],
  [2, cluster('orders', 'READER'), { CPUUtilization: 20, FreeableMemory: 8 * GIBIBYTE }],
];

beforeAll(async () => {
  cloudwatch = new CloudWatchClient(clientOptions(services.current.endpoints.cloudwatch));
  const MetricData = published.flatMap(([minutes, Dimensions, values]) =>
    Object.entries(values).map(([MetricName, Value]) => ({
      ...{ MetricName, Dimensions, Value },
      Timestamp: new Date(Date.now() - minutes * 60_000),
    })),
  );
  await cloudwatch.send(new PutMetricDataCommand({ Namespace: 'AWS/RDS', MetricData }));
  api = new RDSClient(clientOptions(services.current.endpoints.rds));
});
afterAll(() => api?.destroy());

const login = { type: 'secret', secret_arn: 'arn:aws:secretsmanager:eu-west-1:111122223333:secret:shop' };
const read = (endpoint: string, changes: object) => {
  const host = `${endpoint}.eu-west-1.rds.amazonaws.com`;
  const database = databaseSchema.parse({ id: 'shop', name: 'shop', login, host, ...changes });
  return platformOf(database).metrics.read(cloudwatch, database, null);
};
const rds = { kind: 'rds' };
const aurora = { kind: 'aurora' };

test.each([
  ['an instance, as of its newest minute', 'shop.c1abc', { ...rds, storage_gigabytes: 40 }, [0.25, 2, 30, 0.25]],
  ['one written in capitals, of whose storage nothing is configured', 'SHOP.c1abc', rds, [0.25, 2, 30, null]],
  ['one that has told its memory alone', 'started.c1abc', rds, [null, 3, null, null]],
  [
    'one that has told nothing for half an hour',
    'stopped.c1abc',
    { ...rds, storage_gigabytes: 40 },
    [null, null, null, null],
  ],
  ['one that CloudWatch does not know', 'other.c1abc', rds, [null, null, null, null]],
  ['the writer of an Aurora cluster', 'orders.cluster-c1abc', aurora, [0.8, 7, undefined, 0.25]],
  ['its readers', 'orders.cluster-ro-c1abc', aurora, [0.2, 8, undefined, 0.25]],
  ['one instance of it, whose volume the cluster alone tells', 'orders-1.c1abc', aurora, [0.1, 5, undefined, null]],
  [
    'the cluster with an instance named',
    'orders.cluster-c1abc',
    { ...aurora, instance_id: 'orders-1' },
    [0.1, 5, undefined, 0.25],
  ],
  ['a cluster that CloudWatch does not know', 'other.cluster-c1abc', aurora, [null, null, undefined, null]],
] as const)('%s', async (_what, endpoint, changes, [cpu, memory, free, usage]) => {
  const bytes = (gibibytes: number | null | undefined) => gibibytes && gibibytes * GIBIBYTE;
  expect(await read(endpoint, changes)).toEqual({
    cpu_usage: cpu,
    memory_free_bytes: bytes(memory),
    ...(free === undefined
      ? { local_storage_free_bytes: null }
      : { disk_free_bytes: bytes(free), disk_ceiling_usage: null }),
    disk_usage: usage,
  });
});

test('a name of its own has the readings of the instance that is configured', async () => {
  const host = 'db.example.com';
  expect(await read('', { ...rds, host, instance_id: 'shop' })).toMatchObject({ memory_free_bytes: 2 * GIBIBYTE });
});

test.each([
  ['a name of its own', '', { ...rds, host: 'db.example.com' }],
  ['a proxy', 'shop.proxy-c1abc', rds],
  ['a custom endpoint of some instances', 'orders.cluster-custom-c1abc', aurora],
  ['a server that AWS does not manage', 'shop.c1abc', { kind: 'self-managed' }],
  ['a cluster that is not of Aurora, whose instance is not named', 'shop.cluster-c1abc', rds],
])('nothing of %s: CloudWatch is not asked', async (_what, endpoint, changes) => {
  const fault = { service: 'cloudwatch', status: 400, code: 'AccessDeniedException', times: 1 } as const;
  await services.current.faults.set(fault);
  expect(await read(endpoint, changes)).toEqual({});
  await services.current.faults.clear();
});

describe('with what RDS says of the server', () => {
  const described = async (endpoint: string, changes: object) => {
    const host = `${endpoint}.eu-west-1.rds.amazonaws.com`;
    const database = databaseSchema.parse({ id: 'shop', name: 'shop', login, host, ...changes });
    const { metrics, endpoints } = platformOf(database);
    const server = await endpoints.describe(api, database, AbortSignal.timeout(10_000));
    return metrics.read(cloudwatch, database, server);
  };

  test('a disk is compared with the size that RDS has given it, whatever the configuration still says', async () => {
    const storage = { AllocatedStorage: 500, MaxAllocatedStorage: 1000 };
    await services.current.putInstance({ DBInstanceIdentifier: 'grown', Engine: 'postgres', ...storage });
    const found = await described('grown.c1abc', { kind: 'rds', storage_gigabytes: 100 });
    expect(found).toMatchObject({ disk_free_bytes: 40 * GIBIBYTE, disk_usage: 0.92, disk_ceiling_usage: 0.46 });
    expect(await described('grown.c1abc', { kind: 'rds' })).toMatchObject({ disk_usage: 0.92 });
    await services.current.putInstance({ DBInstanceIdentifier: 'grown', ...storage, MaxAllocatedStorage: 500 });
    expect(await described('grown.c1abc', { kind: 'rds' })).toMatchObject({ disk_ceiling_usage: null });
  });

  test('a Multi-AZ DB cluster has the metrics of the instance that writes', async () => {
    for (const id of ['multi-1', 'multi-2', 'multi-3']) {
      const of = { DBClusterIdentifier: 'multi', Engine: 'postgres', AllocatedStorage: 100 };
      await services.current.putInstance({ DBInstanceIdentifier: id, ...of });
    }
    const members = ['multi-1', 'multi-2', 'multi-3'].map((id) => ({
      DBInstanceIdentifier: id,
      IsClusterWriter: id === 'multi-2',
    }));
    await services.current.putCluster({ DBClusterIdentifier: 'multi', Engine: 'postgres', DBClusterMembers: members });
    expect(await described('multi.cluster-c1abc', { kind: 'rds' })).toEqual({
      cpu_usage: 0.3,
      memory_free_bytes: GIBIBYTE,
      disk_free_bytes: 60 * GIBIBYTE,
      disk_usage: 0.4,
      disk_ceiling_usage: null,
    });
  });

  test('Aurora Serverless has its capacity, and Aurora the local storage of the instance', async () => {
    const Engine = 'aurora-postgresql';
    await services.current.putInstance({
      DBInstanceIdentifier: 'nights-1',
      ...{ DBClusterIdentifier: 'nights', Engine, AllocatedStorage: 1, DBInstanceClass: 'db.serverless' },
    });
    await services.current.putCluster({
      ...{ DBClusterIdentifier: 'nights', Engine },
      ServerlessV2ScalingConfiguration: { MinCapacity: 0, MaxCapacity: 8, SecondsUntilAutoPause: 300 },
      DBClusterMembers: [{ DBInstanceIdentifier: 'nights-1', IsClusterWriter: true }],
    });
    expect(await described('nights.cluster-c1abc', { kind: 'aurora' })).toEqual({
      cpu_usage: 0.4,
      memory_free_bytes: null,
      local_storage_free_bytes: 2 * GIBIBYTE,
      disk_usage: null,
      capacity_usage: 0.95,
    });
  });
});
