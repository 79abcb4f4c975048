import type pg from 'pg';
import { quoteIdentifier } from '../../postgres/identifiers.ts';

/**
 * Creates the roles that the backup names and the server lacks: without login, password or rights, so that owners and
 * privileges can be restored. Makes the login a member of what it created, which ALTER ... OWNER TO needs.
 *
 * @returns warnings, one for each role that was created or could not be
 */
export async function createMissingRoles(client: pg.Client, names: readonly string[]): Promise<string[]> {
  const { rows } = await client.query<{ name: string }>(
    `SELECT wanted.name FROM pg_catalog.unnest($1::text[]) AS wanted(name)
      WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = wanted.name)`,
    [names],
  );
  const { rows: login } = await client.query<{ superuser: boolean }>(
    'SELECT rolsuper AS superuser FROM pg_catalog.pg_roles WHERE rolname = current_user',
  );
  const warnings: string[] = [];
  for (const { name } of rows) {
    try {
      await client.query(`CREATE ROLE ${quoteIdentifier(name)} NOLOGIN`);
      warnings.push(`Role "${name}" was missing on the server: created without login`);
      if (!login[0]?.superuser) await client.query(`GRANT ${quoteIdentifier(name)} TO CURRENT_USER`);
    } catch (error) {
      warnings.push(`Role "${name}" is missing on the server and could not be created: ${(error as Error).message}`);
    }
  }
  return warnings;
}
