import type pg from 'pg';
import * as z from 'zod';
import { OperationError } from '../../errors.ts';
import { quoteIdentifier, quoteLiteral } from '../../postgres/identifiers.ts';
import { changeByFunctionSql, howToChangeSql } from '../../postgres/own-password.sql.ts';

const howSchema = z.object({ refused: z.boolean(), trusted: z.boolean() });

/**
 * Changes the password of the session's login, by the function of docs/logins/self-managed.sql where the server would refuse it.
 *
 * @param verifier - of the password, as the server stores it
 * @throws OperationError `password_restricted`; the driver's errors
 */
export async function changeOwnPassword(client: pg.Client, user: string, verifier: string): Promise<void> {
  const { refused, trusted } = howSchema.parse((await client.query(howToChangeSql)).rows[0]);
  try {
    if (refused && trusted) await client.query(changeByFunctionSql, [verifier]);
    else await client.query(`ALTER ROLE ${quoteIdentifier(user)} PASSWORD ${quoteLiteral(verifier)}`);
  } catch (error) {
    const { code, message = '' } = error as { code?: string; message?: string };
    if (code !== '42501') throw error;
    // With rds.restrict_password_commands, members of rds_password alone may change passwords, even their own.
    if (message.includes('rds_password')) {
      const grant = `GRANT rds_password TO ${quoteIdentifier(user)}`;
      throw restricted(user, message, `Run ${grant} as the master user: rds.restrict_password_commands is 1.`, error);
    }
    if (!refused) throw error;
    throw restricted(
      user,
      `before PostgreSQL 16 a login with REPLICATION may not (${message})`,
      'Run docs/logins/self-managed.sql again as a superuser in the configured database: it creates a function that may.',
      error,
    );
  }
}

const restricted = (user: string, why: string, nextStep: string, cause?: unknown): OperationError =>
  new OperationError(
    'password_restricted',
    `The server does not let ${user} change its password: ${why}`,
    `${nextStep} The old password holds; the rotation goes on with the next try.`,
    cause === undefined ? {} : { cause },
  );
