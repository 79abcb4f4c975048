import type pg from 'pg';
import * as z from 'zod';
import { executorsSql } from './sandbox.sql.ts';

/** A role and the login of a restore, as they are on the server. */
export interface ExecutorFacts {
  role: string;
  /** Rights of the role that reach beyond its own objects; null where it is not there. */
  roleRights: readonly string[] | null;
  login: string;
  loginRights: readonly string[];
  /** Whether the login may act as the role. */
  isMember: boolean;
}

const rightsSchema = z.array(z.string()).nullable();
const factsSchema = z.object({
  login: z.string(),
  login_rights: rightsSchema,
  role_rights: rightsSchema,
  is_member: z.boolean(),
});

/** @param client - whose search path is PostgreSQL's own */
export async function readExecutorFacts(client: pg.Client, role: string): Promise<ExecutorFacts> {
  const { rows } = await client.query(executorsSql, [role]);
  const { login, login_rights, role_rights: roleRights, is_member: isMember } = factsSchema.parse(rows[0]);
  return { role, roleRights, login, loginRights: login_rights ?? [], isMember };
}

export interface ChosenExecutor {
  /** null: the login itself. */
  role: string | null;
  /** Why it is the login. */
  warning: string | null;
}

/**
 * Chooses who repeats a command: the role that ran it, or else the login; neither where it has more rights than the role had then.
 *
 * @param command.rights - those of the role when it ran the command
 * @param command.ownersLeftOut - whether all objects belong to the login
 */
export function chooseExecutor(
  { role, roleRights, login, loginRights, isMember }: ExecutorFacts,
  { rights, ownersLeftOut }: { rights: readonly string[]; ownersLeftOut: boolean },
): ChosenExecutor | { refusal: string } {
  const asLogin = (why: string): ChosenExecutor | { refusal: string } => {
    const more = moreThan(rights, loginRights);
    if (more.length === 0) return { role: null, warning: ownersLeftOut ? null : why };
    return {
      refusal: `${why}, and the login ${login} has more rights than ${role} had, whose code it would run: ${more.join(', ')}`,
    };
  };
  if (ownersLeftOut) return asLogin('Everything belongs to the login here');
  if (roleRights === null) return asLogin(`The role ${role} is not on this server`);
  const more = moreThan(rights, roleRights);
  if (more.length > 0) return asLogin(`The role ${role} has more rights here than it had: ${more.join(', ')}`);
  return isMember ? { role, warning: null } : asLogin(`The login ${login} is no member of ${role}`);
}

/** Of the rights that somebody has, those that the original had not. A superuser had all. */
function moreThan(original: readonly string[], rights: readonly string[]): string[] {
  return original.includes('superuser') ? [] : rights.filter((right) => !original.includes(right));
}
