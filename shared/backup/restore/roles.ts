import type pg from 'pg';
import { quoteIdentifier } from '../../postgres/identifiers.ts';
import type { RoleEntry } from '../manifest.ts';
import { MEMBERSHIP_OPTIONS_SINCE } from './check.sql.ts';
import { settingStatement } from './target-database.ts';

/**
 * Creates the roles that the backup names and the server lacks: without login, password or rights, so that owners and
 * privileges can be restored. They get their settings, and their memberships of each other; a membership of a role that the
 * server had before would be a right, so it is only named. Makes the login a member of what it created, which ALTER ... OWNER TO
 * needs. Roles that are there stay as they are.
 *
 * @returns warnings, one for each role that was created or could not be, and for what such a role had and does not get
 */
export async function createMissingRoles(client: pg.Client, roles: readonly RoleEntry[]): Promise<string[]> {
  const { rows } = await client.query<{ name: string }>(
    `SELECT wanted.name FROM pg_catalog.unnest($1::text[]) AS wanted(name)
      WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = wanted.name)`,
    [roles.map(({ name }) => name)],
  );
  const { rows: login } = await client.query<{ superuser: boolean; version: number }>(
    `SELECT rolsuper AS superuser, pg_catalog.current_setting('server_version_num')::int AS version
       FROM pg_catalog.pg_roles WHERE rolname = current_user`,
  );
  const options = (login[0]?.version ?? 0) >= MEMBERSHIP_OPTIONS_SINCE ? ' WITH INHERIT TRUE, SET TRUE' : '';
  const warnings: string[] = [];
  const created = new Set<string>();
  for (const { name } of rows) {
    try {
      await client.query(`CREATE ROLE ${quoteIdentifier(name)} NOLOGIN`);
      created.add(name);
      warnings.push(`Role "${name}" was missing on the server: created without login`);
      if (!login[0]?.superuser) await client.query(`GRANT ${quoteIdentifier(name)} TO CURRENT_USER${options}`);
    } catch (error) {
      warnings.push(`Role "${name}" is missing on the server and could not be created: ${(error as Error).message}`);
    }
  }
  for (const role of roles) if (created.has(role.name)) warnings.push(...(await furnishRole(client, role, created)));
  return warnings;
}

async function furnishRole(
  client: pg.Client,
  { name, settings = [], member_of: memberships = [] }: RoleEntry,
  created: ReadonlySet<string>,
): Promise<string[]> {
  const warnings: string[] = [];
  const attempt = async (statement: string, what: string): Promise<void> => {
    await client.query(statement).catch((error: Error & { code?: string }) => {
      if (error.code === undefined) throw error;
      warnings.push(`Role "${name}" is without ${what}: ${error.message}`);
    });
  };
  for (const setting of settings) {
    await attempt(settingStatement(null, name, setting), `its setting ${setting.slice(0, setting.indexOf('='))}`);
  }
  for (const { role, admin } of memberships) {
    if (created.has(role)) {
      const option = admin ? ' WITH ADMIN OPTION' : '';
      await attempt(
        `GRANT ${quoteIdentifier(role)} TO ${quoteIdentifier(name)}${option}`,
        `its membership of "${role}"`,
      );
    } else
      warnings.push(`Role "${name}" was a member of "${role}": not granted, as that role has rights of its own here`);
  }
  return warnings;
}
