import {
  CreateDBClusterParameterGroupCommand,
  CreateDBParameterGroupCommand,
  DescribeDBInstancesCommand,
  RDSClient,
} from '@aws-sdk/client-rds';
import type { LocalServices } from '../aws/services.ts';
import { auroraVersions } from '../postgres/managed/profile.ts';
import type { ManagedPostgres } from '../postgres/managed/server.ts';

/** Such as `shop` of RDS, `shop-1` of the cluster `shop` of Aurora. */
export const instanceIdOf = ({ kind }: Pick<ManagedPostgres, 'kind'>, name: string): string =>
  kind === 'aurora' ? `${name}-1` : name;

/**
 * Tells the local RDS API of a managed server, where it does not know it yet, with a parameter group of its own; and puts the server
 * behind the instance.
 */
export async function describeToRds(services: LocalServices, server: ManagedPostgres, name: string): Promise<void> {
  const rds = new RDSClient({
    endpoint: services.endpoints.rds,
    region: 'us-east-1',
    credentials: { accessKeyId: 'local', secretAccessKey: 'local' },
  });
  const id = instanceIdOf(server, name);
  try {
    const isKnown = await rds.send(new DescribeDBInstancesCommand({ DBInstanceIdentifier: id })).then(
      () => true,
      () => false,
    );
    if (!isKnown) await introduce(services, rds, server, name);
  } finally {
    rds.destroy();
  }
  await services.attachServer(id, server);
  // Of an earlier start of the system: the group says more than the server was started with.
  if (!server.isStartedWithAll()) await server.restart();
}

async function introduce(
  services: LocalServices,
  rds: RDSClient,
  { kind, version, host, port, master }: ManagedPostgres,
  name: string,
): Promise<void> {
  const id = instanceIdOf({ kind }, name);
  const Description = `Settings of ${name}`;
  const group = `${name}-settings`;
  const common = {
    Engine: kind === 'rds' ? 'postgres' : 'aurora-postgresql',
    EngineVersion: (auroraVersions[version] ?? `${version}.1`).split('.').slice(0, 2).join('.'),
    MasterUsername: master.user,
    StorageEncrypted: true,
    BackupRetentionPeriod: 7,
    DeletionProtection: true,
  };
  const instance = {
    ...common,
    DBInstanceIdentifier: id,
    DBInstanceClass: 'db.t4g.medium',
    Endpoint: { Address: host, Port: port },
    PubliclyAccessible: false,
    AutoMinorVersionUpgrade: true,
    CACertificateIdentifier: 'rds-ca-rsa2048-g1',
  };
  if (kind === 'rds') {
    await rds.send(
      new CreateDBParameterGroupCommand({
        DBParameterGroupName: group,
        DBParameterGroupFamily: `postgres${version}`,
        Description,
      }),
    );
    await services.putInstance({
      ...instance,
      AllocatedStorage: 20,
      MaxAllocatedStorage: 100,
      StorageType: 'gp3',
      MultiAZ: false,
      DBParameterGroups: [{ DBParameterGroupName: group, ParameterApplyStatus: 'in-sync' }],
    });
    return;
  }
  await rds.send(
    new CreateDBClusterParameterGroupCommand({
      DBClusterParameterGroupName: group,
      DBParameterGroupFamily: `aurora-postgresql${version}`,
      Description,
    }),
  );
  await services.putInstance({ ...instance, DBClusterIdentifier: name });
  await services.putCluster({
    ...common,
    DBClusterIdentifier: name,
    Endpoint: host,
    Port: port,
    DBClusterParameterGroup: group,
    DBClusterMembers: [{ DBInstanceIdentifier: id, IsClusterWriter: true, DBClusterParameterGroupStatus: 'in-sync' }],
  });
}
