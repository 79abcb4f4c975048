import { quoteIdentifier, quoteLiteral } from '../../postgres/identifiers.ts';
import type { SchemaDump } from '../../postgres/pg-dump/schema-dump.ts';
import type { Manifest } from '../manifest.ts';
import { roleNames } from '../restore/role-names.ts';
import { localeClause, propertyStatements } from '../restore/target-database.ts';

/** What belongs to no type of backup but this one. */
const ABOUT: Readonly<Record<Manifest['backup_type'], string>> = {
  full: 'It makes everything anew, so the database that it is loaded into must be empty.',
  schema:
    'It holds definitions and no rows. It makes everything anew, so the database that it is loaded into must be empty.',
  data: `It holds rows, positions of sequences and large objects, and no definitions: the database that it is loaded into must have
the tables, without rows. Foreign keys and triggers see the rows as they come, table after table. To load without them, a
superuser sets session_replication_role:
    PGOPTIONS='-c session_replication_role=replica' psql ...`,
};

/**
 * What a person should know before loading the script, as comments, and the line that keeps psql from doing anything but sending
 * SQL: whatever the source's server put among the rows or names, no command of psql runs on the machine that loads them.
 *
 * @see https://www.postgresql.org/docs/current/app-psql.html `\restrict`, which pg_dump writes as well (CVE-2025-8714)
 */
export function scriptHeader(manifest: Manifest, schema: SchemaDump, restrictKey: string): string {
  const { id, custom_name: name, backup_type: type, database_properties: properties, snapshot, warnings } = manifest;
  const roles = rolesNeeded(manifest, schema);
  const version = manifest.server_version;
  const statements = propertyStatements(properties.name, properties, {}).map((statement) => `${statement};`);
  const paragraphs = [
    `Backup ${id}${name === null ? '' : ` "${name}"`} (${type}) of the database ${quoteIdentifier(properties.name)}, as it was at ${snapshot.taken_at}.
PostgreSQL ${Math.floor(version / 10_000)}.${version % 10_000}.`,
    ABOUT[type],
    `To load it, with this file decompressed to standard input:
    psql -X -v ON_ERROR_STOP=1 -d NAME_OF_THE_DATABASE
A psql that does not know \\restrict must be updated: 13.22, 14.19, 15.14, 16.10, 17.6, 18.0 and later do.`,
    `The database was made like this:
    CREATE DATABASE ${quoteIdentifier(properties.name)} TEMPLATE template0 ENCODING ${quoteLiteral(properties.encoding).trim()} ${localeClause(properties, version)};`,
    ...(statements.length === 0 || type === 'data'
      ? []
      : [['It had these properties, which this script does not set:', ...statements.map(indented)].join('\n')]),
    ...(roles.length === 0
      ? []
      : [
          ['These roles own something in it or have privileges, and must be there:', ...roles.map(createRole)].join(
            '\n',
          ),
        ]),
    ...(warnings.length === 0 ? [] : [['When it was taken:', ...warnings.map(indented)].join('\n')]),
  ];
  return `${asComment(paragraphs.join('\n\n'))}\n\\restrict ${restrictKey}\n\n`;
}

const indented = (line: string): string => `    ${line}`;
const createRole = (name: string): string => indented(`CREATE ROLE ${quoteIdentifier(name)} NOLOGIN;`);

/** Of a backup of rows alone, those of its large objects. */
function rolesNeeded({ large_objects: { objects } }: Manifest, { entries }: SchemaDump): string[] {
  const named = [
    ...entries.flatMap(roleNames),
    ...objects.flatMap(({ owner, privileges }) => [owner, ...privileges.flatMap(({ grantee }) => grantee ?? [])]),
  ];
  // A predefined role is on every server.
  return [...new Set(named)].filter((name) => !name.startsWith('pg_')).sort();
}

/** Every line gets its dashes, also those that a name breaks in two: what follows a line break must not count as a command. */
function asComment(text: string): string {
  const lines = text.split(/\r\n|\r|\n/);
  return ['--', ...lines.map((line) => (line === '' ? '--' : `-- ${line}`)), '--', ''].join('\n');
}
