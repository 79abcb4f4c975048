import * as z from 'zod';
import {
  auditSettingsSchema,
  databaseSchema,
  databasesOf,
  drillSettingsSchema,
  identitySchema,
  runtimeConfigurationSchema,
} from '../../shared/configuration/runtime.ts';
import { cronSchema } from '../../shared/configuration/schedules.ts';
import { verifiesCertificate } from '../../shared/configuration/tls.ts';
import { platformOf } from '../../shared/platforms/platforms.ts';
import { endpointNames } from '../constructs/vpc-services.ts';
import { addressProblems } from './addresses.ts';
import { concurrencyBudget, concurrencyProblems, concurrencySchema } from './concurrency.ts';

const arnOf = (service: string, kind: string) =>
  z.string().regex(new RegExp(`^arn:[^:]+:${service}:`), `must be the ARN of a ${kind}`);

/** The network a database is reached in; without it, functions reach it over the internet. */
const vpcSchema = z.strictObject({
  vpc_id: z.string().regex(/^vpc-[0-9a-f]+$/, 'must be a VPC id such as vpc-0a1b2c3d'),
  /** Private subnets with a way to AWS: VPC endpoints or a NAT gateway; see docs/vpc.md. */
  subnet_ids: z.array(z.string().regex(/^subnet-[0-9a-f]+$/, 'must be a subnet id')).min(1),
  /** Security groups of the functions: the database's own must let them in. */
  security_group_ids: z.array(z.string().regex(/^sg-[0-9a-f]+$/, 'must be a security group id')).min(1),
  /** Of the subnets, in their order. */
  availability_zones: z
    .array(z.string().regex(/^[a-z]{2}(-[a-z]+)+-\d[a-z]$/, 'must be a zone such as eu-central-1a'))
    .min(1),
  /**
   * Makes the endpoints that the functions need in this VPC; see docs/vpc.md. Without it the VPC must have them, or a NAT gateway.
   */
  endpoints: z
    .strictObject({
      /** Route tables of the subnets, for S3 and DynamoDB. */
      route_table_ids: z.array(z.string().regex(/^rtb-[0-9a-f]+$/, 'must be a route table id')).min(1),
      /** Endpoints that the VPC has already: it takes no second one of the same service. */
      existing: z.array(z.enum(endpointNames)).default([]),
      /** In how many availability zones; each is paid for. Without it, in all zones of the subnets. */
      zones: z.int().min(1).optional(),
    })
    .optional(),
});

const deployedDatabaseSchema = databaseSchema.extend({
  vpc: vpcSchema.optional(),
  /** Customer-managed key that encrypts the login's secret; not needed with `aws/secretsmanager`. */
  secret_key_arn: arnOf('kms', 'KMS key').optional(),
  /** Days after which a function of this system gives the login a new password; without it, the secret is somebody else's to rotate. */
  rotate_password_days: z.int().min(1).max(1000).optional(),
});

const regionSchema = z.string().regex(/^[a-z]{2}(-[a-z]+)+-\d$/, 'must be a region such as eu-central-1');

/** CloudWatch keeps logs for these numbers of days only. */
const logDays = [
  1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653,
];

/** EventBridge Scheduler's names have 64 characters. */
const LONGEST_NAMES = 64 - '-drill-'.length;

/** A deployment: what the functions read at run time, and the shape of what is deployed around them. */
export const deploymentSchema = runtimeConfigurationSchema
  // Said among the other retentions.
  .omit({ metrics_retention_hours: true, audit: true, concurrency: true })
  .extend({
    databases: databasesOf(deployedDatabaseSchema),
    /** Begins the name of each stack and function. */
    prefix: z
      .string()
      .regex(/^[a-z][a-z0-9-]{0,19}$/, 'must be 1 to 20 lower-case letters, digits and hyphens, starting with a letter')
      .default('dbms'),
    /** Without region and account, those of the caller's credentials. */
    region: regionSchema.optional(),
    account: z
      .string()
      .regex(/^\d{12}$/, 'must be an account number of 12 digits')
      .optional(),
    /** An OpenID Connect issuer of your own; without it, a Cognito user pool with a group per role is created. */
    identity: identitySchema.optional(),
    /** Without a server there are no drills, and neither schedules nor alarms of them. */
    drills: drillSettingsSchema
      .extend({
        /** When the newest full backup of each database is restored, in `schedules.time_zone`. Null: only when asked for. */
        schedule: cronSchema.nullable().default('0 5 * * 0'),
        /** An alarm is raised when the newest backup that a drill has restored is older than this. */
        alarm_after_days: z.int().min(1).max(365).default(14),
      })
      .prefault({}),
    compliance: z
      .strictObject({
        /** When each database's report is mailed to `alert_emails`, in `schedules.time_zone`. Null: never. */
        report: cronSchema.nullable().default('0 7 * * 1'),
      })
      .prefault({}),
    audit: auditSettingsSchema
      .omit({ retention_days: true })
      .extend({
        /** How long S3 lets nobody delete or change what is archived and signed of the audit trails; see docs/audit.md. */
        object_lock: z
          .strictObject({
            mode: z.enum(['governance', 'compliance']).default('governance'),
            days: z.int().min(1).max(36_500).default(365),
          })
          .prefault({}),
      })
      .prefault({}),
    retention: z
      .strictObject({
        /** Of audit records in their table; what is older is in the archive alone. */
        audit_days: z.int().min(7).max(3653).default(90),
        metrics_hours: z.int().min(1).max(10_950).default(168),
        /** Of the functions' and the API's logs. */
        log_days: z
          .int()
          .refine((days) => logDays.includes(days), `must be one of CloudWatch's: ${logDays.join(', ')}`)
          .default(90),
        /** Former versions of deleted or overwritten objects. */
        noncurrent_version_days: z.int().min(1).max(3653).default(30),
        /** When backups that no rule keeps are removed, in `schedules.time_zone`. Null: never. */
        expiry: cronSchema.nullable().default('30 4 * * *'),
      })
      .prefault({}),
    /** A second region, into whose bucket S3 copies every object; see docs/retention.md. Needs `region` and `account`. */
    copies: z
      .strictObject({
        region: regionSchema,
        /** S3 Replication Time Control: copies within 15 minutes by contract, and word of those that were late; billed by the gigabyte. */
        time_control: z.boolean().default(false),
      })
      .optional(),
    /**
     * A bucket of backups that is there, with its keys, in place of a new one: the copies of a region that is lost. See
     * docs/disaster-recovery.md.
     */
    existing_backups: z
      .strictObject({
        bucket: z.string().regex(/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/, 'must be the name of a bucket'),
        /** Opens the backups: in a second region, the replica of the key that encrypted them. */
        key_arn: arnOf('kms', 'KMS key'),
        /** Opens the bucket's objects, for S3. */
        bucket_key_arn: arnOf('kms', 'KMS key'),
      })
      .optional(),
    /**
     * What CloudWatch holds beyond the heartbeat of each database and the alarms about this system itself; see docs/costs.md for what
     * each costs. Alerts do not depend on it.
     */
    cloudwatch: z
      .strictObject({
        /** Publishes the metrics that docs/monitoring.md lists, for charts and alarms of your own. */
        metrics: z.boolean().default(false),
        /** An alarm for each check whose metric is published. */
        alarms: z.boolean().default(false),
        /** A dashboard for each database, and one for all. */
        dashboards: z.boolean().default(false),
      })
      .prefault({}),
    /** The Cognito user pool of a deployment without `identity`. */
    user_pool: z
      .strictObject({
        /** `required`: nobody signs in with a password alone. `optional`: each user decides. */
        mfa: z.enum(['required', 'optional']).default('required'),
      })
      .prefault({}),
    api: z
      .strictObject({
        requests_per_second: z.int().min(1).max(10_000).default(50),
        burst: z.int().min(1).max(5_000).default(100),
        /**
         * A web ACL of AWS WAF before the API: `managed` makes one that slows down addresses that send too much and refuses known attackers,
         * an ARN names one that is there; see docs/access.md.
         */
        firewall: z.union([z.enum(['none', 'managed']), arnOf('wafv2', 'web ACL')]).default('none'),
        /**
         * Requests of one address in a minute, with or without a token, that the `managed` firewall lets through, before they count in the two
         * limits above, which all callers share. By default half of `requests_per_second`.
         */
        address_requests_per_minute: z.int().min(10).max(2_000_000).optional(),
        /** Metrics of each method, which CloudWatch bills as custom metrics; those of the whole API are free. */
        detailed_metrics: z.boolean().default(false),
      })
      .prefault({}),
    /** How jobs share the account's concurrent executions. */
    concurrency: concurrencySchema.prefault({}),
    /** Longest time of one backup or restore, over all its invocations. */
    job_timeout_hours: z.int().min(1).max(8784).default(24),
    /** Longest time of one invocation of the functions that back up and restore; Lambda allows 15 minutes. */
    invocation_seconds: z.int().min(15).max(900).default(900),
    /** What deleting the app does to buckets, tables and keys; `destroy` empties the buckets. See docs/disaster-recovery.md. */
    removal_policy: z.enum(['retain', 'destroy']).default('retain'),
    deletion_protection: z.boolean().default(true),
  })
  .superRefine((deployment, context) => {
    if (deployment.api.address_requests_per_minute !== undefined && deployment.api.firewall !== 'managed') {
      context.addIssue({
        code: 'custom',
        path: ['api', 'address_requests_per_minute'],
        message: "is a limit of the firewall 'managed': set api.firewall to it, or leave this out",
      });
    }
    const { prefix, databases, copies, existing_backups, region, account, drills, cloudwatch, concurrency } =
      deployment;
    for (const { path, message } of concurrencyProblems(concurrency))
      context.addIssue({ code: 'custom', path: ['concurrency', ...path], message });
    for (const option of ['alarms', 'dashboards'] as const) {
      if (!cloudwatch[option] || cloudwatch.metrics) continue;
      context.addIssue({
        code: 'custom',
        path: ['cloudwatch', option],
        message: 'needs the published metrics: set cloudwatch.metrics to true as well',
      });
    }
    if (drills.server !== null && !databases.some(({ id }) => id === drills.server)) {
      context.addIssue({
        code: 'custom',
        path: ['drills', 'server'],
        message: `is none of the databases; use one of: ${databases.map(({ id }) => id).join(', ')}`,
      });
    }
    databases.forEach(({ id }, index) => {
      if (drills.server === null || drills.schedule === null || prefix.length + id.length <= LONGEST_NAMES) return;
      context.addIssue({
        code: 'custom',
        path: ['databases', index, 'id'],
        message: `is too long: with the prefix it may have ${LONGEST_NAMES} characters, as both are in the names of the drills' schedules`,
      });
    });
    if (copies && (region === undefined || account === undefined || region === copies.region)) {
      context.addIssue({
        code: 'custom',
        path: ['copies', 'region'],
        message:
          region === copies.region ? 'is the region of the backups itself' : 'needs region and account to be set',
      });
    }
    if (copies && existing_backups) {
      context.addIssue({
        code: 'custom',
        path: ['copies'],
        message: 'cannot be made of existing_backups: the bucket belongs to another deployment',
      });
    }
    const [first] = databases.filter(({ vpc }) => vpc);
    databases.forEach(
      (
        {
          kind,
          host,
          port,
          storage_gigabytes,
          allow_pause,
          vpc,
          login,
          tls,
          direct,
          secret_key_arn,
          rotate_password_days,
        },
        index,
      ) => {
        for (const { path, message } of addressProblems({ host, port, tls, login, direct }))
          context.addIssue({ code: 'custom', path: ['databases', index, ...path], message });
        const { title, privileges, storage, endpoints } = platformOf({ kind });
        if (storage_gigabytes !== undefined && !storage.takesSize) {
          context.addIssue({
            code: 'custom',
            path: ['databases', index, 'storage_gigabytes'],
            message: `is not for ${title}, whose storage grows by itself: leave it out`,
          });
        }
        if (allow_pause && !endpoints.canPause) {
          context.addIssue({
            code: 'custom',
            path: ['databases', index, 'allow_pause'],
            message: `is not for ${title}, which does not pause: it is for Aurora Serverless v2 with a minimum of 0 ACU`,
          });
        }
        if (!privileges.logins.includes(login.type)) {
          context.addIssue({
            code: 'custom',
            path: ['databases', index, 'login', 'type'],
            message: `is no login of ${title} (kind ${kind}), which takes: ${privileges.logins.join(', ')}`,
          });
        }
        if (login.type === 'iam' && !verifiesCertificate(tls)) {
          context.addIssue({
            code: 'custom',
            path: ['databases', index, 'tls', 'mode'],
            message: 'must be verify-full or verify-ca: an IAM token is sent as it is, to whoever answers',
          });
        }
        if (login.type === 'iam' && direct?.tls && !verifiesCertificate(direct.tls)) {
          context.addIssue({
            code: 'custom',
            path: ['databases', index, 'direct', 'tls', 'mode'],
            message: 'must be verify-full or verify-ca: an IAM token is sent as it is, to whoever answers',
          });
        }
        for (const [field, value] of Object.entries({ ...login, secret_key_arn })) {
          if (!/[*?]/.test(value ?? '')) continue;
          context.addIssue({
            code: 'custom',
            path: ['databases', index, ...(field === 'secret_key_arn' ? [] : ['login']), field],
            message: 'must not hold * or ?: in the policies of the functions they would stand for anything',
          });
        }
        if (vpc && JSON.stringify(vpc) !== JSON.stringify(first?.vpc)) {
          context.addIssue({
            code: 'custom',
            path: ['databases', index, 'vpc'],
            message: `differs from that of ${first?.id}: functions run in one VPC; deploy the other database with another prefix`,
          });
        }
        if (vpc && vpc.availability_zones.length !== vpc.subnet_ids.length) {
          context.addIssue({
            code: 'custom',
            path: ['databases', index, 'vpc', 'availability_zones'],
            message: 'must name one zone for each subnet',
          });
        }
        if (direct?.resource_id !== undefined && login.type !== 'iam') {
          context.addIssue({
            code: 'custom',
            path: ['databases', index, 'direct', 'resource_id'],
            message: 'is for a login of type iam',
          });
        }
        if (secret_key_arn && login.type !== 'secret') {
          context.addIssue({
            code: 'custom',
            path: ['databases', index, 'secret_key_arn'],
            message: 'is for a login of type secret',
          });
        }
        if (rotate_password_days !== undefined && (login.type !== 'secret' || /:rds![^:]*$/.test(login.secret_arn))) {
          context.addIssue({
            code: 'custom',
            path: ['databases', index, 'rotate_password_days'],
            message: 'is for a login of type secret whose secret RDS does not rotate itself',
          });
        }
      },
    );
  });

export type Deployment = z.output<typeof deploymentSchema>;
export type DeploymentInput = z.input<typeof deploymentSchema>;

/** The part of a deployment that its functions read. Without an issuer of its own, the environment tells it. */
export function runtimePart(deployment: Deployment): Record<string, unknown> {
  const known = Object.entries(deployment).filter(([name]) => name in runtimeConfigurationSchema.shape);
  const databases = deployment.databases.map(
    ({ vpc: _vpc, secret_key_arn: _key, rotate_password_days: _days, ...database }) => database,
  );
  return {
    ...Object.fromEntries(known),
    databases,
    drills: { server: deployment.drills.server },
    audit: { enabled: deployment.audit.enabled, retention_days: deployment.retention.audit_days },
    metrics_retention_hours: deployment.retention.metrics_hours,
    concurrency: concurrencyBudget(deployment.concurrency),
  };
}
