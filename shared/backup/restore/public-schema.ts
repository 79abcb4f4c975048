import type pg from 'pg';
import { quoteIdentifier } from '../../postgres/identifiers.ts';
import type { SchemaEntry } from '../../postgres/pg-dump/schema-dump.ts';
import { isForgivable } from './schema-entry.ts';

/**
 * Until PostgreSQL 14 everybody may create objects in the schema public of a new database. pg_dump writes down what differs from the
 * privileges that it has from 15 on, also of older servers: who may do more is among the definitions.
 */
export const closePublicSchemaSql = 'REVOKE CREATE ON SCHEMA public FROM PUBLIC';

const openPublicSchemaSql = `
SELECT pg_catalog.pg_get_userbyid(nspowner) AS owner
  FROM pg_catalog.pg_namespace
 WHERE nspname = 'public' AND pg_catalog.has_schema_privilege('public', oid, 'CREATE')`;

/**
 * Closes the schema public of a new database. A login that may not is told of it by no error of the server: the schema belongs to
 * another role until 14, and a REVOKE that takes nothing away is a warning alone.
 *
 * @param entries - what is restored
 * @returns a warning when it stays open although it was not in the source
 */
export async function closePublicSchema(client: pg.Client, entries: readonly SchemaEntry[]): Promise<string[]> {
  const ownerOfOpen = async () => (await client.query<{ owner: string }>(openPublicSchemaSql)).rows[0]?.owner;
  if ((await ownerOfOpen()) === undefined) return [];
  await client.query(closePublicSchemaSql).catch((error: unknown) => {
    if (!isForgivable(closePublicSchemaSql, error)) throw error;
  });
  const owner = await ownerOfOpen();
  if (owner === undefined || entries.some(opensPublicSchema)) return [];
  return [
    `SCHEMA public: everybody may create objects in it, as in every new database until PostgreSQL 14, and the login may not change that. In the restored database, as ${quoteIdentifier(owner)} or a superuser: ${closePublicSchemaSql}`,
  ];
}

/** Whether everybody was allowed to create in it: pg_dump then has a GRANT of it. */
const opensPublicSchema = ({ type, name, sql }: SchemaEntry): boolean =>
  type === 'ACL' && name === 'SCHEMA public' && /^GRANT (ALL|CREATE)\b.* TO PUBLIC;/m.test(sql);
