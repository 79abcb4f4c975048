import type { ServerDescription } from '../../../platforms/managed/describe.ts';
import { encryptServer, modifyServer } from '../../../platforms/managed/encrypt.ts';
import { LATEST_SUPPORTED, SUPPORT_SOURCE, standardSupportEnds } from '../../../platforms/managed/support.ts';
import { upgradeServer } from '../../../platforms/managed/upgrade.ts';
import { quoteShell } from '../../../quote-shell.ts';
import { DAY_MS } from '../../../time.ts';
import { controlsOf } from '../controls.ts';
import {
  aws,
  type Context,
  defineRule,
  fail,
  type Judgement,
  notApplicable,
  pass,
  type Rule,
  type RuleLevel,
  unknown,
} from '../rule.ts';

const RETENTION_DAYS = 7;
/** Before the end of support, so that there is time to test an upgrade. */
const SUPPORT_DAYS = 180;
/** Authorities by the key of their root: Amazon RDS User Guide, "Certificate authorities". */
const CURRENT_AUTHORITY = /^rds-ca-(?:rsa|ecc)\d+-g\d+$/;

type Instance = ServerDescription;
type Member = Instance['instances'][number];

interface InstanceRule {
  id: string;
  title: string;
  level: RuleLevel;
  expected: string;
  topic: Parameters<typeof controlsOf>[0];
  judge(instance: Instance, context: Context): Judgement;
}

const instanceRule = ({ topic, judge, ...rule }: InstanceRule): Rule<'instance'> =>
  defineRule({
    ...rule,
    reads: 'instance',
    controls: controlsOf(topic),
    judge: (instance, context): Judgement =>
      instance === null ? notApplicable('The server is no instance of RDS') : judge(instance, context),
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
      isRight(instance) ? pass(found(instance)) : fail(found(instance), aws(modifyServer(instance, change))),
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
        aws(...offenders.map(({ id }) => modifyServer({ id, isCluster: false }, change))),
      );
    },
  });

const onOff = (value: boolean): string => (value ? 'on' : 'off');

/** How RDS keeps the instance or the cluster. */
export const instanceRules = [
  instanceRule({
    id: 'instance_encryption',
    title: 'The storage of the instance is encrypted',
    level: 'critical',
    expected:
      'StorageEncrypted. It cannot be turned on: a copy is restored from a snapshot, encrypted, with the network, the parameters and the instances of the original, then renamed. What is written after the snapshot is in the original alone: so writes to this database are stopped first. Stop them in every other database of the server as well, and stop what writes: a client may lift the restriction for itself. The copy has another resource id: change it in logins by IAM',
    topic: 'storage',
    judge: (instance, { database }) =>
      instance.encrypted ? pass('It is') : fail('It is not', encryptServer(instance, database.name)),
  }),
  instanceRule({
    id: 'engine_support',
    title: 'The version of the engine has standard support',
    level: 'high',
    expected: `Standard support of the major version lasts for ${SUPPORT_DAYS} days at least. Afterwards AWS bills Extended Support, and upgrades by itself once that ends. Dates: ${SUPPORT_SOURCE}, or aws rds describe-db-major-engine-versions`,
    topic: 'software',
    judge: (instance, { now, parameters }) => {
      const { engineVersion } = instance;
      const major = Number.parseInt(engineVersion ?? '', 10);
      const ends = standardSupportEnds(major);
      if (ends === null) return unknown(`Nothing is known of the support of the version ${engineVersion}`);
      const found = `${instance.engine} ${engineVersion}: standard support ends on ${new Date(ends).toISOString().slice(0, 10)}`;
      if (ends >= now + SUPPORT_DAYS * DAY_MS) return pass(found);
      return fail(
        `${found}. Test the upgrade on a copy, and see docs/upgrades-of-databases.md where point-in-time recovery is on`,
        upgradeServer(instance, parameters, LATEST_SUPPORTED),
      );
    },
  }),
  memberRule({
    id: 'instance_authority',
    title: "The server's certificate is of a certificate authority that is not about to expire",
    level: 'high',
    expected:
      'CACertificateIdentifier is one of the authorities of 2021 and later, such as rds-ca-rsa2048-g1: rds-ca-2019 has expired in August 2024',
    topic: 'transit',
    isRight: ({ authority }) => authority === null || CURRENT_AUTHORITY.test(authority),
    right: 'It is',
    wrong: 'It is of an old one',
    change: '--ca-certificate-identifier rds-ca-rsa2048-g1',
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
