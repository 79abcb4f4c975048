import type pg from 'pg';
import { type LoginChange, type LoginState, sessionTimeouts } from '../../contract/schemas/access.ts';
import { OperationError } from '../../errors.ts';
import type { Platform } from '../../platforms/platform.ts';
import { quoteIdentifier, quoteLiteral } from '../../postgres/identifiers.ts';
import { readLogins } from './logins.ts';

/**
 * Changes the limits of a login, all or nothing.
 *
 * @returns the login before and after
 * @throws OperationError `unknown_login`, `login_protected`, `login_not_changeable` or `setting_missing`; the driver's errors
 */
export async function changeLogin(
  client: pg.ClientBase,
  name: string,
  change: LoginChange,
  platform: Platform,
): Promise<{ before: LoginState; after: LoginState }> {
  await client.query('BEGIN');
  try {
    const [before] = await readLogins(client, name);
    if (!before) {
      throw new OperationError(
        'unknown_login',
        `The server has no login ${name}`,
        'GET /security/access names every login; a role that may not log in has no limits.',
      );
    }
    if (!change.privileged) assertOrdinary(before, platform);
    for (const statement of statementsOf(name, change)) await client.query(statement);
    const [after] = await readLogins(client, name);
    await client.query('COMMIT');
    return { before, after: after ?? before };
  } catch (error) {
    await client.query('ROLLBACK').catch(() => undefined);
    throw inWords(error, name);
  }
}

function assertOrdinary({ name, attributes, is_own }: LoginState, { privileges, title }: Platform): void {
  if (!attributes.includes('superuser') && !is_own && !privileges.isOwnRole(name)) return;
  throw new OperationError(
    'login_protected',
    `${name} is ${is_own ? 'the login of this system' : `a superuser or a role of ${title}`}: limits may lock everybody out`,
    'Send "privileged": true to change it all the same.',
  );
}

/** `ALTER ROLE` takes no parameters: every value is a number or a quoted literal. */
function statementsOf(name: string, { connection_limit, valid_until, timeouts }: LoginChange): string[] {
  const role = quoteIdentifier(name);
  const options = [
    ...(connection_limit === undefined ? [] : [`CONNECTION LIMIT ${Number(connection_limit ?? -1)}`]),
    ...(valid_until === undefined
      ? []
      : [`VALID UNTIL ${quoteLiteral(valid_until === null ? 'infinity' : new Date(valid_until).toISOString())}`]),
  ];
  return [
    ...(options.length === 0 ? [] : [`ALTER ROLE ${role} ${options.join(' ')}`]),
    ...sessionTimeouts.flatMap((setting) => {
      const value = timeouts?.[setting];
      if (value === undefined) return [];
      return [
        value === null ? `ALTER ROLE ${role} RESET ${setting}` : `ALTER ROLE ${role} SET ${setting} = ${Number(value)}`,
      ];
    }),
  ];
}

function inWords(error: unknown, name: string): unknown {
  const { code, message } = error as { code?: string; message?: string };
  if (code === '42501') {
    return new OperationError(
      'login_not_changeable',
      `The login of this system may not change ${name}: ${message}`,
      'Give it CREATEROLE, and from PostgreSQL 16 on the role WITH ADMIN OPTION.',
      { cause: error },
    );
  }
  if (code === '42704') {
    return new OperationError(
      'setting_missing',
      `The server has no such setting: ${message}`,
      'Leave it out; idle_session_timeout came with PostgreSQL 14.',
      { cause: error },
    );
  }
  return error;
}
