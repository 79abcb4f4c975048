import { describe, expect, test } from 'vitest';
import { databaseSchema } from '../../shared/configuration/runtime.ts';
import type { Context } from '../../shared/doctor/check.ts';
import { explainRefusal } from '../../shared/doctor/connection-failure.ts';
import { runChecks } from '../../shared/doctor/examine.ts';
import type { Facts, Readings } from '../../shared/doctor/facts/facts.ts';
import { checks } from '../../shared/doctor/registry.ts';
import { OperationError } from '../../shared/errors.ts';
import { platformOf } from '../../shared/platforms/platforms.ts';
import { configuredDatabase, dependenciesFor } from './support/examined.ts';

type Deep<Value> = { [Key in keyof Value]?: Value[Key] extends object ? Deep<Value[Key]> : Value[Key] };

const setting = (value: string) => ({
  ...{ value, source: 'default', context: 'sighup', type: 'string', unit: null, pending_restart: false },
});

/** A server and a login that nothing is missing of. */
const whole: Facts = {
  server: {
    ...{ version: 180_001, version_text: '18.1', in_recovery: false, encrypted: true },
    settings: {
      ...{ wal_level: setting('logical'), max_replication_slots: setting('10'), max_wal_senders: setting('10') },
      ...{ max_slot_wal_keep_size: setting('1024'), log_connections: setting('on'), log_disconnections: setting('on') },
      ...{ log_destination: setting('stderr'), log_line_prefix: setting('%t:%r:%u@%d:[%p]:') },
    },
  },
  login: {
    ...{ name: 'dbms', superuser: true, inherits: true, creates_databases: true, creates_roles: true },
    ...{
      creates_run_logins: true,
      creates_schemas: true,
      replicates: true,
      changes_its_password: true,
      fires_no_event_triggers: true,
    },
    ...{ login_triggers: [], connection_limit: null, sessions: 1, valid_until: null, known_roles: [] },
    has_roles: ['pg_monitor', 'pg_signal_backend'],
  },
  database: {
    ...{ name: 'shop', owner: 'app', owner_administers: false, owned: true, connection_limit: null, sessions: 1 },
    ...{ max_connections: 100, reserved: 3, all_sessions: 5 },
  },
  replication: { slots: 0, senders: 0 },
  unreadable: [],
  hidden_rows: [],
  large_objects: [],
  foreign_owners: [],
  extensions: [],
  extension_server: {
    ...{ superuser: true, is_rds_superuser: false, is_rds_extension: false, allowed: null, delegated: null },
    ...{ cron_database: null, preloaded: null },
  },
  statistics: { present: true, available: true },
};

const database = configuredDatabase('self-managed', 'shop');
const server = {
  ...{ id: 'main', isCluster: false, unsupported: null, resourceId: 'db-NOW', exportsLog: true },
  endpoints: { writer: null, reader: null, custom: [] },
} as unknown as NonNullable<Context['server']>;
const context: Context = {
  ...{ database, platform: platformOf(database), server: null, pooler: null, now: 0 },
  configuration: dependenciesFor({} as never).configuration,
};
const iam = databaseSchema.parse({
  ...{ id: 'shop', kind: 'rds', host: 'db.example', name: 'shop', log_group: '/aws/rds/instance/shop/postgresql' },
  login: { type: 'iam', user: 'dbms', resource_id: 'db-BEFORE' },
});
const onRds = (of = configuredDatabase('rds', 'shop')): Partial<Context> => ({
  database: of,
  platform: platformOf(of),
});

interface Case {
  facts?: Deep<Facts>;
  context?: Partial<Context>;
  /** The statements that give back what is missing, word for word. */
  given: readonly string[];
}
const member = (role: string) => `GRANT "${role}" TO "dbms" WITH INHERIT TRUE, SET TRUE;`;
const system = (name: string, value: string) => [
  `ALTER SYSTEM SET "${name}" = '${value}';`,
  'SELECT pg_catalog.pg_reload_conf();',
];

/** What is missing for each check, and how it is given back. */
const cases: Readonly<Record<string, Case>> = {
  server_not_supported: { context: { server: { ...server, unsupported: 'a Limitless database' } }, given: [] },
  resource_id_changed: {
    context: { ...onRds(iam), server },
    given: [`login: { type: 'iam', user: 'dbms', resource_id: 'db-NOW' }`],
  },
  pooler_in_between: {
    context: { pooler: { name: 'PgBouncer', recognised_by: 'x', instead: null } as never },
    given: [`direct: { host: '<address of the server itself>', port: 5432 }`],
  },
  server_is_standby: { facts: { server: { in_recovery: true } }, given: [`host: '<address of the primary>'`] },
  version_not_supported: { facts: { server: { version: 120_000 } }, given: [] },
  not_encrypted: {
    facts: { server: { encrypted: false } },
    context: { database: { ...database, host: 'db.example' } },
    given: [`tls: { mode: 'verify-full' }`],
  },
  login_triggers_fire: {
    facts: { login: { login_triggers: ['watch (mallory)'], fires_no_event_triggers: false } },
    given: ['ALTER ROLE "dbms" SET event_triggers = off;', 'GRANT SET ON PARAMETER event_triggers TO "dbms";'],
  },
  login_expires: { facts: { login: { valid_until: 1 } }, given: [`ALTER ROLE "dbms" VALID UNTIL 'infinity';`] },
  login_connection_limit: {
    facts: { login: { connection_limit: 1 } },
    given: ['ALTER ROLE "dbms" CONNECTION LIMIT -1;'],
  },
  database_connection_limit: {
    facts: { database: { connection_limit: 1 } },
    given: ['ALTER DATABASE "shop" CONNECTION LIMIT -1;'],
  },
  connections_exhausted: { facts: { database: { all_sessions: 97 } }, given: ['backups: { connections: 1 }'] },
  monitor_missing: { facts: { login: { has_roles: ['pg_signal_backend'] } }, given: [member('pg_monitor')] },
  sessions_not_ended: { facts: { login: { has_roles: ['pg_monitor'] } }, given: [member('pg_signal_backend')] },
  statements_not_counted: {
    facts: { statistics: { present: false } },
    given: ['CREATE EXTENSION pg_stat_statements;'],
  },
  rows_not_readable: {
    facts: { unreadable: [{ kind: 'table', schema: 's', name: 't', total: 1 }] },
    given: [member('pg_read_all_data')],
  },
  rows_hidden_by_policies: {
    facts: {
      hidden_rows: [
        { schema: 's', name: 't', owner: 'app', forced: false, owner_administers: false, owned: false, total: 1 },
      ],
    },
    given: ['ALTER ROLE "dbms" BYPASSRLS;'],
  },
  large_objects_not_readable: {
    facts: { large_objects: [{ owner: 'app', owner_administers: false, objects: 1 }] },
    given: [member('app')],
  },
  databases_not_created: { facts: { login: { creates_databases: false } }, given: ['ALTER ROLE "dbms" CREATEDB;'] },
  drill_logins_not_created: {
    facts: { login: { creates_run_logins: false } },
    context: { configuration: { ...context.configuration, drills: { server: 'shop' } as never } },
    given: ['\\i docs/logins/drills.sql'],
  },
  database_not_owned: { facts: { database: { owned: false } }, given: [member('app')] },
  owners_not_restored: {
    facts: { foreign_owners: [{ owner: 'app', objects: 1, administers: false, granted_by: [], total: 1 }] },
    given: [member('app')],
  },
  administrators_own_objects: {
    facts: { foreign_owners: [{ owner: 'postgres', objects: 1, administers: true, granted_by: [], total: 1 }] },
    given: ['{"owner_mapping":{"postgres":"<another role>"}}'],
  },
  extensions_not_created: {
    facts: {
      extensions: [{ name: 'pg_stat_statements', available: true, needs_superuser: true, in_use: false }],
      extension_server: { superuser: false },
    },
    given: ['CREATE EXTENSION "pg_stat_statements";'],
  },
  cron_lives_here: { facts: { extension_server: { cron_database: 'shop' } }, given: [] },
  wal_level_too_low: {
    facts: { server: { settings: { wal_level: setting('replica') } } },
    given: system('wal_level', 'logical'),
  },
  replication_refused: { facts: { login: { replicates: false } }, given: ['ALTER ROLE "dbms" REPLICATION;'] },
  no_free_slot: { facts: { replication: { slots: 10 } }, given: system('max_replication_slots', '15') },
  no_free_sender: { facts: { replication: { senders: 10 } }, given: system('max_wal_senders', '15') },
  log_not_limited: {
    facts: { server: { settings: { max_slot_wal_keep_size: setting('-1') } } },
    given: system('max_slot_wal_keep_size', '20480'),
  },
  pausing_excluded: { context: { database: { ...database, allow_pause: true } }, given: ['allow_pause: false'] },
  definitions_not_followed: { facts: { login: { superuser: false } }, given: ['ALTER ROLE "dbms" SUPERUSER;'] },
  streaming_refused: {
    context: onRds(iam),
    given: [
      expect.stringContaining('"ParameterName":"rds.iam_auth_for_replication","ParameterValue":"1"'),
      'aws rds reboot-db-instance --db-instance-identifier db',
    ],
  },
  password_not_changed: {
    facts: { login: { changes_its_password: false } },
    given: ['\\i docs/logins/self-managed.sql'],
  },
  logins_not_changed: { facts: { login: { creates_roles: false } }, given: ['ALTER ROLE "dbms" CREATEROLE;'] },
  log_group_missing: {
    context: { database: { ...database, log_group: undefined } },
    given: [`log_group: '<log group>'`],
  },
  log_not_exported: {
    context: { ...onRds(), server: { ...server, exportsLog: false } },
    given: [
      `aws rds modify-db-instance --db-instance-identifier main --cloudwatch-logs-export-configuration '{"EnableLogTypes":["postgresql"]}' --apply-immediately`,
    ],
  },
  connections_not_logged: {
    facts: { server: { settings: { log_connections: setting('off') } } },
    given: system('log_connections', 'on'),
  },
  log_not_read: {
    facts: { server: { settings: { log_line_prefix: setting('%m ') } } },
    given: system('log_line_prefix', '%m [%p]: user=%u,db=%d,app=%a,client=%h '),
  },
};

const changed = <Value>(value: Value, change: Deep<Value> | undefined): Value => {
  if (change === undefined || Array.isArray(change) || typeof change !== 'object' || change === null)
    return (change ?? value) as Value;
  const keys = Object.keys(change) as (keyof Value)[];
  return { ...value, ...Object.fromEntries(keys.map((key) => [key, changed(value[key], change[key] as never)])) };
};
const readingsOf = (facts: Facts): Readings =>
  Object.fromEntries(Object.entries(facts).map(([name, value]) => [name, { value }])) as unknown as Readings;

test('nothing is found where nothing is missing', () => {
  expect(runChecks({ readings: readingsOf(whole) }, context).findings).toEqual([]);
});

const others = checks.filter(({ id }) => id !== 'login_refused');
test.each(others)('$id is found where it is missing, with what gives it back', ({ id }) => {
  const missing = cases[id];
  if (!missing) throw new Error('Nobody has said how it comes to be missing');
  const readings = readingsOf(changed(whole, missing.facts));
  const { findings } = runChecks(
    { readings },
    { ...context, ...missing.context },
    checks.filter((check) => check.id === id),
  );
  expect(findings.map(({ check }) => check)).toEqual([id]);
  const given = findings.flatMap(({ remediation }) => remediation.map(({ statement }) => statement));
  expect(given).toEqual(missing.given);
});

describe('login_refused', () => {
  const refusal = (code: 'login_refused' | 'database_unreachable', cause: object) =>
    explainRefusal(new OperationError(code, 'No', 'Look', { cause }), 'dbms', context)?.remediation.map(
      ({ statement }) => statement,
    );

  test('is found with what gives it back', () => {
    expect(refusal('database_unreachable', { code: '42501' })).toEqual(['GRANT CONNECT ON DATABASE "shop" TO "dbms";']);
    expect(refusal('login_refused', { code: '28000', message: 'role "dbms" is not permitted to log in' })).toEqual([
      'ALTER ROLE "dbms" LOGIN;',
    ]);
    expect(refusal('database_unreachable', { code: '57014' })).toEqual([
      `ALTER ROLE "dbms" IN DATABASE "shop" SET statement_timeout = '30s';`,
    ]);
  });
});
