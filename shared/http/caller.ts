import type { ToldRefusal } from '../access/authorize.ts';
import type { RouteDefinition } from '../contract/define-route.ts';
import { type Role, roleIncludes, roleSchema } from '../contract/roles.ts';
import { knownCode } from '../core/errors/kinds.ts';
import type { ApiEvent } from './event.ts';
import { Refusal } from './problem.ts';

/** Who calls, as the authorizer has verified it. */
export interface Caller {
  sub: string;
  roles: readonly Role[];
  email: string | null;
  /** Ids of the databases that the roles are for; null: all. */
  databases: readonly string[] | null;
}

/** Whether a caller's roles are for a database; true for null, which is none of another. */
export const reaches = ({ databases }: Pick<Caller, 'databases'>, id: string | null | undefined): boolean =>
  databases === null || id == null || databases.includes(id);

/** Roles travel from the authorizer to the functions as one text. */
const SEPARATOR = ' ';

/** A caller as the authorizer's context, which holds text only. */
export function callerContext({ sub, roles, email, databases }: Caller): Record<string, string> {
  return {
    sub,
    roles: roles.join(SEPARATOR),
    ...(email === null ? {} : { email }),
    ...(databases === null ? {} : { databases: databases.join(SEPARATOR) }),
  };
}

const REFUSED = 'refused';

/**
 * The authorizer's context for a caller who is told why their token is refused. It names no caller, so every route that needs one refuses it.
 * API Gateway itself can tell all that are unauthorized only the same.
 */
export function refusedContext({ code, detail, hint }: ToldRefusal): Record<string, string> {
  return { [REFUSED]: code, detail, hint };
}

/** @throws Refusal 401 */
function refuseToken(code: unknown, detail: unknown, hint: unknown): never {
  const told = typeof code === 'string' && typeof detail === 'string' && typeof hint === 'string';
  const headers = { 'WWW-Authenticate': told ? `Bearer error="invalid_token", error_description="${code}"` : 'Bearer' };
  throw told
    ? new Refusal(knownCode(code, 'no_token'), detail, hint, { headers })
    : new Refusal('no_token', 'The request carries no valid token', 'Send a token as Authorization: Bearer <token>.', {
        headers,
      });
}

/**
 * The caller of a route, when the route needs one.
 *
 * @throws Refusal 401 without a verified caller, 403 when no role of theirs includes the least one
 */
export function readCaller(route: RouteDefinition, event: ApiEvent): Caller | null {
  if (route.leastRole === 'public') return null;
  const {
    sub,
    roles: text,
    email,
    databases,
    [REFUSED]: refused,
    detail,
    hint,
  } = event.requestContext.authorizer ?? {};
  if (refused !== undefined || typeof sub !== 'string' || sub === '' || typeof text !== 'string')
    refuseToken(refused, detail, hint);
  const roles = text.split(SEPARATOR).flatMap((name) => roleSchema.safeParse(name).data ?? []);
  if (!roleIncludes(roles, route.leastRole)) {
    throw new Refusal(
      'role_too_low',
      `${route.summary} needs the role ${route.leastRole}; the token has ${roles.join(', ') || 'none'}`,
      'Ask an administrator for the role.',
    );
  }
  return {
    sub,
    roles,
    email: typeof email === 'string' ? email : null,
    databases: databases === undefined ? null : String(databases).split(SEPARATOR).filter(Boolean),
  };
}
