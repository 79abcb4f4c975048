import {
  CreateBlueGreenDeploymentCommand,
  CreateDBClusterEndpointCommand,
  CreateDBClusterParameterGroupCommand,
  CreateDBParameterGroupCommand,
  DescribeBlueGreenDeploymentsCommand,
  DescribeDBClusterEndpointsCommand,
  DescribeDBClustersCommand,
  DescribeDBInstancesCommand,
  DescribeDBLogFilesCommand,
  DescribeEventsCommand,
  DownloadDBLogFilePortionCommand,
  FailoverDBClusterCommand,
  ModifyDBClusterParameterGroupCommand,
  ModifyDBInstanceCommand,
  ModifyDBParameterGroupCommand,
  paginateDescribeDBClusterParameters,
  paginateDescribeDBParameters,
  RDSClient,
  RebootDBInstanceCommand,
  ResetDBParameterGroupCommand,
  SwitchoverBlueGreenDeploymentCommand,
} from '@aws-sdk/client-rds';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { AttachedServer, LogicalSlot } from '../../../local/aws/rds/attached-server.ts';
import { logLinePrefixes } from '../../../local/postgres/managed/profile.ts';
import { clientOptions, useServices } from './support.ts';

const services = useServices();
let rds: RDSClient;
beforeAll(() => {
  rds = new RDSClient(clientOptions(services.current.endpoints.rds));
});
afterAll(() => rds?.destroy());

/** What was done to a server that stands behind an instance. */
function recordingServer(slots: LogicalSlot[] = []) {
  const done: unknown[] = [];
  const server: AttachedServer = {
    setParameters: async (parameters) => void done.push(parameters),
    setPlace: async ({ instance, members }) => void done.push([instance, members[instance]]),
    restart: async () => void done.push('restart'),
    logicalSlots: async () => slots,
    log: '/nowhere',
  };
  return { server, done, slots };
}

const change = (ParameterName: string, ParameterValue: string, ApplyMethod: 'immediate' | 'pending-reboot') => ({
  ParameterName,
  ParameterValue,
  ApplyMethod,
});

describe('parameter groups', () => {
  const DBParameterGroupName = 'shop-postgres16';
  const modify = (...Parameters: ReturnType<typeof change>[]) =>
    rds.send(new ModifyDBParameterGroupCommand({ DBParameterGroupName, Parameters }));
  const { server, done } = recordingServer();
  const statusOf = async () => {
    const { DBInstances } = await rds.send(new DescribeDBInstancesCommand({ DBInstanceIdentifier: 'shop' }));
    return DBInstances?.[0]?.DBParameterGroups?.[0]?.ParameterApplyStatus;
  };
  beforeAll(async () => {
    await rds.send(
      new CreateDBParameterGroupCommand({
        DBParameterGroupName,
        DBParameterGroupFamily: 'postgres16',
        Description: 'x',
      }),
    );
    await services.current.putInstance({
      DBInstanceIdentifier: 'shop',
      Engine: 'postgres',
      EngineVersion: '16.4',
      AllocatedStorage: 100,
      MaxAllocatedStorage: 1000,
      DBParameterGroups: [{ DBParameterGroupName, ParameterApplyStatus: 'in-sync' }],
    });
    await services.current.attachServer('shop', server);
  });

  test('list what a parameter may be, a hundred at a time', async () => {
    const found = new Map();
    let pages = 0;
    for await (const { Parameters = [] } of paginateDescribeDBParameters({ client: rds }, { DBParameterGroupName })) {
      pages += 1;
      for (const each of Parameters) found.set(each.ParameterName, each);
    }
    expect(pages).toBeGreaterThan(2);
    expect(found.get('log_min_duration_statement')).toMatchObject({
      DataType: 'integer',
      AllowedValues: '-1-2147483647',
      ApplyType: 'dynamic',
      IsModifiable: true,
      Source: 'engine-default',
    });
    expect(found.get('rds.logical_replication')).toMatchObject({ ApplyType: 'static', AllowedValues: '0,1' });
    expect(found.get('archive_timeout')).toMatchObject({
      IsModifiable: false,
      ParameterValue: '300',
      Source: 'system',
    });
    expect([found.has('wal_level'), found.has('scram_iterations'), found.has('summarize_wal')]).toEqual([
      false,
      true,
      false,
    ]);
  });

  test.each([
    [
      'an unknown name',
      change('no_such', '1', 'immediate'),
      'InvalidParameterValue',
      'Could not find parameter with name: no_such',
    ],
    [
      'a unit',
      change('log_min_duration_statement', '1s', 'immediate'),
      'InvalidParameterValue',
      'Invalid parameter value: 1s for: log_min_duration_statement allowed values are: -1-2147483647',
    ],
    [
      'rdsutils',
      change('shared_preload_libraries', 'rdsutils,pgaudit', 'pending-reboot'),
      'InvalidParameterValue',
      'Invalid parameter value: rdsutils,pgaudit for: shared_preload_libraries',
    ],
    [
      'a word for a switch',
      change('log_disconnections', 'on', 'immediate'),
      'InvalidParameterValue',
      'Invalid parameter value: on for: log_disconnections allowed values are: 0,1',
    ],
    [
      'what AWS keeps',
      change('archive_timeout', '60', 'immediate'),
      'InvalidParameterValue',
      'The parameter archive_timeout cannot be modified.',
    ],
    [
      'a static one at once',
      change('rds.logical_replication', '1', 'immediate'),
      'InvalidParameterCombination',
      'cannot use immediate apply method for static parameter',
    ],
  ])('refuse %s', async (_, parameter, name, message) => {
    await expect(modify(parameter)).rejects.toMatchObject({ name, message: expect.stringContaining(message) });
  });

  test('take both prefixes of log lines, and no third', async () => {
    for (const prefix of logLinePrefixes) await modify(change('log_line_prefix', prefix, 'immediate'));
    await expect(modify(change('log_line_prefix', '%m [%p] ', 'immediate'))).rejects.toMatchObject({
      name: 'InvalidParameterValue',
    });
    const Parameters = [{ ParameterName: 'log_line_prefix', ApplyMethod: 'immediate' as const }];
    await rds.send(new ResetDBParameterGroupCommand({ DBParameterGroupName, Parameters }));
  });

  test('give the server what is dynamic at once, and the rest at its restart', async () => {
    await modify(change('log_min_duration_statement', '1000', 'immediate'));
    expect([done.at(-1), await statusOf()]).toEqual([{ log_min_duration_statement: '1000' }, 'in-sync']);
    await modify(change('rds.logical_replication', '1', 'pending-reboot'));
    expect([done.at(-1), await statusOf()]).toEqual([{ log_min_duration_statement: '1000' }, 'pending-reboot']);
    await rds.send(new RebootDBInstanceCommand({ DBInstanceIdentifier: 'shop' }));
    expect(done.slice(-2)).toEqual([{ log_min_duration_statement: '1000', 'rds.logical_replication': '1' }, 'restart']);
    expect(await statusOf()).toBe('in-sync');
  });

  test('go back to the default', async () => {
    const Parameters = [{ ParameterName: 'log_min_duration_statement', ApplyMethod: 'immediate' as const }];
    await rds.send(new ResetDBParameterGroupCommand({ DBParameterGroupName, Parameters }));
    expect(done.at(-1)).toEqual({ 'rds.logical_replication': '1' });
  });

  test('of an Aurora cluster lack what its storage has no use for', async () => {
    const DBClusterParameterGroupName = 'ledger-aurora16';
    await rds.send(
      new CreateDBClusterParameterGroupCommand({
        DBClusterParameterGroupName,
        DBParameterGroupFamily: 'aurora-postgresql16',
        Description: 'x',
      }),
    );
    const names = new Set<string | undefined>();
    const pages = paginateDescribeDBClusterParameters({ client: rds }, { DBClusterParameterGroupName });
    for await (const { Parameters = [] } of pages) for (const each of Parameters) names.add(each.ParameterName);
    expect(names).toContain('rds.logical_replication');
    for (const name of ['log_checkpoints', 'full_page_writes', 'max_wal_size']) expect(names).not.toContain(name);
    await expect(
      rds.send(
        new ModifyDBClusterParameterGroupCommand({
          DBClusterParameterGroupName,
          Parameters: [change('log_checkpoints', '1', 'immediate')],
        }),
      ),
    ).rejects.toMatchObject({ message: 'Could not find parameter with name: log_checkpoints' });
  });
});

describe('instances and clusters', () => {
  const [first, second] = [recordingServer(), recordingServer()];
  beforeAll(async () => {
    const member = { DBClusterIdentifier: 'ledger', Engine: 'aurora-postgresql', DBInstanceClass: 'db.serverless' };
    for (const id of ['ledger-1', 'ledger-2'])
      await services.current.putInstance({ ...member, DBInstanceIdentifier: id });
    await services.current.putCluster({
      DBClusterIdentifier: 'ledger',
      Engine: 'aurora-postgresql',
      EngineVersion: '16.4',
      Endpoint: 'ledger.cluster-cabc.eu-central-1.rds.amazonaws.com',
      ServerlessV2ScalingConfiguration: { MinCapacity: 0, MaxCapacity: 4, SecondsUntilAutoPause: 300 },
      DBClusterMembers: [
        { DBInstanceIdentifier: 'ledger-1', IsClusterWriter: true },
        { DBInstanceIdentifier: 'ledger-2', IsClusterWriter: false },
      ],
    });
    await services.current.attachServer('ledger-1', first.server);
    await services.current.attachServer('ledger-2', second.server);
  });

  test('tell their storage, its limit and the range of serverless', async () => {
    const { DBInstances } = await rds.send(new DescribeDBInstancesCommand({ DBInstanceIdentifier: 'shop' }));
    expect(DBInstances?.[0]).toMatchObject({ AllocatedStorage: 100, MaxAllocatedStorage: 1000 });
    expect(DBInstances?.[0]?.DbiResourceId).toMatch(/^db-[0-9A-F]{26}$/);
    const { DBClusters } = await rds.send(new DescribeDBClustersCommand({ DBClusterIdentifier: 'ledger' }));
    expect(DBClusters?.[0]?.ServerlessV2ScalingConfiguration).toEqual({
      MinCapacity: 0,
      MaxCapacity: 4,
      SecondsUntilAutoPause: 300,
    });
  });

  test('fail over: another member writes', async () => {
    await rds.send(new FailoverDBClusterCommand({ DBClusterIdentifier: 'ledger' }));
    const { DBClusters } = await rds.send(new DescribeDBClustersCommand({ DBClusterIdentifier: 'ledger' }));
    const writers = DBClusters?.[0]?.DBClusterMembers?.filter(({ IsClusterWriter }) => IsClusterWriter);
    expect(writers?.map(({ DBInstanceIdentifier }) => DBInstanceIdentifier)).toEqual(['ledger-2']);
    expect([first.done.at(-1), second.done.at(-1)]).toEqual([
      ['ledger-1', false],
      ['ledger-2', true],
    ]);
  });

  test('have writer, reader and custom endpoints', async () => {
    await rds.send(
      new CreateDBClusterEndpointCommand({
        DBClusterIdentifier: 'ledger',
        DBClusterEndpointIdentifier: 'reports',
        EndpointType: 'READER',
        StaticMembers: ['ledger-1'],
      }),
    );
    const { DBClusterEndpoints } = await rds.send(
      new DescribeDBClusterEndpointsCommand({ DBClusterIdentifier: 'ledger' }),
    );
    expect(DBClusterEndpoints?.map(({ EndpointType, Endpoint }) => [EndpointType, Endpoint])).toEqual([
      ['WRITER', 'ledger.cluster-cabc.eu-central-1.rds.amazonaws.com'],
      ['READER', 'ledger.cluster-ro-cabc.eu-central-1.rds.amazonaws.com'],
      ['CUSTOM', 'reports.cluster-custom-cabc.eu-central-1.rds.amazonaws.com'],
    ]);
  });
});

test.each([
  ['an authority that has expired', { CACertificateIdentifier: 'rds-ca-2019' }, 'CertificateNotFound'],
  ['a retention of a hundred days', { BackupRetentionPeriod: 100 }, 'InvalidParameterValue'],
  [
    'a log that there is not',
    { CloudwatchLogsExportConfiguration: { EnableLogTypes: ['audit'] } },
    'InvalidParameterCombination',
  ],
  [
    'a version that there is not',
    { EngineVersion: '99.1', AllowMajorVersionUpgrade: true },
    'InvalidParameterCombination',
  ],
])('refuse values that AWS does not take: %s', async (_what, change, name) => {
  await services.current.putInstance({ DBInstanceIdentifier: 'plain', Engine: 'postgres', EngineVersion: '16.4' });
  const modify = new ModifyDBInstanceCommand({ DBInstanceIdentifier: 'plain', ...change });
  await expect(rds.send(modify)).rejects.toMatchObject({ name: expect.stringContaining(name) });
});

describe('upgrades', () => {
  const upgrade = (DBInstanceIdentifier: string, EngineVersion: string, more = {}) =>
    rds.send(
      new ModifyDBInstanceCommand({
        DBInstanceIdentifier,
        EngineVersion,
        AllowMajorVersionUpgrade: true,
        ApplyImmediately: true,
        ...more,
      }),
    );
  const versionOf = async (DBInstanceIdentifier: string) => {
    const { DBInstances } = await rds.send(new DescribeDBInstancesCommand({ DBInstanceIdentifier }));
    return DBInstances?.[0]?.EngineVersion;
  };
  const prepare = async (id: string, EngineVersion: string, slots: LogicalSlot[]) => {
    const recording = recordingServer(slots);
    await services.current.putInstance({ DBInstanceIdentifier: id, Engine: 'postgres', EngineVersion });
    await services.current.attachServer(id, recording.server);
    return recording;
  };
  const slot = (isConsumed: boolean): LogicalSlot => ({ name: 'dbms_shop', database: 'shop', isConsumed });

  test('before 17 fail while there is any logical slot, and say so in events and in a file', async () => {
    const { slots } = await prepare('old', '16.4', [slot(true)]);
    await upgrade('old', '17.5');
    expect(await versionOf('old')).toBe('16.4');
    const { Events = [] } = await rds.send(
      new DescribeEventsCommand({ SourceIdentifier: 'old', SourceType: 'db-instance' }),
    );
    expect(Events.at(-1)?.Message).toMatch(/PreUpgrade checks failed: .*have logical replication slots/);
    const { DescribeDBLogFiles = [] } = await rds.send(new DescribeDBLogFilesCommand({ DBInstanceIdentifier: 'old' }));
    const [file] = DescribeDBLogFiles;
    expect(file?.LogFileName).toMatch(/^error\/pg_upgrade_precheck\.log\./);
    const { LogFileData, AdditionalDataPending } = await rds.send(
      new DownloadDBLogFilePortionCommand({ DBInstanceIdentifier: 'old', LogFileName: file?.LogFileName }),
    );
    expect([LogFileData, AdditionalDataPending]).toEqual([
      expect.stringMatching(/Please drop all logical replication slots/),
      false,
    ]);
    slots.length = 0;
    await upgrade('old', '17.5');
    expect(await versionOf('old')).toBe('17.5');
  });

  test('from 17 on fail for changes that were not consumed, after the server was offline', async () => {
    const { slots, done } = await prepare('new', '17.5', [slot(false)]);
    await upgrade('new', '18.1');
    expect([await versionOf('new'), done.at(-1)]).toEqual(['17.5', 'restart']);
    slots[0] = slot(true);
    await upgrade('new', '18.1');
    expect(await versionOf('new')).toBe('18.1');
  });

  test('ask for a parameter group of the new family in place of a custom one', async () => {
    await expect(upgrade('shop', '17.5')).rejects.toMatchObject({
      name: 'InvalidParameterCombination',
      message: expect.stringContaining('You must explicitly specify a new DB parameter group'),
    });
    await upgrade('shop', '17.5', { DBParameterGroupName: 'default.postgres17' });
    expect(await versionOf('shop')).toBe('17.5');
  });

  test('by blue/green put another server behind the name, with another resource id', async () => {
    const before = await rds.send(new DescribeDBInstancesCommand({ DBInstanceIdentifier: 'new' }));
    await services.current.putInstance({ DBInstanceIdentifier: 'new', Engine: 'postgres', EngineVersion: '17.5' });
    const DBParameterGroupName = 'new-postgres17';
    await rds.send(
      new CreateDBParameterGroupCommand({
        DBParameterGroupName,
        DBParameterGroupFamily: 'postgres17',
        Description: 'x',
      }),
    );
    const { BlueGreenDeployment } = await expect(
      rds.send(
        new CreateBlueGreenDeploymentCommand({
          BlueGreenDeploymentName: 'b',
          Source: 'arn:aws:rds:us-east-1:0:db:new',
          TargetEngineVersion: '18.1',
        }),
      ),
    )
      .rejects.toMatchObject({ message: expect.stringContaining('rds.logical_replication') })
      .then(async () => {
        await rds.send(new ModifyDBInstanceCommand({ DBInstanceIdentifier: 'new', DBParameterGroupName }));
        await rds.send(
          new ModifyDBParameterGroupCommand({
            DBParameterGroupName,
            Parameters: [change('rds.logical_replication', '1', 'pending-reboot')],
          }),
        );
        return rds.send(
          new CreateBlueGreenDeploymentCommand({
            BlueGreenDeploymentName: 'b',
            Source: 'arn:aws:rds:us-east-1:0:db:new',
            TargetEngineVersion: '18.1',
          }),
        );
      });
    const BlueGreenDeploymentIdentifier = BlueGreenDeployment?.BlueGreenDeploymentIdentifier ?? '';
    const green = BlueGreenDeployment?.Target?.split(':').at(-1) ?? '';
    const fresh = recordingServer();
    await services.current.attachServer(green, fresh.server);
    await rds.send(new SwitchoverBlueGreenDeploymentCommand({ BlueGreenDeploymentIdentifier }));
    const { BlueGreenDeployments } = await rds.send(
      new DescribeBlueGreenDeploymentsCommand({ BlueGreenDeploymentIdentifier }),
    );
    expect(BlueGreenDeployments?.[0]?.Status).toBe('SWITCHOVER_COMPLETED');
    const after = await rds.send(new DescribeDBInstancesCommand({ DBInstanceIdentifier: 'new' }));
    expect(after.DBInstances?.[0]?.EngineVersion).toBe('18.1');
    expect(after.DBInstances?.[0]?.DbiResourceId).not.toBe(before.DBInstances?.[0]?.DbiResourceId);
    await rds.send(new RebootDBInstanceCommand({ DBInstanceIdentifier: 'new' }));
    expect(fresh.done.at(-1)).toBe('restart');
  });
});
