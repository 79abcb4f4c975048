import type pg from 'pg';
import { listed } from '../../listed.ts';
import { quoteIdentifier } from '../../postgres/identifiers.ts';
import type { SchemaEntry } from '../../postgres/pg-dump/schema-dump.ts';
import type { Manifest } from '../manifest.ts';
import { liveDatabaseSql, localeSql, MEMBERSHIP_OPTIONS_SINCE, rolesSql, serverFactsSql } from './check.sql.ts';
import { checkExtensions } from './extensions/check-extensions.ts';
import type { Finding } from './findings.ts';
import { checkFreeSpace, type ReadFreeSpace } from './free-space.ts';
import { unsupportedEntries } from './newer-features.ts';
import type { PlannedMode } from './restore-mode.ts';
import { roleNames } from './role-names.ts';
import type { TailoredBackup } from './tailor.ts';

/** What a restore is about to do to a server. */
export interface PlannedRestore {
  mode: PlannedMode;
  targetDatabase: string;
  missingRoles: 'create' | 'skip';
  connections: number;
}

export interface CheckedServer {
  /** `server_version_num` */
  version: number;
  /** Each stands against the restore. */
  problems: Finding[];
  warnings: Finding[];
  /**
   * What it goes without: what only a superuser creates and nothing depends on. In a drill also subscriptions, whose database could not be
   * dropped, and what names roles that are missing.
   */
  leftOut: SchemaEntry[];
  /** Extensions that it goes without: in a drill all that cannot be created, elsewhere those that nothing depends on. */
  leftOutExtensions: string[];
}

export interface ServerFacts {
  version: number;
  /** Name of the login. */
  login: string;
  read_only: boolean;
  superuser: boolean;
  /** A superuser, or what takes its place on RDS. */
  administers: boolean;
  may_create_databases: boolean;
  may_create_roles: boolean;
  free_connections: number;
}

/** Sessions beside the lanes: the one that creates databases, and one to end others during a swap. */
const OTHER_CONNECTIONS = 2;

/**
 * Looks for all that stands against a restore or is worth knowing, before anything is created. Changes nothing.
 *
 * @param client - of the login that will restore, in any database of the server
 * @param readFreeSpace - asks how much disk is free
 */
export async function checkServer(
  client: pg.Client,
  backup: TailoredBackup,
  planned: PlannedRestore,
  readFreeSpace: ReadFreeSpace,
): Promise<CheckedServer> {
  const facts = await readServerFacts(client);
  const problems: Finding[] = [];
  const warnings: Finding[] = [];
  checkType(backup, problems, warnings);
  checkSelection(backup, problems, warnings);
  checkRights(facts, planned, problems);
  await checkNames(client, planned, facts, problems, warnings);
  checkVersion(facts, backup, problems, warnings);
  const leftOutExtensions = await checkExtensions(client, backup, planned, { problems, warnings });
  const nameless = await checkRoles(client, backup, planned, facts, problems, warnings);
  await checkLocale(client, backup.manifest, facts, warnings);
  checkFreeSpace(backup.manifest, await readFreeSpace(), problems, warnings);
  const isDrill = planned.mode === 'drill';
  const subscriptions = backup.schema.entries.filter(({ type }) => type === 'SUBSCRIPTION');
  return {
    version: facts.version,
    problems,
    warnings,
    leftOut: isDrill ? [...subscriptions, ...nameless] : checkSuperusersEntries(facts, backup, warnings),
    leftOutExtensions,
  };
}

/** What takes a superuser, as it concerns all tables or commands of the database. */
const isOfSuperusers = ({ type, sql }: SchemaEntry): boolean =>
  type === 'EVENT TRIGGER' ||
  type === 'PUBLICATION TABLES IN SCHEMA' ||
  (type === 'PUBLICATION' && /^CREATE PUBLICATION .* FOR ALL TABLES/s.test(sql));

function checkSuperusersEntries(
  { administers, login }: ServerFacts,
  { schema }: TailoredBackup,
  warnings: Finding[],
): SchemaEntry[] {
  const entries = administers ? [] : schema.entries.filter(isOfSuperusers);
  if (entries.length > 0) {
    const names = entries.map(({ type, name }) => `${type} ${name}`);
    warnings.push({
      code: 'superusers_objects_left_out',
      message: `The login ${login} may not create ${listed(names)}, as that takes a superuser: the restore goes on without`,
      nextStep: 'Create them afterwards as a superuser, by their definitions in the source or in a SQL download.',
    });
  }
  return entries;
}

export async function readServerFacts(client: pg.Client): Promise<ServerFacts> {
  const { rows } = await client.query<ServerFacts>(serverFactsSql);
  return rows[0] as ServerFacts;
}

function checkType({ manifest }: TailoredBackup, problems: Finding[], warnings: Finding[]): void {
  if (manifest.backup_type === 'data') {
    problems.push({
      code: 'definitions_missing',
      message: 'The backup holds rows without definitions: it cannot become a new database',
      nextStep: 'Restore it into a database that has the definitions, with "mode": "data".',
    });
  }
  if (manifest.backup_type === 'schema') {
    warnings.push({
      code: 'rows_missing',
      message: 'The backup holds definitions without rows: the database will be empty',
      nextStep: 'Use a full backup to get the rows too.',
    });
  }
}

function checkSelection({ unknown, warnings: left }: TailoredBackup, problems: Finding[], warnings: Finding[]): void {
  if (unknown.length > 0) {
    problems.push({
      code: 'selection_unknown',
      message: `The backup does not hold: ${listed(unknown)}`,
      nextStep: 'Correct schemas and tables; names are exact, with their upper and lower case.',
    });
  }
  for (const message of left) {
    warnings.push({ code: 'selection_incomplete', message, nextStep: 'Select what is missing too, if it is needed.' });
  }
}

function checkRights(facts: ServerFacts, { connections }: PlannedRestore, problems: Finding[]): void {
  if (!facts.may_create_databases) {
    problems.push({
      code: 'create_refused',
      message: 'The login may not create databases on this server',
      nextStep: 'Give it the CREATEDB attribute: ALTER ROLE ... CREATEDB.',
    });
  }
  checkCapacity(facts, connections, problems);
}

/** Whether the server takes anything at all, and so many sessions more. */
export function checkCapacity(facts: ServerFacts, connections: number, problems: Finding[]): void {
  if (facts.read_only) {
    problems.push({
      code: 'server_read_only',
      message: 'The server is a standby: nothing can be created on it',
      nextStep: 'Restore to its primary.',
    });
  }
  if (facts.free_connections < connections + OTHER_CONNECTIONS) {
    problems.push({
      code: 'too_few_connections',
      message: `The restore needs ${connections + OTHER_CONNECTIONS} connections; the server has ${Math.max(0, facts.free_connections)} left`,
      nextStep: 'Ask for fewer with "connections", or raise max_connections.',
    });
  }
}

async function checkNames(
  client: pg.Client,
  { mode, targetDatabase }: PlannedRestore,
  facts: ServerFacts,
  problems: Finding[],
  warnings: Finding[],
): Promise<void> {
  // A drill has a name that its job alone has, and goes on with what it has made under it.
  if (mode === 'drill') return;
  const { rows } = await client.query<{
    template: boolean;
    owner: string;
    owned: boolean;
    prepared: number;
    slots: number;
    untouchable: number;
  }>(liveDatabaseSql, [targetDatabase]);
  const live = rows[0];
  if (mode === 'new') {
    if (!live) return;
    problems.push({
      code: 'target_exists',
      message: `A database named "${targetDatabase}" exists already; a restore never overwrites one`,
      nextStep: 'Choose another target_database.',
    });
    return;
  }
  if (!live) {
    problems.push({
      code: 'target_missing',
      message: `There is no database named "${targetDatabase}"${mode === 'swap' ? ' to swap with' : ''}`,
      nextStep: 'Restore it as a new database.',
    });
    return;
  }
  if (mode === 'beside') return;
  if (!live.owned || live.template) {
    problems.push({
      code: 'swap_not_allowed',
      message: live.template
        ? `"${targetDatabase}" is a template`
        : `The login does not own the database "${targetDatabase}", so it may not rename it`,
      nextStep: live.template
        ? 'Choose another database.'
        : `Run ${grantOwners([live.owner], facts)}, as a role that may grant it.`,
    });
  }
  if (live.untouchable > 0) {
    problems.push({
      code: 'sessions_untouchable',
      message: `${live.untouchable} sessions on "${targetDatabase}" belong to roles whose sessions the login may not end`,
      nextStep: 'End them, or GRANT pg_signal_backend to the login; sessions of superusers only a superuser ends.',
    });
  }
  if (live.prepared > 0) {
    problems.push({
      code: 'prepared_transactions',
      message: `"${targetDatabase}" has ${live.prepared} prepared transactions, with which a database cannot be renamed`,
      nextStep: 'COMMIT PREPARED or ROLLBACK PREPARED them.',
    });
  }
  if (live.slots > 0) {
    warnings.push({
      code: 'replication_slots',
      message: `${live.slots} logical replication slots of "${targetDatabase}" stay with the database that is kept`,
      nextStep: 'Set replication up anew after the swap.',
    });
  }
}

const major = (version: number): number => Math.floor(version / 10_000);

function checkVersion(
  { version }: ServerFacts,
  { manifest, schema }: TailoredBackup,
  problems: Finding[],
  warnings: Finding[],
): void {
  if (major(manifest.server_version) <= major(version)) return;
  warnings.push({
    code: 'newer_version',
    message: `The backup is of PostgreSQL ${major(manifest.server_version)}, the server is ${major(version)}: functions and settings that came later are missing there`,
    nextStep: 'Try it; what the server refuses is named.',
  });
  const unsupported = unsupportedEntries(schema.entries, version);
  if (unsupported.length === 0) return;
  const named = unsupported.map(
    ({ entry, what, since }) =>
      `${entry.type} ${entry.schema === null ? '' : `${entry.schema}.`}${entry.name} (${what}, since ${since})`,
  );
  problems.push({
    code: 'version_too_old',
    message: `PostgreSQL ${major(version)} does not have what these need: ${listed(named)}`,
    nextStep: 'Restore to a newer server, or select tables without them.',
  });
}

/** @returns entries that name roles which the server lacks and will lack */
async function checkRoles(
  client: pg.Client,
  { manifest, schema }: TailoredBackup,
  { missingRoles, mode }: PlannedRestore,
  facts: ServerFacts,
  problems: Finding[],
  warnings: Finding[],
): Promise<SchemaEntry[]> {
  const owning = ownersOf({ manifest, schema });
  // The role that made the source's server owns without being recorded in pg_shdepend, from which the backup has its roles.
  const names = new Set([...manifest.roles.map(({ name }) => name), ...owning]);
  const { rows } = await client.query<KnownRole>(rolesSql(facts.version), [[...names]]);
  const missing = rows.filter(({ present }) => !present).map(({ name }) => name);
  const isOwner = (role: string): boolean => owning.has(role);
  const owners = rows.filter(({ name, present }) => present && isOwner(name));
  const foreign = owners.filter(({ settable }) => !settable);
  const unusable = owners.filter(({ settable, inherited }) => settable && !inherited).map(({ name }) => name);
  const willBeCreated = missingRoles === 'create' && facts.may_create_roles;
  if (missing.length > 0) {
    warnings.push({
      code: 'roles_missing',
      message: `Roles missing on the server: ${listed(missing)}; ${willBeCreated ? 'they will be created without login' : 'what they own or are granted is left out'}`,
      nextStep: willBeCreated
        ? 'Map them with owner_mapping to use others.'
        : 'Create them, or map them with owner_mapping.',
    });
  }
  if (foreign.length > 0) {
    warnings.push({
      code: 'roles_not_granted',
      message: `The login ${facts.login} may not make these roles owners (SET ROLE): ${listed(foreign.map(({ name }) => name))}. What they own will belong to the login`,
      nextStep: howToGrant(foreign, facts),
    });
  }
  if (unusable.length > 0) {
    problems.push({
      code: 'roles_not_inherited',
      message: `The login ${facts.login} may make these roles owners, but does not inherit their rights, so it could not load rows into their tables: ${listed(unusable)}`,
      nextStep: `Run ${facts.version >= MEMBERSHIP_OPTIONS_SINCE ? grantOwners(unusable, facts) : `ALTER ROLE ${quoteIdentifier(facts.login)} INHERIT`}, or restore with without_owners.`,
    });
  }
  if (willBeCreated) return [];
  const absent = new Set(missing);
  const policies = schema.entries.filter(
    (entry) => /^(POLICY|USER MAPPING)$/.test(entry.type) && roleNames(entry).some((name) => absent.has(name)),
  );
  if (policies.length === 0 || mode === 'drill') return policies;
  problems.push({
    code: 'policy_role_missing',
    message: `These name roles that are missing on the server: ${listed(policies.map(({ type, schema: of, name }) => `${type} ${of === null ? '' : `${of}.`}${name}`))}`,
    nextStep: 'Create the roles, or map them with owner_mapping.',
  });
  return policies;
}

/** A role that the backup names, as the server has it. */
interface KnownRole {
  name: string;
  present: boolean;
  /** The login may make it an owner. */
  settable: boolean;
  /** The login has its rights. */
  inherited: boolean;
  /** Somebody can grant it. */
  grantable: boolean;
  superuser: boolean;
}

function howToGrant(owners: readonly KnownRole[], facts: ServerFacts): string {
  const named = (of: (owner: KnownRole) => boolean): string[] => owners.filter(of).map(({ name }) => name);
  const superusers = named(({ superuser }) => superuser);
  const grantable = named(({ superuser, grantable: can }) => !superuser && can);
  const others = named(({ superuser, grantable: can }) => !superuser && !can);
  const steps = [
    ...(grantable.length > 0
      ? [`Run ${grantOwners(grantable, facts)}, as a role that may grant them, or map them with owner_mapping.`]
      : []),
    ...(others.length > 0
      ? [
          `Nobody can grant ${listed(others)}, on which no role has ADMIN OPTION: map them with owner_mapping, or give what they own to another role in the source.`,
        ]
      : []),
    ...(superusers.length > 0
      ? [
          `The login should be no member of superusers (${listed(superusers)}): map them with owner_mapping, or give what they own to another role in the source.`,
        ]
      : []),
  ];
  return steps.join(' ');
}

/** Entries that say something of an object, and are no object: what they name as owner is the object's, which may be the server's own. */
const REMARKS: ReadonlySet<string> = new Set(['ACL', 'COMMENT', 'SECURITY LABEL']);

/** Who owns something of what is restored. */
function ownersOf({ manifest, schema }: Pick<TailoredBackup, 'manifest' | 'schema'>): ReadonlySet<string> {
  const { database_properties: properties, large_objects: large } = manifest;
  const entries = schema.entries.flatMap(({ type, owner }) => (owner && !REMARKS.has(type) ? owner : []));
  return new Set([properties.owner, ...large.objects.map(({ owner }) => owner), ...entries]);
}

/** The statement that lets the login make these roles owners, and keep the rights of what they then own. */
function grantOwners(owners: readonly string[], { version, login }: Pick<ServerFacts, 'version' | 'login'>): string {
  const options = version >= MEMBERSHIP_OPTIONS_SINCE ? ' WITH INHERIT TRUE, SET TRUE' : '';
  return `GRANT ${owners.map(quoteIdentifier).join(', ')} TO ${quoteIdentifier(login)}${options}`;
}

async function checkLocale(
  client: pg.Client,
  { database_properties: properties }: Manifest,
  { version }: ServerFacts,
  warnings: Finding[],
): Promise<void> {
  const { locale_provider: provider, collate, locale } = properties;
  const { rows } = await client.query<{ icu: boolean; known: boolean }>(localeSql, [collate]);
  const reason =
    provider === 'b' && version < 170_000
      ? `has no built-in locales (${locale})`
      : provider === 'i' && (version < 150_000 || !rows[0]?.icu)
        ? `has no ICU locales (${locale})`
        : !['C', 'POSIX'].includes(collate) && !rows[0]?.known
          ? `does not list the locale ${collate}`
          : undefined;
  if (reason === undefined) return;
  warnings.push({
    code: 'locale_unknown',
    message: `The server ${reason}: the database may get the server's default, and text may sort in another order`,
    nextStep: 'Install the locale on the server, or accept the other order.',
  });
}
