import type { DeploymentInput } from './schema.ts';

/**
 * A deployment to copy and change. What is left out has the default that schema.ts gives it; times of day are UTC unless
 * `schedules.time_zone` says otherwise. Deploy it with
 *
 *     DEPLOYMENT=my-deployment.ts npm run deploy
 */
const example: DeploymentInput = {
  // Stacks and functions are named after it: dbms-storage, dbms-backup, ...
  prefix: 'dbms',
  region: 'eu-central-1',
  account: '123456789012',

  databases: [
    {
      // In the API (?database=shop) and in the bucket's paths. The first database is the default.
      id: 'shop',
      kind: 'rds',
      // The server, or a connection pooler in front of it: then `direct: { host: ..., port: 5432 }` names the server; see docs/poolers.md.
      // It names the instance, too, whose free storage is read before a restore; `instance_id` does where the host does not.
      host: 'shop.cabcdefghijk.eu-central-1.rds.amazonaws.com',
      name: 'shop',
      // Logins and, with pgaudit, statements join the audit trail. The instance must publish its log to CloudWatch.
      log_group: '/aws/rds/instance/shop/postgresql',
      // A secret as RDS makes it: {"username": ..., "password": ...}.
      login: {
        type: 'secret',
        secret_arn: 'arn:aws:secretsmanager:eu-central-1:123456789012:secret:rds!db-shop-AbCdEf',
      },
      // Private subnets with a way to AWS. `endpoints` makes the VPC endpoints that they need: docs/vpc.md.
      vpc: {
        vpc_id: 'vpc-0123456789abcdef0',
        subnet_ids: ['subnet-0aaaaaaaaaaaaaaa1', 'subnet-0bbbbbbbbbbbbbbb2'],
        security_group_ids: ['sg-0123456789abcdef0'],
        availability_zones: ['eu-central-1a', 'eu-central-1b'],
      },
    },
    {
      id: 'ledger',
      kind: 'aurora',
      host: 'ledger.cluster-cabcdefghijk.eu-central-1.rds.amazonaws.com',
      name: 'ledger',
      // No password: the user has the role rds_iam, and functions sign in with their own role.
      login: { type: 'iam', user: 'dbms', resource_id: 'cluster-ABCDEFGHIJKLMNOPQRSTUVWXYZ' },
      vpc: {
        vpc_id: 'vpc-0123456789abcdef0',
        subnet_ids: ['subnet-0aaaaaaaaaaaaaaa1', 'subnet-0bbbbbbbbbbbbbbb2'],
        security_group_ids: ['sg-0123456789abcdef0'],
        availability_zones: ['eu-central-1a', 'eu-central-1b'],
      },
    },
  ],

  // Unix cron; null for none. On Sunday at two, local time. `masked: ['data']` would mask those of a type, for test servers.
  schedules: { full: '0 2 * * 0', time_zone: 'Europe/Berlin' },
  // Large databases: up to 8 functions export at the same time, over at most half of the free connections.
  backups: { retention_days: 30, compression_level: 1, lanes: 8, connection_share: 0.5 },
  // A new account has 10 concurrent executions of functions, of which 4 stay free for the API and the monitoring; see
  // docs/concurrency.md. `npm run check-account` says what yours has.
  concurrency: { quota: 10, kept_free: 4 },
  // How long the address of a downloaded script serves whoever has it; at most an hour.
  downloads: { address_minutes: 15 },

  // Every Sunday at five each database's newest full backup is restored on this database's server into a scratch database, and
  // dropped. A server that is not in production is better; leave it out for no drills.
  drills: { server: 'shop', schedule: '0 5 * * 0', alarm_after_days: 14 },

  // Point-in-time recovery is turned on for each database with PUT recovery. When a server has to keep more log than this for it, the
  // window is given up before the disk is full.
  recovery: { max_retained_wal_gigabytes: 10, capture_minutes: 1 },

  // Metrics, an alarm for each check, and dashboards in CloudWatch cost more than all else (docs/costs.md) and are off: alerts do not
  // depend on them.
  cloudwatch: { metrics: false, alarms: false, dashboards: false },

  // Callers from anywhere else are refused before a function runs.
  allowed_address_ranges: ['198.51.100.0/24', '203.0.113.0/24'],
  alert_emails: ['dba@example.com'],

  // Your own issuer. Leave it out to get a Cognito user pool with a group for each role.
  identity: {
    issuer: 'https://login.example.com/realms/main',
    audience: 'database-management',
    jwks_uri: 'https://login.example.com/realms/main/protocol/openid-connect/certs',
    roles_claim: 'roles',
    // In the answer to a token that has expired.
    token_help: 'Sign in again: https://login.example.com',
  },
};

export default example;
