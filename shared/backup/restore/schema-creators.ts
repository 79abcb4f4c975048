import type pg from 'pg';
import { quoteIdentifier } from '../../postgres/identifiers.ts';
import type { SchemaEntry } from '../../postgres/pg-dump/schema-dump.ts';
import type { CreateEntry } from './finish-schema.ts';
import { isForgivable } from './schema-entry.ts';

/**
 * A login that is no superuser makes a role the owner of a table only where that role may create objects in the table's schema. In a new
 * database it may not yet: rights on schemas come last, as does the owner of the database, to whom `public` belongs. So the owners are
 * lent that right while the definitions are made.
 */
export interface SchemaCreators {
  /** Before the first entry: the schemas that a new database brings along. */
  lendInPublic(client: pg.Client): Promise<void>;
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
  const sql = 'SELECT rolsuper AS superuser FROM pg_catalog.pg_roles WHERE rolname = current_user';
  const { rows } = await client.query<{ superuser: boolean }>(sql);
  const creators = withoutOwners || rows[0]?.superuser ? new Map<string, Set<string>>() : ownersBySchema(entries);
  const statements = (schema: string, [verb, to]: [string, string]): string[] =>
    [...(creators.get(schema) ?? [])].map(
      (owner) => `${verb} CREATE ON SCHEMA ${quoteIdentifier(schema)} ${to} ${quoteIdentifier(owner)}`,
    );
  const lend = async (session: pg.Client, schema: string): Promise<void> => {
    for (const statement of statements(schema, ['GRANT', 'TO'])) {
      // Where it is refused, so is the owner, with a warning of its own.
      await session.query(statement).catch((error: unknown) => {
        if (!isForgivable(statement, error)) throw error;
      });
    }
  };
  const revocations = [...creators.keys()].flatMap((schema) => statements(schema, ['REVOKE', 'FROM']));
  return {
    lendInPublic: (session) => lend(session, 'public'),
    lending: (create) => async (session, entry) => {
      const warnings = await create(session, entry);
      if (entry.type === 'SCHEMA') await lend(session, entry.name);
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

const revocation = (statements: readonly string[]): SchemaEntry => ({
  dump_id: RETURNED_ID,
  class_id: 0,
  oid: 0,
  depends_on: [],
  section: 'post-data',
  type: 'ACL',
  schema: null,
  name: 'lent rights of schemas',
  owner: null,
  sql: statements.map((statement) => `${statement};`).join('\n'),
});
