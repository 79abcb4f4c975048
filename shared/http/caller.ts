import type { RouteDefinition } from '../contract/define-route.ts';
import { type Role, roleIncludes, roleSchema } from '../contract/roles.ts';
import type { ApiEvent } from './event.ts';
import { Refusal } from './problem.ts';

/** Who calls, as the authorizer has verified it. */
export interface Caller {
  sub: string;
  roles: readonly Role[];
  email: string | null;
}

/** Roles travel from the authorizer to the functions as one text. */
const SEPARATOR = ' ';

/** A caller as the authorizer's context, which holds text only. */
export function callerContext({ sub, roles, email }: Caller): Record<string, string> {
  return { sub, roles: roles.join(SEPARATOR), ...(email === null ? {} : { email }) };
}

/**
 * The caller of a route, when the route needs one.
 *
 * @throws Refusal 401 without a verified caller, 403 when no role of theirs includes the least one
 */
export function readCaller(route: RouteDefinition, event: ApiEvent): Caller | null {
  if (route.leastRole === 'public') return null;
  const { sub, roles: text, email } = event.requestContext.authorizer ?? {};
  if (typeof sub !== 'string' || sub === '' || typeof text !== 'string') {
    throw new Refusal(
      401,
      'no_token',
      'The request carries no valid token',
      'Send a token as Authorization: Bearer <token>.',
      {
        headers: { 'WWW-Authenticate': 'Bearer' },
      },
    );
  }
  const roles = text.split(SEPARATOR).flatMap((name) => roleSchema.safeParse(name).data ?? []);
  if (!roleIncludes(roles, route.leastRole)) {
    throw new Refusal(
      403,
      'role_too_low',
      `${route.summary} needs the role ${route.leastRole}; the token has ${roles.join(', ') || 'none'}`,
      'Ask an administrator for the role.',
    );
  }
  return { sub, roles, email: typeof email === 'string' ? email : null };
}
