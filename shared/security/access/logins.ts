import type pg from 'pg';
import { type LoginState, sessionTimeouts } from '../../contract/schemas/access.ts';
import { loginsSql } from './logins.sql.ts';

type Row = Omit<LoginState, 'valid_until' | 'settings'> & { valid_until: number | null; settings: string[] };

/**
 * The logins of a server, by name.
 *
 * @param name - only this one
 * @throws the driver's errors
 */
export async function readLogins(client: pg.ClientBase, name: string | null = null): Promise<LoginState[]> {
  const { rows } = await client.query<Row>(loginsSql, [name]);
  return rows.map(({ valid_until, settings, ...login }) => ({
    ...login,
    valid_until: valid_until === null ? null : new Date(valid_until).toISOString(),
    settings: timeoutsIn(settings),
  }));
}

/** Of a role's own settings its time limits: other ones may hold what is secret. */
function timeoutsIn(settings: readonly string[]): Record<string, string> {
  const known: readonly string[] = sessionTimeouts;
  const pairs = settings.map((text) => {
    const [name = ''] = text.split('=', 1);
    return [name, text.slice(name.length + 1)] as const;
  });
  return Object.fromEntries(pairs.filter(([name]) => known.includes(name)));
}
