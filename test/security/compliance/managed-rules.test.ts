import { describe, expect, test } from 'vitest';
import type { ServerDescription } from '../../../shared/platforms/managed/describe.ts';
import type { DescribedParameter } from '../../../shared/platforms/managed/describe-parameters.ts';
import { rules } from '../../../shared/security/compliance/registry.ts';
import type { Context, Judgement } from '../../../shared/security/compliance/rule.ts';

const DAY_MS = 86_400_000;
const NOW = Date.parse('2026-11-30T12:00:00Z');

const member = {
  ...{ class: 'db.r8g.large', public: false, minorUpgrades: true, isWriter: true, address: null, resourceId: 'db-A' },
  ...{ authority: 'rds-ca-rsa2048-g1', certificateEnds: null, parameterGroup: 'of-instance', storage: null },
};
const instance: ServerDescription = {
  ...{ id: 'shop', isCluster: false, status: 'available', engine: 'postgres', engineVersion: '16.4' },
  instances: [{ ...member, id: 'shop' }],
  endpoints: { writer: null, reader: null, custom: [] },
  ...{ resourceId: 'db-A', masterUser: 'admin', encrypted: false, retentionDays: 7 },
  ...{ deletionProtection: true, exportsLog: true, parameterGroup: 'own', capacity: null, unsupported: null },
  placement: {
    ...{ subnetGroup: 'private', securityGroups: ['sg-1', 'sg-2'], isMultiAz: true },
    ...{ port: 5433, storageType: 'gp3', isByIam: true },
  },
};
const cluster: ServerDescription = {
  ...instance,
  ...{ id: 'ledger', isCluster: true, engine: 'aurora-postgresql', parameterGroup: 'of-cluster' },
  instances: [
    { ...member, id: 'ledger-1' },
    { ...member, id: 'ledger-2', isWriter: false },
  ],
};

const setting = (value: string, type: string, unit: string | null = null, context = 'user') => ({
  ...{ value, type, unit, context },
  source: 'default',
});
const server = {
  ...{ version: 160_004, sees_all_settings: true, database: 'shop', force_ssl: 'off' },
  settings: {
    log_min_duration_statement: setting('-1', 'integer', 'ms'),
    log_temp_files: setting('-1', 'integer', 'kB'),
    idle_session_timeout: setting('0', 'integer', 'ms'),
    authentication_timeout: setting('300', 'integer', 's'),
    statement_timeout: setting('0', 'integer', 'ms'),
    log_checkpoints: setting('off', 'bool'),
    log_statement: setting('none', 'enum'),
    ssl_prefer_server_ciphers: setting('off', 'bool'),
    fsync: setting('off', 'bool'),
    shared_preload_libraries: setting('rdsutils,pg_stat_statements', 'string', null, 'postmaster'),
    log_destination: setting('stderr', 'string'),
    log_line_prefix: setting('%m [%p] ', 'string'),
  },
};

/** As a group has them: `allowed` by name, and whether a change waits for a restart. */
const group = (...parameters: [name: string, allowed: string | null, changes?: Partial<DescribedParameter>][]) =>
  new Map(
    [...parameters, ['max_connections', null] as const].map(([name, allowed, changes = {}]) => [
      name,
      { allowed, isModifiable: true, isStatic: false, isSet: false, value: null, ...changes },
    ]),
  );

function judge(id: string, reading: unknown, changes: Partial<Context> = {}): Judgement {
  const rule = rules.find((each) => each.rule.id === id)?.rule;
  if (!rule) throw new Error(`There is no rule ${id}`);
  const context = {
    now: NOW,
    database: { id: 'shop', kind: 'rds', name: 'shop', host: 'shop.cabc.eu-central-1.rds.amazonaws.com' },
    instance,
    parameters: null,
    ...changes,
  };
  return rule.judge(reading as never, context as never);
}
const aurora = {
  id: 'ledger',
  kind: 'aurora',
  name: 'ledger',
  host: 'ledger.cluster-c.eu-central-1.rds.amazonaws.com',
};
const inAurora = (parameters: Context['parameters']) =>
  ({ database: aurora, instance: cluster, parameters }) as unknown as Partial<Context>;

/** What a step tells the group. */
function parameterOf(judgement: Judgement): unknown {
  if (judgement.status !== 'fail') throw new Error(`It is ${judgement.status}: ${judgement.found}`);
  return JSON.parse(/--parameters '(.*)'$/.exec(judgement.mend[0]?.statement ?? '')?.[1] ?? '');
}

describe('a parameter group', () => {
  test.each([
    ['log_min_duration_statement', 'log_min_duration_statement', '1000'],
    ['log_temp_files', 'log_temp_files', '10240'],
    ['idle_session_timeout', 'idle_session_timeout', '28800000'],
    ['statement_timeout', 'statement_timeout', '600000'],
    ['authentication_timeout', 'authentication_timeout', '60'],
    ['log_checkpoints', 'log_checkpoints', '1'],
    ['log_statement', 'log_statement', 'ddl'],
    ['tls_forced', 'rds.force_ssl', '1'],
  ])('gets the value of %s in its own spelling', (id, ParameterName, ParameterValue) => {
    const told = [{ ParameterName, ParameterValue, ApplyMethod: 'immediate' }];
    expect(parameterOf(judge(id, server))).toEqual(told);
    const parameters = {
      cluster: null,
      instance: group([ParameterName, '-1-2147483647,0,1,ddl'.includes(ParameterValue) ? '0,1,ddl' : '-1-2147483647']),
    };
    expect(parameterOf(judge(id, server, { parameters }))).toEqual(told);
  });

  test('does not get the libraries that AWS loads by itself, and waits for a restart where AWS says so', () => {
    const allowed = 'auto_explain,pgaudit,pg_cron,pg_stat_statements';
    const parameters = { cluster: null, instance: group(['shared_preload_libraries', allowed, { isStatic: true }]) };
    const judgement = judge('pgaudit_loaded', server, { parameters });
    expect(parameterOf(judgement)).toEqual([
      {
        ParameterName: 'shared_preload_libraries',
        ParameterValue: 'pg_stat_statements,pgaudit',
        ApplyMethod: 'pending-reboot',
      },
    ]);
    expect(judgement.status === 'fail' && judgement.mend.at(-1)?.statement).toBe(
      'aws rds reboot-db-instance --db-instance-identifier shop',
    );
  });

  test.each([
    ['a setting that it does not have', 'tls_server_chooses', group(), 'do not have it'],
    [
      'one that nobody may change',
      'log_checkpoints',
      group(['log_checkpoints', '0,1', { isModifiable: false }]),
      'do not let anybody change it',
    ],
    ['a value that it does not take', 'log_statement', group(['log_statement', 'none,mod,all']), 'only none,mod,all'],
  ])('is not told %s: the rule does not apply, with the reason', (_what, id, of, why) => {
    const judgement = judge(id, server, { parameters: { cluster: null, instance: of } });
    expect(judgement).toMatchObject({ status: 'not_applicable', found: expect.stringContaining(why) });
  });

  test.each(['log_checkpoints', 'fsync', 'tls_server_chooses'])(
    'of Aurora has no %s, which does not fail for ever, whether or not AWS can be asked',
    (id) => {
      const known = { cluster: group(['log_statement', 'none,ddl,mod,all']), instance: group() };
      for (const parameters of [null, known])
        expect(judge(id, server, inAurora(parameters)), String(parameters)).toMatchObject({ status: 'not_applicable' });
    },
  );

  test('is that of the cluster, or of each instance where that alone has the setting or goes before', () => {
    const ofCluster = { cluster: group(['statement_timeout', '0-2147483647']), instance: group() };
    const commands = (parameters: Context['parameters']): string[] => {
      const judgement = judge('statement_timeout', server, inAurora(parameters));
      return judgement.status === 'fail'
        ? judgement.mend.map(({ statement }) => statement.replace(/ --parameters.*/, ''))
        : [];
    };
    expect(commands(ofCluster)).toEqual([
      'aws rds modify-db-cluster-parameter-group --db-cluster-parameter-group-name of-cluster',
    ]);
    const inInstance = [
      'aws rds modify-db-parameter-group --db-parameter-group-name of-instance',
      'aws rds modify-db-parameter-group --db-parameter-group-name of-instance',
    ];
    expect(commands({ cluster: group(), instance: group(['statement_timeout', null]) })).toEqual(inInstance);
    const both = { ...ofCluster, instance: group(['statement_timeout', null, { isSet: true }]) };
    expect(commands(both)).toEqual(inInstance);
  });

  test('takes the default prefix where the log is not read', () => {
    const database = { ...aurora, log_group: '/aws/rds/cluster/ledger/postgresql' };
    const changes = { ...inAurora(null), database } as unknown as Partial<Context>;
    expect(parameterOf(judge('log_is_read', server, changes))).toMatchObject([
      { ParameterName: 'log_line_prefix', ParameterValue: '%t:%r:%u@%d:[%p]:' },
    ]);
    expect(judge('log_is_read', server).status).toBe('not_applicable');
    const csv = { ...server, settings: { ...server.settings, log_destination: setting('stderr,csvlog', 'string') } };
    expect(judge('log_is_read', csv, changes).status).toBe('pass');
  });
});

describe('the master user and the roles of AWS', () => {
  const role = (name: string, changes: object = {}) => ({
    ...{ name, bootstrap: false, own: false, superuser: false, login: true, createrole: true, createdb: true },
    ...{ replication: true, bypassrls: true, connection_limit: -1, valid_until: null, by_iam: false },
    ...{ administers: false, owns_tables: true, ...changes },
  });
  const roles = [
    role('rdsadmin', { bootstrap: true, superuser: true }),
    role('rds_superuser'),
    role('admin', { administers: true }),
    role('app'),
  ];
  const judged = [
    'bypassrls',
    'createrole',
    'createdb',
    'replication',
    'connection_limits',
    'owners_log_in',
    'logins_end',
  ];

  test.each(judged)('are not told to be changed by %s', (id) => {
    expect(judge(id, roles)).toMatchObject({ status: 'fail', found: '1: app' });
    // Where RDS did not say who it is, nobody who may be it is.
    expect(judge(id, roles, { instance: null })).toMatchObject({ status: 'fail', found: '1: app' });
  });

  test('are not locked out for being unused or expired', () => {
    const past = roles.map((each) => ({ ...each, valid_until: NOW - DAY_MS }));
    expect(judge('expired_logins', past)).toMatchObject({ found: expect.stringMatching(/^1: app$/) });
    const sightings = {
      since: 0,
      last_seen: {},
      known_since: { admin: 1, app: 1, rdsadmin: 1, rds_superuser: 1 },
      roles,
    };
    expect(judge('unused_logins', sightings)).toMatchObject({ found: '1: app' });
  });

  test('on a server of its own the same names are judged like all others', () => {
    const database = { id: 'shop', kind: 'self-managed', name: 'shop', host: 'h' } as unknown as Context['database'];
    expect(judge('createrole', roles, { database, instance: null })).toMatchObject({
      found: '3: rds_superuser, admin, app',
    });
  });

  test('are not granted what everybody had, and may read files', () => {
    const connect = {
      ...{ kind: 'DATABASE', shown: 'shop', object: 'shop', col: null, privilege: 'CONNECT', grantable: false },
      ...{ grantee: null, grantor: 'admin', logins: ['app', 'rdsproxyadmin'] },
    };
    const granted = (changes: Partial<Context>) => {
      const judgement = judge('database_connect', [connect], changes);
      return judgement.status === 'fail' ? judgement.mend.map(({ statement }) => statement) : [];
    };
    const own = {
      database: { id: 'shop', kind: 'self-managed', name: 'shop', host: 'h' },
    } as unknown as Partial<Context>;
    expect(granted({})).toEqual([
      'GRANT CONNECT ON DATABASE shop TO "app";',
      'REVOKE CONNECT ON DATABASE shop FROM PUBLIC;',
    ]);
    expect(granted(own)).toContain('GRANT CONNECT ON DATABASE shop TO "rdsproxyadmin";');
    const files = [{ object: 'pg_catalog.pg_ls_dir(text)', grantee: 'rds_superuser' }];
    expect(judge('file_functions', files).status).toBe('pass');
    expect(judge('file_functions', files, own).status).toBe('fail');
  });

  test('members of rds_superuser are named, but for the master user and the login of this system', () => {
    const membership = (name: string, own = false) => ({
      ...{ role: 'rds_superuser', member: name, grantor: 'rdsadmin', admin: false, own },
      ...{ role_is_superuser: false, predefined: false, member_is_superuser: false, member_creates_roles: true },
    });
    const memberships = ['admin', 'rdsadmin', 'app'].map((name) => membership(name));
    const judgement = judge('rds_superusers', [...memberships, membership('dbms', true)]);
    expect(judgement).toEqual({
      status: 'fail',
      found: '1: app',
      mend: [{ by: 'sql', statement: 'REVOKE "rds_superuser" FROM "app" GRANTED BY "rdsadmin";' }],
    });
    expect(judge('rds_superusers', memberships, { instance: null }).status).toBe('unknown');
  });
});

describe('what RDS keeps of an instance', () => {
  test.each([
    ['13.20', 'fail'],
    ['14.15', 'fail'],
    ['16.4', 'pass'],
    ['99.1', 'unknown'],
  ])('the version %s: %s', (engineVersion, status) => {
    expect(judge('engine_support', { ...instance, engineVersion })).toMatchObject({ status });
  });

  test.each([
    ['rds-ca-2019', 'fail'],
    ['rds-ca-ecc384-g1', 'pass'],
  ])('the certificate authority %s: %s', (authority, status) => {
    const described = { ...instance, instances: [{ ...member, id: 'shop', authority }] };
    expect(judge('instance_authority', described)).toMatchObject({ status });
  });

  const statements = (judgement: Judgement) =>
    judgement.status === 'fail' ? judgement.mend.map(({ statement }) => statement) : [];

  test('an encrypted copy keeps the network, the parameters and the standby, and loses no writes', () => {
    const steps = statements(judge('instance_encryption', instance));
    expect(steps.findIndex((step) => step.includes('default_transaction_read_only = on'))).toBeLessThan(
      steps.findIndex((step) => step.includes('create-db-snapshot')),
    );
    expect(steps.at(-1)).toBe('BEGIN READ WRITE; ALTER DATABASE "shop" RESET default_transaction_read_only; COMMIT;');
    const restore = steps.find((step) => step.includes('restore-db-instance-from-db-snapshot'));
    for (const part of [
      '--db-subnet-group-name private',
      '--vpc-security-group-ids sg-1 sg-2',
      '--port 5433',
      '--db-parameter-group-name own',
      '--multi-az',
      '--no-publicly-accessible',
      '--db-instance-class db.r8g.large',
      '--enable-iam-database-authentication',
    ])
      expect(restore).toContain(part);
  });

  test('an encrypted copy of a cluster keeps its instances and its groups', () => {
    const steps = statements(judge('instance_encryption', cluster, inAurora(null)));
    const restore = steps.find((step) => step.includes('restore-db-cluster-from-snapshot'));
    for (const part of ['--db-subnet-group-name private', '--db-cluster-parameter-group-name of-cluster'])
      expect(restore).toContain(part);
    expect(
      steps.filter((step) => step.startsWith('aws rds create-db-instance')).map((step) => step.split(' ')[4]),
    ).toEqual(['ledger-encrypted-1', 'ledger-encrypted-2']);
  });
});
