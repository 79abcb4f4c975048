import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it, test } from 'vitest';
import example from '../../infra/config/example.ts';
import { ConfigurationError, checkDeployment, loadDeployment } from '../../infra/config/load.ts';
import local from '../../infra/config/local.ts';
import { type DeploymentInput, runtimePart } from '../../infra/config/schema.ts';
import { runtimeConfigurationSchema } from '../../shared/configuration/runtime.ts';
import { synthesize } from './support/synthesize.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
// Without symbolic links, as a process reports its working directory.
const folder = realpathSync(mkdtempSync(join(tmpdir(), 'deployments-')));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const smallest: DeploymentInput = {
  databases: [
    {
      id: 'shop',
      host: 'db.example',
      name: 'shop',
      login: { type: 'secret', secret_arn: 'arn:aws:secretsmanager:eu-central-1:123456789012:secret:shop-AbCdEf' },
    },
  ],
};

/** What is wrong with the example after a change, a line for each problem. */
// biome-ignore lint/suspicious/noExplicitAny: the changes make what the type forbids.
function problemsAfter(change: (configuration: any) => void): string[] {
  const configuration = structuredClone(example);
  change(configuration);
  try {
    checkDeployment(configuration, 'mine.ts');
  } catch (error) {
    expect(error).toBeInstanceOf(ConfigurationError);
    const [title, ...lines] = (error as Error).message.split('\n');
    expect(title).toBe('The configuration mine.ts cannot be deployed:');
    return lines;
  }
  return [];
}

// biome-ignore lint/suspicious/noExplicitAny: see above.
type Change = (configuration: any) => void;
const wrong: [what: string, change: Change, line: string | RegExp][] = [
  ['an unknown key', (c) => (c.colour = 'red'), 'colour: is not known'],
  ['a misspelt key', (c) => (c.databases[0].prot = 5432), 'databases.0.prot: is not known'],
  ['an unknown key of the VPC', (c) => (c.databases[0].vpc.name = 'main'), 'databases.0.vpc.name: is not known'],
  ['a schedule of no type', (c) => (c.schedules.weekly = '0 2 * * 0'), 'schedules.weekly: is not known'],
  ['no databases', (c) => delete c.databases, 'databases: Invalid input: expected array, received undefined'],
  ['an empty list of databases', (c) => (c.databases = []), 'databases: needs at least one database'],
  ['two databases of one id', (c) => (c.databases[1].id = 'shop'), 'databases: database ids must be unique'],
  ['an impossible id', (c) => (c.databases[0].id = 'My Shop'), /^databases\.0\.id: must be 1 to 40 lower-case letters/],
  ['an id too long', (c) => (c.databases[1].id = 'x'.repeat(41)), /^databases\.1\.id: must be 1 to 40/],
  ['an empty host', (c) => (c.databases[0].host = ''), /^databases\.0\.host: Too small/],
  ['a port of text', (c) => (c.databases[0].port = '5432'), /^databases\.0\.port: .*expected number, received string/],
  ['a port too large', (c) => (c.databases[0].port = 65_536), /^databases\.0\.port: Too big: .*<=65535/],
  [
    'a kind of server',
    (c) => (c.databases[0].kind = 'mysql'),
    /^databases\.0\.kind: .*"rds"\|"aurora"\|"self-managed"/,
  ],
  ['a name too long', (c) => (c.databases[0].name = 'x'.repeat(64)), /^databases\.0\.name: Too big/],
  ['no login', (c) => delete c.databases[0].login, /^databases\.0\.login: .*expected object, received undefined/],
  ['a password', (c) => (c.databases[0].login.password = 'x'), 'databases.0.login.password: is not known'],
  [
    'a login of no type',
    (c) => (c.databases[0].login.type = 'ldap'),
    /^databases\.0\.login\.type: .*'secret' \| 'iam'/,
  ],
  [
    'the ARN of something else as secret',
    (c) => (c.databases[0].login.secret_arn = 'arn:aws:s3:::secrets'),
    'databases.0.login.secret_arn: must be the ARN of a Secrets Manager secret',
  ],
  [
    'the name of a secret',
    (c) => (c.databases[0].login.secret_arn = 'rds!db-shop'),
    'databases.0.login.secret_arn: must be the ARN of a Secrets Manager secret',
  ],
  [
    'every secret',
    (c) => (c.databases[0].login.secret_arn = 'arn:aws:secretsmanager:eu-central-1:123456789012:secret:*'),
    /^databases\.0\.login\.secret_arn: must not hold \* or \?/,
  ],
  ['every user', (c) => (c.databases[1].login.user = '*'), /^databases\.1\.login\.user: must not hold \* or \?/],
  [
    'every key',
    (c) => (c.databases[0].secret_key_arn = 'arn:aws:kms:eu-central-1:123456789012:key/*'),
    /^databases\.0\.secret_key_arn: must not hold \* or \?/,
  ],
  [
    'an alias as key',
    (c) => (c.databases[0].secret_key_arn = 'alias/secrets'),
    'databases.0.secret_key_arn: must be the ARN of a KMS key',
  ],
  [
    'a key without a secret',
    (c) => (c.databases[1].secret_key_arn = 'arn:aws:kms:eu-central-1:123456789012:key/a'),
    'databases.1.secret_key_arn: is for a login of type secret',
  ],
  [
    'a host as resource id',
    (c) => (c.databases[1].login.resource_id = 'ledger.cluster-x'),
    'databases.1.login.resource_id: must be a DB, cluster or proxy resource id',
  ],
  [
    'the resource id of a server for a login by password',
    (c) => (c.databases[0].direct = { host: 'db.example', resource_id: 'db-ABC' }),
    'databases.0.direct.resource_id: is for a login of type iam',
  ],
  [
    'a proxy in front of a server whose resource id is not said',
    (c) => {
      c.databases[1].login.resource_id = 'prx-ABC';
      c.databases[1].direct = { host: 'ledger.cluster-x.eu-central-1.rds.amazonaws.com' };
    },
    'databases.1.direct.resource_id: must name the server: the resource id of the login is that of its proxy',
  ],
  ['TLS of no known mode', (c) => (c.databases[0].tls = { mode: 'no-verify' }), /^databases\.0\.tls\.mode: /],
  [
    'an IAM token for a server that is not verified',
    (c) => (c.databases[1].tls = { mode: 'require' }),
    'databases.1.tls.mode: must be verify-full or verify-ca: an IAM token is sent as it is, to whoever answers',
  ],
  [
    'a proxy that nothing but monitoring can use',
    (c) => (c.databases[1].login.resource_id = 'prx-0a1b2c3d'),
    /^databases\.1\.login\.resource_id: is that of a proxy, through which monitoring alone works/,
  ],
  [
    'a proxy in place of the server',
    (c) => (c.databases[1].direct = { host: 'ledger.cluster-c.eu-central-1.rds.amazonaws.com', resource_id: 'prx-0a' }),
    /^databases\.1\.direct\.resource_id: is that of a proxy: it must name the server itself/,
  ],
  [
    'a database of Aurora DSQL',
    (c) => (c.databases[1].host = 'abcdefghijklm.dsql.eu-central-1.on.aws'),
    /^databases\.1\.host: .* is of Aurora DSQL/,
  ],
  [
    'a global endpoint',
    (c) => (c.databases[1].host = 'ledger.global-cabc.global.rds.amazonaws.com'),
    /^databases\.1\.host: .* global endpoint .* name the cluster endpoint/,
  ],
  [
    'a region without a certificate authority',
    (c) => (c.databases[0].host = 'shop.cabc.us-gov-west-1.rds.amazonaws.com'),
    /^databases\.0\.tls\.ca: .*us-gov-west-1.* Download https:\/\/truststore\.pki\.us-gov-west-1\.rds\.amazonaws\.com\/us-gov-west-1\/us-gov-west-1-bundle\.pem/,
  ],
  [
    'a login without a password on RDS',
    (c) => (c.databases[0].login = { type: 'passwordless', user: 'dbms' }),
    'databases.0.login.type: is no login of Amazon RDS (kind rds), which takes: secret, iam',
  ],
  [
    'an IAM token on a server of your own',
    (c) => Object.assign(c.databases[1], { kind: 'self-managed' }),
    'databases.1.login.type: is no login of a server of your own (kind self-managed), which takes: secret, passwordless',
  ],
  [
    'two VPCs',
    (c) => (c.databases[1].vpc.vpc_id = 'vpc-1'),
    /^databases\.1\.vpc: differs from that of shop: functions run in one VPC/,
  ],
  [
    'no VPC id',
    (c) => (c.databases[0].vpc.vpc_id = 'main'),
    'databases.0.vpc.vpc_id: must be a VPC id such as vpc-0a1b2c3d',
  ],
  [
    'no subnet id',
    (c) => (c.databases[0].vpc.subnet_ids[1] = 'a'),
    'databases.0.vpc.subnet_ids.1: must be a subnet id',
  ],
  ['no subnets', (c) => (c.databases[0].vpc.subnet_ids = []), /^databases\.0\.vpc\.subnet_ids: Too small/],
  [
    'no security groups',
    (c) => (c.databases[0].vpc.security_group_ids = []),
    /^databases\.0\.vpc\.security_group_ids: Too/,
  ],
  [
    'a security group by name',
    (c) => (c.databases[0].vpc.security_group_ids = ['default']),
    'databases.0.vpc.security_group_ids.0: must be a security group id',
  ],
  [
    'a subnet without a zone',
    (c) => c.databases[0].vpc.availability_zones.pop(),
    'databases.0.vpc.availability_zones: must name one zone for each subnet',
  ],
  [
    'a region as zone',
    (c) => (c.databases[0].vpc.availability_zones[0] = 'eu-central-1'),
    'databases.0.vpc.availability_zones.0: must be a zone such as eu-central-1a',
  ],
  [
    'a wrong cron',
    (c) => (c.schedules.full = '0 2 * *'),
    /^schedules\.full: "0 2 \* \*" has 4 fields; Unix cron has five/,
  ],
  [
    'a cron that never runs',
    (c) => (c.schedules.schema = '0 2 31 2 *'),
    'schedules.schema: "0 2 31 2 *" never runs: no such day comes in those months',
  ],
  [
    'a wrong time zone',
    (c) => (c.schedules.time_zone = 'Europe/Wien'),
    'schedules.time_zone: must be an IANA time zone such as UTC or Europe/Vienna',
  ],
  [
    'an invocation too short for anything',
    (c) => (c.invocation_seconds = 10),
    /^invocation_seconds: Too small: .*>=15/,
  ],
  ['more than all free connections', (c) => (c.backups.connection_share = 1.5), /^backups\.connection_share: Too big/],
  ['a wrong address', (c) => (c.alert_emails = ['dba@example.com', 'dba@']), 'alert_emails.1: Invalid email address'],
  [
    'a range of too many bits',
    (c) => (c.allowed_address_ranges = ['198.51.100.0/33']),
    'allowed_address_ranges.0: Invalid IPv4 range, or: Invalid IPv6 range',
  ],
  [
    'an address for a range',
    (c) => (c.allowed_address_ranges = ['198.51.100.1']),
    /^allowed_address_ranges\.0: Invalid IPv4 range/,
  ],
  ['no ranges at all', (c) => (c.allowed_address_ranges = []), /^allowed_address_ranges: Too small/],
  ['an issuer without https', (c) => (c.identity.issuer = 'login.example.com'), 'identity.issuer: Invalid URL'],
  ['no audience', (c) => delete c.identity.audience, /^identity\.audience: .*received undefined/],
  [
    'an endless session',
    (c) => (c.identity.session_max_age_seconds = 1e9),
    /^identity\.session_max_age_seconds: Too big/,
  ],
  ['an empty pool', (c) => (c.connections = { pool_size: 0 }), /^connections\.pool_size: Too small: .*>=1/],
  ['a negative overflow', (c) => (c.connections = { pool_overflow: -1 }), /^connections\.pool_overflow: Too small/],
  ['too high a compression', (c) => (c.backups.compression_level = 20), /^backups\.compression_level: Too big: .*<=19/],
  ['half a day', (c) => (c.backups.retention_days = 0.5), /^backups\.retention_days: .*expected int/],
  ['a ratio above one', (c) => (c.thresholds = { connection_usage: 1.2 }), /^thresholds\.connection_usage: Too big/],
  ['a ratio of nothing', (c) => (c.thresholds = { error_rate: 0 }), /^thresholds\.error_rate: Too small/],
  ['percent', (c) => (c.thresholds = { disk_usage: 90 }), /^thresholds\.disk_usage: Too big: .*<=1/],
  [
    'days that CloudWatch has not',
    (c) => (c.retention = { log_days: 10 }),
    /^retention\.log_days: must be one of CloudWatch's: 1, 3, 5, 7/,
  ],
  ['no days of audit', (c) => (c.retention = { audit_days: 0 }), /^retention\.audit_days: Too small/],
  ['no requests', (c) => (c.api = { requests_per_second: 0 }), /^api\.requests_per_second: Too small/],
  ['a job of two years', (c) => (c.job_timeout_hours = 17_520), /^job_timeout_hours: Too big: .*<=8784/],
  ['a capital prefix', (c) => (c.prefix = 'DBMS'), /^prefix: must be 1 to 20 lower-case letters/],
  ['a region by its city', (c) => (c.region = 'Frankfurt'), 'region: must be a region such as eu-central-1'],
  ['a short account', (c) => (c.account = '1234'), 'account: must be an account number of 12 digits'],
  ['another removal policy', (c) => (c.removal_policy = 'keep'), /^removal_policy: .*"retain"\|"destroy"/],
  ['a yes', (c) => (c.deletion_protection = 'yes'), /^deletion_protection: .*expected boolean, received string/],
];

describe('a configuration is refused with path and reason when it has', () => {
  test.each(wrong)('%s', (_what, change, line) => {
    const [first = '', ...others] = problemsAfter(change);
    if (typeof line === 'string') expect(first).toBe(line);
    else expect(first).toMatch(line);
    // A VPC that is wrong differs from that of the other database, too; and drills are on the server of one of them.
    expect(others.filter((other) => !/vpc|drills/.test(other))).toEqual([]);
  });

  test('several mistakes: all of them', () => {
    expect(
      problemsAfter((c) => {
        c.prefix = '';
        c.databases[0].port = 0;
        c.backups = { compresion_level: 3 };
      }).map((line) => line.split(':')[0]),
    ).toEqual(['databases.0.port', 'backups.compresion_level', 'prefix']);
  });

  test.each([undefined, null, 'text', []])('nothing but %j', (given) => {
    expect(() => checkDeployment(given, 'mine.ts')).toThrow(/\n\(whole file\): .*expected object/);
  });
});

describe('the budget of concurrency', () => {
  const refused = (concurrency: unknown) => problemsAfter((given) => Object.assign(given, { concurrency }));
  const budgetOf = (concurrency: DeploymentInput['concurrency']) =>
    runtimePart(checkDeployment({ ...example, concurrency }, 'mine.ts')).concurrency;

  it('works in a new account, and grows with the quota', () => {
    expect(budgetOf(undefined)).toEqual({ jobs: 2, exports: 4 });
    expect(budgetOf({ quota: 50 })).toEqual({ jobs: 15, exports: 31 });
    expect(budgetOf({ quota: 1000 })).toEqual({ jobs: 50, exports: 946 });
    expect(budgetOf({ quota: 1000, jobs: 100, reserved: { authorizer: 20 } })).toEqual({ jobs: 100, exports: 876 });
  });

  it('is refused when its parts come to more than the quota', () => {
    expect(refused({ quota: 10, jobs: 4 })).toEqual([
      'concurrency.jobs: leaves 2 of the quota of 10 for the workers of large backups, which need 3: 4 are kept free, 4 are for jobs',
    ]);
    expect(refused({ quota: 10, kept_free: 8 })).toEqual([
      expect.stringContaining('concurrency.kept_free: leaves 1 of the quota of 10'),
    ]);
    expect(refused({ quota: 100, reserved: { authorizer: 5 } })).toEqual([
      'concurrency.reserved: comes to 5, but Lambda keeps 100 of the quota of 100 unreserved: in this account nothing can be reserved',
    ]);
    expect(refused({ quota: 150, reserved: { authorizer: 60 } })).toEqual([
      expect.stringContaining('at most 50 can be reserved'),
    ]);
  });

  it('reserves for functions that there are', async () => {
    const made = await synthesize({ ...example, concurrency: { quota: 1000, reserved: { authorizer: 20 } } });
    const reserved = made.app.functions.filter(({ reservedConcurrency }) => reservedConcurrency !== null);
    expect(reserved.map(({ name, reservedConcurrency }) => [name, reservedConcurrency])).toEqual([
      ['dbms-authorizer', 20],
    ]);
    await expect(
      synthesize({ ...example, concurrency: { quota: 1000, reserved: { authoriser: 20 } } }),
    ).rejects.toThrow(/concurrency\.reserved\.authoriser: is no function; use one of: .*authorizer/);
  });
});

describe('defaults', () => {
  it('are those of the design', () => {
    expect(checkDeployment(smallest, 'smallest')).toMatchObject({
      prefix: 'dbms',
      connections: { pool_size: 10, pool_overflow: 20, pool_timeout_seconds: 30, pool_recycle_seconds: 3600 },
      thresholds: {
        connection_usage: 0.8,
        response_time_ms: 2000,
        error_rate: 0.05,
        disk_usage: 0.9,
        slow_query_seconds: 1,
        health_check_interval_seconds: 30,
      },
      retention: { audit_days: 90, metrics_hours: 168 },
      backups: { retention_days: 30, compression_level: 1 },
      schedules: {
        incremental: '0 */6 * * *',
        full: '0 2 * * 0',
        schema: '0 1 * * 1',
        data: null,
        masked: [],
        time_zone: 'UTC',
      },
    });
  });

  it('are the safe ones', () => {
    const deployment = checkDeployment(smallest, 'smallest');
    expect(deployment).toMatchObject({ removal_policy: 'retain', deletion_protection: true });
    expect(deployment.databases[0]).toMatchObject({ port: 5432, tls: { mode: 'verify-full' } });
    expect(deployment.identity).toBeUndefined();
  });

  it('stand beside what is set', () => {
    const { schedules, connections } = checkDeployment(
      { ...smallest, schedules: { full: null }, connections: { pool_size: 3 } },
      'mine',
    );
    expect(schedules).toEqual({
      full: null,
      incremental: '0 */6 * * *',
      schema: '0 1 * * 1',
      data: null,
      masked: [],
      time_zone: 'UTC',
    });
    expect(connections).toMatchObject({ pool_size: 3, pool_overflow: 20 });
  });
});

describe('the configurations that come along', () => {
  it.each([
    ['example', example],
    ['local', local],
  ])('%s is valid, from its file and as it stands', async (name, configuration) => {
    expect(await loadDeployment(join(root, `infra/config/${name}.ts`))).toEqual(checkDeployment(configuration, name));
  });

  it('tell the functions all that they read, and nothing else', () => {
    for (const configuration of [example, local, smallest]) {
      const deployment = checkDeployment(configuration, 'it');
      const told = JSON.parse(JSON.stringify(runtimePart(deployment)));
      expect(runtimeConfigurationSchema.parse(told)).toEqual(told);
      expect(told.databases.map(({ id }: { id: string }) => id)).toEqual(deployment.databases.map(({ id }) => id));
    }
  });
});

describe('node infra/app.ts', () => {
  const run = (deployment: string) => {
    const outdir = join(folder, 'cdk.out');
    const { status, stdout, stderr } = spawnSync(process.execPath, [join(root, 'infra/app.ts')], {
      cwd: folder,
      env: { PATH: process.env.PATH, DEPLOYMENT: deployment, CDK_OUTDIR: outdir },
      encoding: 'utf8',
    });
    return { status, stdout, said: stderr.trimEnd().split('\n'), left: existsSync(outdir) };
  };
  const write = (name: string, text: string) => {
    writeFileSync(join(folder, name), text);
    return name;
  };

  it('prints path and reason of what is wrong, and exits with 1', () => {
    const path = write('bad.json', JSON.stringify({ ...example, prefix: 'NO', colour: 1 }));
    expect(run(path)).toEqual({
      status: 1,
      stdout: '',
      said: [
        'The configuration bad.json cannot be deployed:',
        'prefix: must be 1 to 20 lower-case letters, digits and hyphens, starting with a letter',
        'colour: is not known',
      ],
      left: false,
    });
  });

  it.each([
    ['a missing file', 'missing.ts', '', 'there is no such file'],
    ['a missing JSON file', 'missing.json', '', 'there is no such file'],
    ['a file of no JSON', 'cut.json', '{ "prefix":', 'Unexpected end of JSON input'],
    ['a module without a default export', 'named.ts', 'export const deployment = {};', 'it has no default export'],
    ['a module that fails', 'fails.ts', 'throw new Error("no credentials");', 'no credentials'],
    ['a module that misses a file', 'reads.ts', 'import "./not-here.ts";', 'Cannot find module'],
  ])('says of %s what is wrong with it', (_what, name, text, reason) => {
    if (text !== '') write(name, text);
    const { status, said, left } = run(name);
    expect([status, left]).toEqual([1, false]);
    expect(said).toHaveLength(1);
    expect(said[0]).toContain(`The configuration ${join(folder, name)} cannot be read: ${reason}`);
  });
});
