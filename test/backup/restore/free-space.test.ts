import { CloudWatchClient, PutMetricDataCommand } from '@aws-sdk/client-cloudwatch';
import { beforeAll, describe, expect, test } from 'vitest';
import { rdsNamesOf } from '../../../shared/aws/rds-names.ts';
import type { Finding } from '../../../shared/backup/restore/findings.ts';
import { checkFreeSpace, spaceUnknown } from '../../../shared/backup/restore/free-space.ts';
import { databaseSchema } from '../../../shared/configuration/runtime.ts';
import type { FreeSpace } from '../../../shared/platforms/platform.ts';
import { platformOf } from '../../../shared/platforms/platforms.ts';
import { clientOptions, useServices } from '../../local/aws/support.ts';

const database = (changes: object) =>
  databaseSchema.parse({
    id: 'shop',
    host: 'shop-1.cabcdefghijk.eu-central-1.rds.amazonaws.com',
    name: 'shop',
    login: { type: 'secret', secret_arn: 'arn:aws:secretsmanager:eu-central-1:123456789012:secret:shop' },
    ...changes,
  });

describe('what CloudWatch knows of the server', () => {
  const services = useServices();
  let cloudwatch: CloudWatchClient;
  beforeAll(async () => {
    cloudwatch = new CloudWatchClient({ ...clientOptions(services.current.endpoints.cloudwatch), maxAttempts: 1 });
    const sample = (minutes: number, Value: number) => ({
      MetricName: 'FreeStorageSpace',
      Dimensions: [{ Name: 'DBInstanceIdentifier', Value: 'shop-1' }],
      Timestamp: new Date(Date.now() - minutes * 60_000),
      Value,
    });
    const old = { ...sample(60, 3), Dimensions: [{ Name: 'DBInstanceIdentifier', Value: 'stopped' }] };
    const MetricData = [sample(9, 5_000_000), sample(3, 4_000_000), old];
    await cloudwatch.send(new PutMetricDataCommand({ Namespace: 'AWS/RDS', MetricData }));
  });
  const read = (changes: object) => {
    const server = database(changes);
    return platformOf(server).storage.readFree(server, cloudwatch);
  };

  test('is the last value of the instance that the endpoint or the configuration names', async () => {
    expect(await read({})).toEqual({ is: 'known', bytes: 4_000_000 });
    expect(await read({ host: 'db.example', instance_id: 'shop-1' })).toEqual({ is: 'known', bytes: 4_000_000 });
  });

  test('is unknown with the reason, where there is no name, no recent value or no answer', async () => {
    expect(await read({ host: 'db.example' })).toMatchObject({ reason: expect.stringContaining('db.example') });
    for (const id of ['stopped', 'other']) {
      expect(await read({ instance_id: id })).toMatchObject({ is: 'unknown', reason: expect.stringContaining(id) });
    }
    await services.current.faults.set({ service: 'cloudwatch', status: 400, code: 'AccessDeniedException', times: 1 });
    expect(await read({})).toEqual({ is: 'unknown', reason: 'CloudWatch did not answer (AccessDeniedException)' });
  });

  test('does not matter to Aurora, and is not asked for other servers', async () => {
    expect(await read({ kind: 'aurora' })).toEqual({ is: 'growing' });
    expect(await read({ kind: 'self-managed' })).toEqual(await spaceUnknown());
  });
});

test.each([
  ['shop.cabc.eu-central-1.rds.amazonaws.com', 'shop'],
  ['SHOP.cabc.cn-north-1.rds.amazonaws.com.cn', 'shop'],
  ['shop.cluster-cabc.eu-central-1.rds.amazonaws.com', null],
  ['shop.cluster-ro-cabc.eu-central-1.rds.amazonaws.com', null],
  ['shop.proxy-cabc.eu-central-1.rds.amazonaws.com', null],
  ['shop.example.com', null],
  ['10.0.0.1', null],
])('the instance of %s is %s', (host, expected) => {
  expect(rdsNamesOf({ host }).instance).toBe(expected);
});

describe('the check', () => {
  const chunk = { path: 'x', stored_bytes: 100, sha256: '', rows: 10, bytes: 720 };
  const tables = [{ oid: 1, schema: 's', name: 't', columns: [], rows: 10, bytes: 720, chunks: [chunk] }];
  const manifest = {
    tables,
    totals: { tables: 1, rows: 10, bytes: 720, stored_bytes: 100, objects: 3 },
    large_objects: { objects: [], chunks: [] },
  };
  const check = (space: FreeSpace): string[] => {
    const [problems, warnings]: Finding[][] = [[], []];
    checkFreeSpace(manifest, space, problems ?? [], warnings ?? []);
    return [
      ...(problems ?? []).map(({ code }) => `problem ${code}`),
      ...(warnings ?? []).map(({ code, message }) => `${code}: ${message.includes('about 2000 bytes')}`),
    ];
  };

  test.each([
    [{ is: 'growing' }, []],
    [{ is: 'unknown', reason: 'Nobody knows' }, ['free_space_unknown: true']],
    [{ is: 'known', bytes: 99 }, ['problem disk_too_small']],
    [{ is: 'known', bytes: 100 }, ['disk_may_be_small: true']],
    [{ is: 'known', bytes: 1999 }, ['disk_may_be_small: true']],
    [{ is: 'known', bytes: 2000 }, []],
  ] as const)('of %j answers %j', (space, expected) => {
    expect(check(space)).toEqual(expected);
  });
});
