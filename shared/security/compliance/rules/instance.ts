import type { ServerDescription } from '../../../platforms/managed/describe.ts';
import { quoteShell } from '../../../quote-shell.ts';
import { controlsOf } from '../controls.ts';
import {
  aws,
  defineRule,
  fail,
  type Judgement,
  type Mend,
  notApplicable,
  pass,
  type Rule,
  type RuleLevel,
} from '../rule.ts';

const RETENTION_DAYS = 7;

type Instance = ServerDescription;
type Member = Instance['instances'][number];

interface InstanceRule {
  id: string;
  title: string;
  level: RuleLevel;
  expected: string;
  topic: Parameters<typeof controlsOf>[0];
  judge(instance: Instance): Judgement;
}

const instanceRule = ({ topic, judge, ...rule }: InstanceRule): Rule<'instance'> =>
  defineRule({
    ...rule,
    reads: 'instance',
    controls: controlsOf(topic),
    judge: (instance): Judgement =>
      instance === null ? notApplicable('The server is no instance of RDS') : judge(instance),
  });

interface SettingOfInstance extends Omit<InstanceRule, 'judge'> {
  isRight(instance: Instance): boolean;
  found(instance: Instance): string;
  /** Options of `aws rds modify-db-instance` and `modify-db-cluster`. */
  change: string;
}

/** Of what a cluster has for all its instances. */
const wholeRule = ({ isRight, found, change, ...rule }: SettingOfInstance): Rule<'instance'> =>
  instanceRule({
    ...rule,
    judge: (instance) =>
      isRight(instance) ? pass(found(instance)) : fail(found(instance), aws(modify(instance, change))),
  });

interface SettingOfMembers extends Omit<InstanceRule, 'judge'> {
  isRight(member: Member): boolean;
  right: string;
  wrong: string;
  change: string;
}

/** Of what each instance of a cluster has for itself. */
const memberRule = ({ isRight, right, wrong, change, ...rule }: SettingOfMembers): Rule<'instance'> =>
  instanceRule({
    ...rule,
    judge: ({ isCluster, instances }) => {
      const offenders = instances.filter((member) => !isRight(member));
      if (offenders.length === 0) return pass(right);
      return fail(
        isCluster ? `${wrong}: ${offenders.map(({ id }) => id).join(', ')}` : wrong,
        aws(...offenders.map(({ id }) => modify({ id, isCluster: false }, change))),
      );
    },
  });

function modify({ id, isCluster }: Pick<Instance, 'id' | 'isCluster'>, change: string): string {
  const words = isCluster ? 'db-cluster' : 'db-instance';
  return `aws rds modify-${words} --${words}-identifier ${quoteShell(id)} ${change} --apply-immediately`;
}

/** By an encrypted copy of a snapshot, which then takes the name. */
function encryptInstance(id: string): Mend[] {
  return aws(
    `aws rds create-db-snapshot --db-instance-identifier ${id} --db-snapshot-identifier ${id}-plain`,
    `aws rds wait db-snapshot-available --db-snapshot-identifier ${id}-plain`,
    `aws rds copy-db-snapshot --source-db-snapshot-identifier ${id}-plain --target-db-snapshot-identifier ${id}-encrypted --kms-key-id alias/aws/rds`,
    `aws rds wait db-snapshot-available --db-snapshot-identifier ${id}-encrypted`,
    `aws rds restore-db-instance-from-db-snapshot --db-instance-identifier ${id}-encrypted --db-snapshot-identifier ${id}-encrypted`,
    `aws rds wait db-instance-available --db-instance-identifier ${id}-encrypted`,
    modify({ id, isCluster: false }, `--new-db-instance-identifier ${id}-plain`),
    `aws rds wait db-instance-available --db-instance-identifier ${id}-plain`,
    modify({ id: `${id}-encrypted`, isCluster: false }, `--new-db-instance-identifier ${id}`),
  );
}

/** A cluster is encrypted while it is restored, and has no instance then. */
function encryptCluster({ id, engine, instances }: Instance): Mend[] {
  const [writer] = instances;
  return aws(
    `aws rds create-db-cluster-snapshot --db-cluster-identifier ${id} --db-cluster-snapshot-identifier ${id}-plain`,
    `aws rds wait db-cluster-snapshot-available --db-cluster-snapshot-identifier ${id}-plain`,
    `aws rds restore-db-cluster-from-snapshot --db-cluster-identifier ${id}-encrypted --snapshot-identifier ${id}-plain --engine ${engine} --kms-key-id alias/aws/rds`,
    `aws rds wait db-cluster-available --db-cluster-identifier ${id}-encrypted`,
    `aws rds create-db-instance --db-instance-identifier ${id}-encrypted-1 --db-cluster-identifier ${id}-encrypted --engine ${engine} --db-instance-class ${writer?.class}`,
    `aws rds wait db-instance-available --db-instance-identifier ${id}-encrypted-1`,
    modify({ id, isCluster: true }, `--new-db-cluster-identifier ${id}-plain`),
    `aws rds wait db-cluster-available --db-cluster-identifier ${id}-plain`,
    modify({ id: `${id}-encrypted`, isCluster: true }, `--new-db-cluster-identifier ${id}`),
  );
}

const onOff = (value: boolean): string => (value ? 'on' : 'off');

/** How RDS keeps the instance or the cluster. */
export const instanceRules = [
  instanceRule({
    id: 'instance_encryption',
    title: 'The storage of the instance is encrypted',
    level: 'critical',
    expected:
      'StorageEncrypted. It cannot be turned on: a copy is restored from a snapshot, encrypted, then renamed; what the copy should have beside is chosen as it is restored',
    topic: 'storage',
    judge: (instance) => {
      if (instance.encrypted) return pass('It is');
      return fail('It is not', instance.isCluster ? encryptCluster(instance) : encryptInstance(instance.id));
    },
  }),
  memberRule({
    id: 'instance_public',
    title: 'The instance has no public address',
    level: 'critical',
    expected: 'Not PubliclyAccessible',
    topic: 'exposure',
    isRight: (member) => !member.public,
    right: 'It has none',
    wrong: 'It has one',
    change: '--no-publicly-accessible',
  }),
  wholeRule({
    id: 'instance_backups',
    title: 'RDS keeps backups of the instance as well',
    level: 'medium',
    expected: `BackupRetentionPeriod is at least ${RETENTION_DAYS} days`,
    topic: 'recovery',
    isRight: ({ retentionDays }) => retentionDays >= RETENTION_DAYS,
    found: ({ retentionDays }) => `${retentionDays} days`,
    change: `--backup-retention-period ${RETENTION_DAYS}`,
  }),
  wholeRule({
    id: 'instance_deletion',
    title: 'The instance is not deleted by mistake',
    level: 'medium',
    expected: 'DeletionProtection is on',
    topic: 'recovery',
    isRight: ({ deletionProtection }) => deletionProtection,
    found: ({ deletionProtection }) => onOff(deletionProtection),
    change: '--deletion-protection',
  }),
  memberRule({
    id: 'instance_upgrades',
    title: 'Minor versions come by themselves',
    level: 'medium',
    expected: 'AutoMinorVersionUpgrade is on',
    topic: 'software',
    isRight: ({ minorUpgrades }) => minorUpgrades,
    right: onOff(true),
    wrong: onOff(false),
    change: '--auto-minor-version-upgrade',
  }),
  wholeRule({
    id: 'instance_log',
    title: 'The log of the instance is kept in CloudWatch',
    level: 'medium',
    expected: 'The log postgresql is exported',
    topic: 'logging',
    isRight: ({ exportsLog }) => exportsLog,
    found: ({ exportsLog }) => (exportsLog ? 'It is exported' : 'It is not exported'),
    change: `--cloudwatch-logs-export-configuration ${quoteShell(JSON.stringify({ EnableLogTypes: ['postgresql'] }))}`,
  }),
];
