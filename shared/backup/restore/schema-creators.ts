import type pg from 'pg';
import { quoteIdentifier } from '../../postgres/identifiers.ts';
import type { SchemaEntry } from '../../postgres/pg-dump/schema-dump.ts';
import type { CreateEntry } from './finish-schema.ts';
import { isForgivable } from './schema-entry.ts';

/**
 * A login that is no superuser makes a role the owner of a table only where that role may create objects in the table's schema, and of
 * a publication only where it may create objects in the database. In a new database it may not yet: rights on schemas come last, as does
 * the owner of the database, to whom `public` belongs. So the owners are lent that right while the definitions are made.
 */
export interface SchemaCreators {
  /** Before the first entry: in the database, and in the schemas that a new one brings along. */
  lendAtStart(client: pg.Client): Promise<void>;
  /** Creates entries, and lends the right in each schema as soon as it is there. */
  lending(create: CreateEntry): CreateEntry;
  /** What ends it, to be run before the rights of the backup are granted; nothing where nothing was lent. */
  readonly returned: readonly SchemaEntry[];
}

/** Dump ids of a backup are positive. */
const RETURNED_ID = -1;

/** @param entries - the definitions that are restored, with their owners */
export async function planSchemaCreators(
  client: pg.Client,
  entries: readonly SchemaEntry[],
  { withoutOwners = false }: { withoutOwners?: boolean | undefined },
): Promise<SchemaCreators> {
  const sql =
    'SELECT rolsuper AS superuser, current_database() AS database FROM pg_catalog.pg_roles WHERE rolname = current_user';
  const { rows } = await client.query<{ superuser: boolean; database: string }>(sql);
  const lendsNothing = withoutOwners || rows[0]?.superuser;
  const creators = lendsNothing ? new Map<string, Set<string>>() : ownersBySchema(entries);
  const publishers = lendsNothing ? [] : ownersOfPublications(entries);
  const onDatabase = ([verb, to]: [string, string]): string[] =>
    publishers.map(
      (owner) =>
        `${verb} CREATE ON DATABASE ${quoteIdentifier(rows[0]?.database ?? '')} ${to} ${quoteIdentifier(owner)}`,
    );
  const statements = (schema: string, [verb, to]: [string, string]): string[] =>
    [...(creators.get(schema) ?? [])].map(
      (owner) => `${verb} CREATE ON SCHEMA ${quoteIdentifier(schema)} ${to} ${quoteIdentifier(owner)}`,
    );
  const lend = async (session: pg.Client, grants: readonly string[]): Promise<void> => {
    for (const statement of grants) {
      // Where it is refused, so is the owner, with a warning of its own.
      await session.query(statement).catch((error: unknown) => {
        if (!isForgivable(statement, error)) throw error;
      });
    }
  };
  const revocations = [
    ...onDatabase(['REVOKE', 'FROM']),
    ...[...creators.keys()].flatMap((schema) => statements(schema, ['REVOKE', 'FROM'])),
  ];
  return {
    lendAtStart: (session) => lend(session, [...onDatabase(['GRANT', 'TO']), ...statements('public', ['GRANT', 'TO'])]),
    lending: (create) => async (session, entry) => {
      const warnings = await create(session, entry);
      if (entry.type === 'SCHEMA') await lend(session, statements(entry.name, ['GRANT', 'TO']));
      return warnings;
    },
    returned: revocations.length === 0 ? [] : [revocation(revocations)],
  };
}

/** Of each schema the roles that own something in it, but for its own owner. */
function ownersBySchema(entries: readonly SchemaEntry[]): Map<string, Set<string>> {
  const schemaOwners = new Map(entries.filter(({ type }) => type === 'SCHEMA').map(({ name, owner }) => [name, owner]));
  const owners = new Map<string, Set<string>>();
  for (const { schema, owner } of entries) {
    if (schema === null || owner === null || schemaOwners.get(schema) === owner) continue;
    if (schema !== 'public' && !schemaOwners.has(schema)) continue;
    owners.set(schema, (owners.get(schema) ?? new Set()).add(owner));
  }
  return owners;
}

const ownersOfPublications = (entries: readonly SchemaEntry[]): string[] => [
  ...new Set(entries.flatMap(({ type, owner }) => (type === 'PUBLICATION' && owner !== null ? [owner] : []))),
];

const revocation = (statements: readonly string[]): SchemaEntry => ({
  dump_id: RETURNED_ID,
  class_id: 0,
  oid: 0,
  depends_on: [],
  section: 'post-data',
  type: 'ACL',
  schema: null,
  name: 'rights that were lent',
  owner: null,
  sql: statements.map((statement) => `${statement};`).join('\n'),
});
