import type pg from 'pg';
import { quoteIdentifier } from '../../postgres/identifiers.ts';
import { ownPathSql, ownSettingsSql, restoreSettingsSql } from '../replay/sandbox.sql.ts';
import type { Sandbox } from '../replay/sandbox.ts';

const INSUFFICIENT_PRIVILEGE = '42501';

/**
 * Runs commands where nothing is that could be harmed: as the role that ran them, which is made when it is not there, so that what they
 * create is its own. Rights that the role had by a membership are not known here: a command that lacks them is run by the superuser, and
 * who may repeat it is looked at when a restore is asked for.
 */
export function rehearsalSandbox(client: pg.Client): Sandbox & { ensureRole(name: string): Promise<void> } {
  const known = new Set<string>();
  const ensureRole = async (name: string): Promise<void> => {
    if (known.has(name) || name === '') return;
    const { rows } = await client.query('SELECT FROM pg_catalog.pg_roles WHERE rolname = $1', [name]);
    if (rows.length === 0) await client.query(`CREATE ROLE ${quoteIdentifier(name)} NOLOGIN`);
    known.add(name);
  };
  return {
    warnings: [],
    ensureRole,
    async run({ role, rights, settings }, commands) {
      await ensureRole(role);
      const before = (await client.query<{ name: string; value: string }>(ownSettingsSql)).rows;
      for (const [name, value] of Object.entries(settings)) {
        await client.query('SAVEPOINT setting');
        try {
          await client.query('SELECT pg_catalog.set_config($1, $2, true)', [name, value]);
          await client.query('RELEASE SAVEPOINT setting');
        } catch {
          // A locale or a tablespace that only the original has: what depends on it is a value, and there are no rows.
          await client.query('ROLLBACK TO SAVEPOINT setting');
        }
      }
      const isSuperuser = rights.includes('superuser');
      for (const command of commands) {
        await client.query('SAVEPOINT command');
        try {
          // As in the original, where it also owned what it made.
          if (isSuperuser) await client.query(`ALTER ROLE ${quoteIdentifier(role)} SUPERUSER`);
          await client.query(`SET LOCAL ROLE ${quoteIdentifier(role)}`);
          await client.query(command);
          await client.query('RESET ROLE');
        } catch (error) {
          if ((error as { code?: string }).code !== INSUFFICIENT_PRIVILEGE) throw error;
          await client.query('ROLLBACK TO SAVEPOINT command');
          await client.query('RESET ROLE');
          await client.query(command);
        }
        await client.query('RELEASE SAVEPOINT command');
      }
      await client.query('CLOSE ALL');
      await client.query(ownPathSql);
      await client.query(restoreSettingsSql, [before.map(({ name }) => name), before.map(({ value }) => value)]);
    },
  };
}
