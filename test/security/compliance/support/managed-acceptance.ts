import {
  CreateDBClusterParameterGroupCommand,
  CreateDBParameterGroupCommand,
  DescribeDBClustersCommand,
  DescribeDBInstancesCommand,
} from '@aws-sdk/client-rds';
import { platformOf } from '../../../../shared/platforms/platforms.ts';
import { judge } from '../../../../shared/security/compliance/judge.ts';
import type { Readings } from '../../../../shared/security/compliance/readings/sections.ts';
import type { AnyRule, Judgement, Mend } from '../../../../shared/security/compliance/rule.ts';
import { runAws } from './aws-cli.ts';
import type { World } from './world.ts';

/** Servers that AWS keeps, as far as its API is concerned: in a parameter group of their own, or in AWS's default one. */
export const managedPlaces = [
  { name: 'RDS', kind: 'rds', ownGroup: true },
  { name: 'Aurora', kind: 'aurora', ownGroup: true },
] as const;
/** In place of a default group, which is AWS's, the commands make one: it is enough to try that of some rules. */
const defaultPlaces = [
  { name: 'RDS with a default group', kind: 'rds', ownGroup: false },
  { name: 'Aurora with a default group', kind: 'aurora', ownGroup: false },
] as const;
type ManagedPlace = (typeof managedPlaces | typeof defaultPlaces)[number];

/** A dynamic parameter, a static one, and all that is no parameter. */
export const placesOf = ({ id, reads }: AnyRule): readonly ManagedPlace[] =>
  reads === 'instance' || ['log_connections', 'pgaudit_loaded'].includes(id)
    ? [...managedPlaces, ...defaultPlaces]
    : managedPlaces;

/** What no administrator of a managed server can do. */
const IMPOSSIBLE_SQL = /ALTER SYSTEM|pg_reload_conf|COPY .* PROGRAM/i;

/**
 * Judges a rule by what was read of a server, as if AWS kept it, and does what the rule then says over the local RDS API.
 *
 * @param change - of the instance and its cluster, where that is what the rule is about
 * @returns the judgement, and how many commands the API has taken
 * @throws what the API says of a command that it does not take; Error where a step is none for a managed server, or a restart is missing
 */
export async function acceptOn(
  world: World,
  place: ManagedPlace,
  rule: AnyRule,
  { readings, now, change }: { readings: Readings; now: number; change: Record<string, unknown> },
): Promise<{ judgement: Judgement; taken: number }> {
  const { rds } = world.clients;
  // Other rules say the same, whatever AWS says of the server.
  if (rule.reads !== 'server' && rule.reads !== 'instance') {
    const database = { ...world.database, kind: place.kind, direct: undefined };
    const unread = { why: 'It plays no part' };
    const judgement = judge(rule, { ...readings, instance: unread, parameters: unread }, { now, database });
    assertPossible(judgement, place);
    const commands = stepsBy(judgement, 'aws').filter((statement) => statement.startsWith('aws rds '));
    if (commands.length > 0) throw new Error(`${rule.id} changes the server, and is not tried: ${commands.join('; ')}`);
    return { judgement, taken: 0 };
  }
  const described = await introduce(world, place, readings, change);
  const database = { ...world.database, ...described, direct: undefined, instance_id: undefined };
  const signal = AbortSignal.timeout(20_000);
  const platform = platformOf(database);
  const instance = await platform.endpoints.describe(rds, database, signal);
  if (!instance) throw new Error(`${described.id} is not described`);
  const parameters = await platform.parameters.describe(rds, instance, signal);
  const asManaged = {
    ...withLibrariesOfAws(readings),
    instance: { value: instance },
    parameters: { value: parameters },
  };
  const judgement = judge(rule, asManaged, { now, database });
  // A value that AWS does not take is a fault of the rule, and no reason to pass over it.
  if (judgement.status === 'not_applicable' && judgement.found.includes('Parameter groups take for'))
    throw new Error(`${rule.id}: ${judgement.found}`);
  if (judgement.status !== 'fail') return { judgement, taken: 0 };
  assertPossible(judgement, place);
  const commands = stepsBy(judgement, 'aws');
  for (const statement of commands) await runAws(statement, world.clients);
  await assertInSync(world, place, described.id);
  return { judgement, taken: commands.length };
}

const stepsBy = (judgement: Judgement, by: Mend['by']): string[] =>
  judgement.status === 'fail' ? judgement.mend.filter((each) => each.by === by).map(({ statement }) => statement) : [];

/** @throws Error naming a step that is none for a managed server */
function assertPossible(judgement: Judgement, { name }: ManagedPlace): void {
  const impossible = [
    ...stepsBy(judgement, 'shell'),
    ...stepsBy(judgement, 'sql').filter((statement) => IMPOSSIBLE_SQL.test(statement)),
  ];
  if (impossible.length > 0) throw new Error(`Nobody can do that on ${name}: ${impossible.join('; ')}`);
}

/** The server of the tests has loaded libraries that AWS does not have. */
function withLibrariesOfAws(readings: Readings): Readings {
  if (!('value' in readings.server)) return readings;
  const { value: server } = readings.server;
  const loaded = server.settings.shared_preload_libraries;
  if (!loaded) return readings;
  const value = ['rdsutils', 'pg_stat_statements', ...(loaded.value.includes('pgaudit') ? ['pgaudit'] : [])].join(',');
  const settings = { ...server.settings, shared_preload_libraries: { ...loaded, value } };
  return { ...readings, server: { value: { ...server, settings } } };
}

let made = 0;

/** Tells the API of a server that it does not know yet. */
async function introduce(
  { state: { services }, clients: { rds } }: World,
  { kind, ownGroup }: ManagedPlace,
  readings: Readings,
  change: Record<string, unknown>,
) {
  const server = 'value' in readings.server ? `${Math.floor(readings.server.value.version / 10_000)}.1` : '';
  const EngineVersion = String(change.EngineVersion ?? server);
  const [version] = EngineVersion.split('.');
  const id = `${kind}-${++made}`;
  const group = `${id}-settings`;
  const Description = `Settings of ${id}`;
  const placed = { AllocatedStorage: 20, StorageType: 'gp3', DBInstanceClass: 'db.t4g.medium' };
  const common = {
    ...{ EngineVersion, MasterUsername: 'master', StorageEncrypted: true, BackupRetentionPeriod: 7 },
    ...{ DeletionProtection: true, EnabledCloudwatchLogsExports: ['postgresql'] },
    ...change,
  };
  const member = { AutoMinorVersionUpgrade: true, CACertificateIdentifier: 'rds-ca-rsa2048-g1', ...common };
  if (kind === 'rds') {
    const family = `postgres${version}`;
    if (ownGroup)
      await rds.send(
        new CreateDBParameterGroupCommand({ DBParameterGroupName: group, DBParameterGroupFamily: family, Description }),
      );
    await services.putInstance({
      ...placed,
      ...member,
      DBInstanceIdentifier: id,
      Engine: 'postgres',
      DBParameterGroups: [
        { DBParameterGroupName: ownGroup ? group : `default.${family}`, ParameterApplyStatus: 'in-sync' },
      ],
    });
    return { id, kind, host: `${id}.cabc.eu-central-1.rds.amazonaws.com` };
  }
  const family = `aurora-postgresql${version}`;
  if (ownGroup)
    await rds.send(
      new CreateDBClusterParameterGroupCommand({
        DBClusterParameterGroupName: group,
        DBParameterGroupFamily: family,
        Description,
      }),
    );
  const ofInstances = `${id}-instances`;
  if (ownGroup) {
    const group = { DBParameterGroupName: ofInstances, DBParameterGroupFamily: family, Description };
    await rds.send(new CreateDBParameterGroupCommand(group));
  }
  const names = [`${id}-a`, `${id}-b`];
  for (const DBInstanceIdentifier of names) {
    await services.putInstance({
      ...{ ...placed, ...member, DBInstanceIdentifier, DBClusterIdentifier: id, Engine: 'aurora-postgresql' },
      DBParameterGroups: [
        { DBParameterGroupName: ownGroup ? ofInstances : `default.${family}`, ParameterApplyStatus: 'in-sync' },
      ],
    });
  }
  await services.putCluster({
    ...{ ...common, DBClusterIdentifier: id, Engine: 'aurora-postgresql' },
    DBClusterParameterGroup: ownGroup ? group : `default.${family}`,
    DBClusterMembers: names.map((DBInstanceIdentifier, at) => ({
      ...{ DBInstanceIdentifier, IsClusterWriter: at === 1, DBClusterParameterGroupStatus: 'in-sync' },
    })),
  });
  return { id, kind, host: `${id}.cluster-cabc.eu-central-1.rds.amazonaws.com` };
}

/** What waits for a restart is not in effect. */
async function assertInSync({ clients: { rds } }: World, { kind }: ManagedPlace, id: string): Promise<void> {
  const statuses = await (async () => {
    if (kind === 'rds') {
      const { DBInstances } = await rds.send(new DescribeDBInstancesCommand({ DBInstanceIdentifier: id }));
      return DBInstances?.flatMap(({ DBParameterGroups: groups = [] }) =>
        groups.map((each) => each.ParameterApplyStatus),
      );
    }
    const { DBClusters } = await rds.send(new DescribeDBClustersCommand({ DBClusterIdentifier: id }));
    return DBClusters?.flatMap(({ DBClusterMembers: members = [] }) =>
      members.map((each) => each.DBClusterParameterGroupStatus),
    );
  })();
  const waiting = statuses?.filter((status) => status !== undefined && status !== 'in-sync') ?? [];
  if (waiting.length > 0) throw new Error(`A change of ${id} is not in effect: ${waiting.join(', ')}`);
}
