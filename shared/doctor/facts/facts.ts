import type pg from 'pg';
import * as z from 'zod';
import { serverSql as extensionServerSql } from '../../backup/restore/extensions/facts.sql.ts';
import { loginSql } from './login.sql.ts';
import { extensionsSql, foreignOwnersSql, statementStatisticsSql } from './restore.sql.ts';
import { hiddenRowsSql, largeObjectsSql, unreadableSql } from './rows.sql.ts';
import { databaseSql, replicationSql, serverSql } from './server.sql.ts';

const settingSchema = z.object({
  value: z.string(),
  source: z.string(),
  context: z.string(),
  type: z.string(),
  unit: z.string().nullable(),
  pending_restart: z.boolean(),
});

const schemas = {
  // The first that is read: statements of others depend on the version.
  server: z.object({
    version: z.int(),
    version_text: z.string(),
    in_recovery: z.boolean(),
    encrypted: z.boolean().nullable(),
    /** By name; one that is missing the server does not have, or does not show to the login. */
    settings: z.record(z.string(), settingSchema),
  }),
  login: z.object({
    name: z.string(),
    superuser: z.boolean(),
    /** Whether it has the rights of the roles that it is a member of; from PostgreSQL 16 on each membership says so. */
    inherits: z.boolean(),
    creates_databases: z.boolean(),
    creates_roles: z.boolean(),
    /** Logins of drills, which have no rights. */
    creates_run_logins: z.boolean(),
    /** In the database. */
    creates_schemas: z.boolean(),
    replicates: z.boolean(),
    changes_its_password: z.boolean(),
    /** null: the server does not know the setting. */
    fires_no_event_triggers: z.boolean().nullable(),
    /** Event triggers that fire when somebody logs in, each with the owner of its function. */
    login_triggers: z.array(z.string()),
    connection_limit: z.int().nullable(),
    sessions: z.int(),
    /** Milliseconds since the epoch. */
    valid_until: z.number().nullable(),
    known_roles: z.array(z.string()),
    has_roles: z.array(z.string()),
  }),
  database: z.object({
    name: z.string(),
    owner: z.string(),
    owner_administers: z.boolean(),
    owned: z.boolean(),
    connection_limit: z.int().nullable(),
    sessions: z.int(),
    max_connections: z.int(),
    reserved: z.int(),
    all_sessions: z.int(),
  }),
  replication: z.object({ slots: z.int(), senders: z.int() }),
  unreadable: z.array(
    z.object({
      kind: z.enum(['table', 'sequence', 'schema']),
      schema: z.string(),
      name: z.string().nullable(),
      total: z.int(),
    }),
  ),
  hidden_rows: z.array(
    z.object({
      schema: z.string(),
      name: z.string(),
      owner: z.string(),
      forced: z.boolean(),
      owner_administers: z.boolean(),
      owned: z.boolean(),
      total: z.int(),
    }),
  ),
  large_objects: z.array(z.object({ owner: z.string(), owner_administers: z.boolean(), objects: z.int() })),
  foreign_owners: z.array(
    z.object({
      owner: z.string(),
      objects: z.int(),
      administers: z.boolean(),
      granted_by: z.array(z.string()),
      total: z.int(),
    }),
  ),
  extensions: z.array(
    z.object({ name: z.string(), available: z.boolean(), needs_superuser: z.boolean(), in_use: z.boolean() }),
  ),
  /** What decides which extensions can be created; see `refusalOf`. */
  extension_server: z.object({
    superuser: z.boolean(),
    is_rds_superuser: z.boolean(),
    is_rds_extension: z.boolean(),
    allowed: z.string().nullable(),
    delegated: z.string().nullable(),
    cron_database: z.string().nullable(),
    preloaded: z.string().nullable(),
  }),
  statistics: z.object({ present: z.boolean(), available: z.boolean() }),
} as const;

/** What is read of a server, by section. Each is read by itself, so that one that fails leaves the others known. */
export type Facts = { [Name in keyof typeof schemas]: z.output<(typeof schemas)[Name]> };
export type SectionName = keyof Facts;
export const sectionNames = Object.keys(schemas) as SectionName[];

/** What was read; where that failed, why. */
export type Reading<Value> = { value: Value } | { why: string };
export type Readings = { [Name in SectionName]: Reading<Facts[Name]> };

/** Settings that checks look at. */
const settings = [
  'wal_level',
  'rds.logical_replication',
  'max_replication_slots',
  'max_wal_senders',
  'max_slot_wal_keep_size',
  'log_connections',
  'log_disconnections',
  'log_line_prefix',
  'log_destination',
  'rds.restrict_password_commands',
  'rds.iam_auth_for_replication',
] as const;
export type KnownSetting = (typeof settings)[number];

export interface FactsOptions {
  /** The role that administrators are members of, where they are no superusers; null: they are. */
  administrators: string | null;
  /** Roles whose rights matter. */
  roles: readonly string[];
  /** `server_version_num`; null where it could not be read. */
  version: number | null;
}

/** How a section is read: one row, or all rows. */
const queries: {
  [Name in SectionName]: (options: FactsOptions) => { text: string; values?: unknown[]; rows: 'one' | 'all' };
} = {
  login: ({ roles }) => ({ text: loginSql, values: [roles], rows: 'one' }),
  server: () => ({ text: serverSql, values: [settings], rows: 'one' }),
  database: ({ administrators }) => ({ text: databaseSql, values: [administrators], rows: 'one' }),
  replication: () => ({ text: replicationSql, rows: 'one' }),
  unreadable: () => ({ text: unreadableSql, rows: 'all' }),
  hidden_rows: ({ administrators }) => ({ text: hiddenRowsSql, values: [administrators], rows: 'all' }),
  large_objects: ({ administrators }) => ({ text: largeObjectsSql, values: [administrators], rows: 'all' }),
  foreign_owners: ({ administrators, version }) => {
    if (version === null) throw new Error('The version of the server is not known');
    return { text: foreignOwnersSql(version), values: [administrators], rows: 'all' };
  },
  extensions: () => ({ text: extensionsSql, rows: 'all' }),
  extension_server: () => ({ text: extensionServerSql, rows: 'one' }),
  statistics: () => ({ text: statementStatisticsSql, rows: 'one' }),
};

/** @throws the driver's errors */
export async function readSection<Name extends SectionName>(
  client: pg.ClientBase,
  name: Name,
  options: FactsOptions,
): Promise<Facts[Name]> {
  const { rows: wanted, ...query } = queries[name](options);
  const { rows } = await client.query(query);
  return schemas[name].parse(wanted === 'one' ? rows[0] : rows) as Facts[Name];
}
