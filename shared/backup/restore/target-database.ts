import type pg from 'pg';
import { OperationError } from '../../errors.ts';
import { quoteIdentifier, quoteLiteral } from '../../postgres/identifiers.ts';
import type { DatabaseProperties } from '../manifest.ts';
import { grantStatements } from './privileges.ts';
import type { RestoreOptions } from './tailor.ts';

/**
 * The name under which a database is built before it is offered. Derived from the job, so that a second attempt finds and
 * removes what a first one left.
 */
export function stagingName(jobId: string): string {
  return `dbms_restoring_${jobId.toLowerCase().replace(/[^a-z0-9]/g, '_')}`.slice(0, 63);
}

/**
 * Makes the empty database with the source's encoding and locale, or a copy of another one, which has them. Returns, in words, what the
 * server could not provide.
 *
 * @param template - the database to copy; absent: none
 */
export async function createStagingDatabase(
  client: pg.Client,
  staging: string,
  properties: DatabaseProperties,
  serverVersion: number,
  template?: string,
): Promise<string[]> {
  await dropStagingDatabase(client, staging);
  if (template !== undefined) {
    await client.query(`CREATE DATABASE ${quoteIdentifier(staging)} TEMPLATE ${quoteIdentifier(template)}`);
    return [];
  }
  const create = `CREATE DATABASE ${quoteIdentifier(staging)} TEMPLATE template0 ENCODING ${quoteLiteral(properties.encoding)}`;
  try {
    await client.query(`${create} ${localeClause(properties, serverVersion)}`);
    return [];
  } catch (error) {
    // The codes of a locale, provider or option that this server does not know.
    if (!['22023', '42704', '0A000', '42601'].includes((error as { code?: string }).code ?? '')) throw error;
    await client.query(create);
    return [
      `The server cannot give the database its locale (${properties.locale ?? properties.collate}): ${(error as Error).message}. It has the server's default, so text may sort in another order`,
    ];
  }
}

export function localeClause(properties: DatabaseProperties, serverVersion: number): string {
  const options = [`LC_COLLATE ${quoteLiteral(properties.collate)}`, `LC_CTYPE ${quoteLiteral(properties.ctype)}`];
  if (serverVersion >= 150_000) {
    const { locale_provider: provider, locale } = properties;
    options.push(`LOCALE_PROVIDER ${provider === 'i' ? 'icu' : provider === 'b' ? 'builtin' : 'libc'}`);
    if (locale !== null && provider === 'i') options.push(`ICU_LOCALE ${quoteLiteral(locale)}`);
    if (locale !== null && provider === 'b') options.push(`BUILTIN_LOCALE ${quoteLiteral(locale)}`);
    if (properties.icu_rules !== null && serverVersion >= 160_000) {
      options.push(`ICU_RULES ${quoteLiteral(properties.icu_rules)}`);
    }
  }
  return options.join(' ');
}

/** Variables whose value is a list of names: each element is quoted on its own (the server's GUC_LIST_QUOTE). */
const LIST_VARIABLES = new Set([
  'search_path',
  'temp_tablespaces',
  'local_preload_libraries',
  'session_preload_libraries',
  'shared_preload_libraries',
  'unix_socket_directories',
]);

/** `ALTER DATABASE ... SET` or `ALTER ROLE ... [IN DATABASE ...] SET` of one stored setting (`name=value`). */
export function settingStatement(database: string | null, role: string | null, setting: string): string {
  const separator = setting.indexOf('=');
  const name = setting.slice(0, separator);
  const value = setting.slice(separator + 1);
  const list = LIST_VARIABLES.has(name.toLowerCase());
  const elements = list ? (value.match(/"(?:[^"]|"")*"|[^,\s][^,]*/g) ?? []).map(unquote) : [value];
  const subject = [
    ...(role === null ? [] : [`ROLE ${quoteIdentifier(role)}`]),
    ...(database === null ? [] : [`DATABASE ${quoteIdentifier(database)}`]),
  ].join(' IN ');
  const variable = name.split('.').map(quoteIdentifier).join('.');
  return `ALTER ${subject} SET ${variable} TO ${elements.length === 0 ? "''" : elements.map(quoteLiteral).join(', ')}`;
}

function unquote(element: string): string {
  const trimmed = element.trim();
  return trimmed.startsWith('"') ? trimmed.slice(1, -1).replaceAll('""', '"') : trimmed;
}

/** Statements that give the database what the source's had, each of which may be refused without harm to the data. */
export function propertyStatements(
  database: string,
  properties: DatabaseProperties,
  { withoutOwners = false, withoutPrivileges = false }: Pick<RestoreOptions, 'withoutOwners' | 'withoutPrivileges'>,
): string[] {
  const name = quoteIdentifier(database);
  return [
    ...(properties.comment === null ? [] : [`COMMENT ON DATABASE ${name} IS ${quoteLiteral(properties.comment)}`]),
    ...(properties.connection_limit < 0
      ? []
      : [`ALTER DATABASE ${name} CONNECTION LIMIT ${properties.connection_limit}`]),
    ...properties.settings.map(({ role, setting }) => settingStatement(database, role, setting)),
    ...(withoutOwners ? [] : [`ALTER DATABASE ${name} OWNER TO ${quoteIdentifier(properties.owner)}`]),
    ...(properties.has_privileges && !withoutPrivileges
      ? grantStatements(`DATABASE ${name}`, properties.privileges, { owner: properties.owner })
      : []),
  ];
}

/**
 * Gives the finished database its name: from then on it can be used.
 *
 * @throws OperationError `target_exists` when the name was taken meanwhile
 */
export async function offerDatabase(client: pg.Client, staging: string, name: string): Promise<void> {
  try {
    await client.query(`ALTER DATABASE ${quoteIdentifier(staging)} RENAME TO ${quoteIdentifier(name)}`);
  } catch (error) {
    if ((error as { code?: string }).code !== '42P04') throw error;
    throw new OperationError(
      'target_exists',
      `A database named "${name}" was created while the restore ran`,
      'Choose another target_database.',
      { cause: error },
    );
  }
}

export async function dropStagingDatabase(client: pg.Client, staging: string): Promise<void> {
  await client.query(`DROP DATABASE IF EXISTS ${quoteIdentifier(staging)} WITH (FORCE)`);
}
