import { quoteIdentifier } from '../../postgres/identifiers.ts';
import { quoteShell } from '../../quote-shell.ts';
import type { Step } from '../platform.ts';
import type { DescribedInstance, ServerDescription } from './describe.ts';

const aws = (...statements: string[]): Step[] => statements.map((statement) => ({ by: 'aws', statement }));
const sql = (statement: string): Step => ({ by: 'sql', statement });

/** Changes an instance or a cluster at once. */
export function modifyServer({ id, isCluster }: Pick<ServerDescription, 'id' | 'isCluster'>, change: string): string {
  const words = isCluster ? 'db-cluster' : 'db-instance';
  return `aws rds modify-${words} --${words}-identifier ${quoteShell(id)} ${change} --apply-immediately`;
}

/**
 * The steps that put an encrypted copy in a server's place. A restore takes the default network and parameters unless it is told others,
 * and lacks what is written after the snapshot: so writes are stopped before it, and allowed again in the copy.
 *
 * @param databaseName - whose writes are stopped
 */
export function encryptServer(server: ServerDescription, databaseName: string): Step[] {
  const name = quoteIdentifier(databaseName);
  return [
    sql(`ALTER DATABASE ${name} SET default_transaction_read_only = on;`),
    sql(
      `SELECT pg_catalog.pg_terminate_backend(pid) FROM pg_catalog.pg_stat_activity WHERE datname = pg_catalog.current_database() AND backend_type = 'client backend' AND pid <> pg_catalog.pg_backend_pid() AND usename !~ '^rds';`,
    ),
    ...(server.isCluster ? encryptCluster(server) : encryptInstance(server)),
    sql(`BEGIN READ WRITE; ALTER DATABASE ${name} RESET default_transaction_read_only; COMMIT;`),
  ];
}

const option = (name: string, value: string | number | null | undefined): string[] =>
  value === null || value === undefined ? [] : [`--${name} ${quoteShell(String(value))}`];
const flag = (name: string, isOn: boolean): string => (isOn ? `--${name}` : `--no-${name}`);

/** The network and the rights of connections, which both kinds name alike. */
const networkOf = ({ placement, deletionProtection }: ServerDescription): string[] => [
  ...option('db-subnet-group-name', placement.subnetGroup),
  ...(placement.securityGroups.length > 0
    ? [`--vpc-security-group-ids ${placement.securityGroups.map(quoteShell).join(' ')}`]
    : []),
  ...option('port', placement.port),
  flag('enable-iam-database-authentication', placement.isByIam),
  flag('deletion-protection', deletionProtection),
];

function encryptInstance(server: ServerDescription): Step[] {
  const { id, instances, parameterGroup, placement } = server;
  const [instance] = instances;
  const options = [
    ...networkOf(server),
    ...option('db-instance-class', instance?.class || null),
    ...option('db-parameter-group-name', parameterGroup),
    ...option('storage-type', placement.storageType),
    flag('multi-az', placement.isMultiAz),
    flag('publicly-accessible', instance?.public === true),
    flag('auto-minor-version-upgrade', instance?.minorUpgrades === true),
  ];
  return aws(
    `aws rds create-db-snapshot --db-instance-identifier ${id} --db-snapshot-identifier ${id}-plain`,
    `aws rds wait db-snapshot-available --db-snapshot-identifier ${id}-plain`,
    `aws rds copy-db-snapshot --source-db-snapshot-identifier ${id}-plain --target-db-snapshot-identifier ${id}-encrypted --kms-key-id alias/aws/rds`,
    `aws rds wait db-snapshot-available --db-snapshot-identifier ${id}-encrypted`,
    `aws rds restore-db-instance-from-db-snapshot --db-instance-identifier ${id}-encrypted --db-snapshot-identifier ${id}-encrypted ${options.join(' ')}`,
    `aws rds wait db-instance-available --db-instance-identifier ${id}-encrypted`,
    modifyServer({ id, isCluster: false }, `--new-db-instance-identifier ${id}-plain`),
    `aws rds wait db-instance-available --db-instance-identifier ${id}-plain`,
    modifyServer({ id: `${id}-encrypted`, isCluster: false }, `--new-db-instance-identifier ${id}`),
    `aws rds wait db-instance-available --db-instance-identifier ${id}`,
  );
}

/**
 * A cluster is encrypted while it is restored. One of Aurora has no instance then: it gets as many as there were, the writer first. A
 * Multi-AZ DB cluster has them by itself.
 */
function encryptCluster(server: ServerDescription): Step[] {
  const { id, engine, instances, parameterGroup, capacity, placement } = server;
  const isAurora = engine.startsWith('aurora');
  const options = [
    ...networkOf(server),
    ...option('db-cluster-parameter-group-name', parameterGroup),
    ...(isAurora ? [] : option('db-cluster-instance-class', instances[0]?.class)),
    ...(isAurora ? [] : option('storage-type', placement.storageType)),
    ...(capacity === null
      ? []
      : option(
          'serverless-v2-scaling-configuration',
          JSON.stringify({
            MinCapacity: capacity.min,
            MaxCapacity: capacity.max,
            ...(capacity.pauseAfterSeconds === null ? {} : { SecondsUntilAutoPause: capacity.pauseAfterSeconds }),
          }),
        )),
  ];
  const create = (instance: DescribedInstance, at: number): string[] => {
    const name = `${id}-encrypted-${at + 1}`;
    const own = [
      ...option('db-parameter-group-name', instance.parameterGroup),
      flag('publicly-accessible', instance.public),
      flag('auto-minor-version-upgrade', instance.minorUpgrades),
    ];
    return [
      `aws rds create-db-instance --db-instance-identifier ${name} --db-cluster-identifier ${id}-encrypted --engine ${engine} --db-instance-class ${instance.class} ${own.join(' ')}`,
      `aws rds wait db-instance-available --db-instance-identifier ${name}`,
    ];
  };
  return aws(
    `aws rds create-db-cluster-snapshot --db-cluster-identifier ${id} --db-cluster-snapshot-identifier ${id}-plain`,
    `aws rds wait db-cluster-snapshot-available --db-cluster-snapshot-identifier ${id}-plain`,
    `aws rds restore-db-cluster-from-snapshot --db-cluster-identifier ${id}-encrypted --snapshot-identifier ${id}-plain --engine ${engine} --kms-key-id alias/aws/rds ${options.join(' ')}`,
    `aws rds wait db-cluster-available --db-cluster-identifier ${id}-encrypted`,
    ...(isAurora ? instances.flatMap(create) : []),
    modifyServer({ id, isCluster: true }, `--new-db-cluster-identifier ${id}-plain`),
    `aws rds wait db-cluster-available --db-cluster-identifier ${id}-plain`,
    modifyServer({ id: `${id}-encrypted`, isCluster: true }, `--new-db-cluster-identifier ${id}`),
    `aws rds wait db-cluster-available --db-cluster-identifier ${id}`,
  );
}
