import * as z from 'zod';
import { defineRoute } from './define-route.ts';
import {
  accessSchema,
  loginChangedSchema,
  loginChangeSchema,
  loginNameSchema,
  revocationRequestSchema,
  revocationsSchema,
} from './schemas/access.ts';
import { databaseQuerySchema } from './schemas/common.ts';

/** The routes of access: to this system, and to the servers. */
export const accessRoutes = [
  defineRoute({
    operationId: 'getAccess',
    reach: 'server',
    method: 'GET',
    path: '/security/access',
    leastRole: 'auditor',
    servedBy: 'access-api',
    tag: 'Security',
    summary: 'List logins and their rights',
    description:
      'The roles of this system with the routes that each may call, what holds for all callers, tokens that are revoked; and the logins of the server with their rights, memberships, limits, and when each was last seen.',
    query: databaseQuerySchema,
    responses: { 200: { description: 'Roles, limits, revocations and logins.', schema: accessSchema } },
  }),
  defineRoute({
    operationId: 'changeLogin',
    reach: 'server',
    method: 'PUT',
    path: '/security/access/{role}',
    leastRole: 'admin',
    servedBy: 'access-api',
    tag: 'Security',
    summary: 'Change the limits of a login',
    description:
      'Sets the connection limit, the end, and the time limits of sessions of a login of the server, all or nothing. What is not named stays as it is. A superuser, and the login of this system, are changed only with `"privileged": true`.',
    params: z.strictObject({ role: loginNameSchema }),
    query: databaseQuerySchema,
    body: loginChangeSchema,
    bodyExample: { connection_limit: 100, timeouts: { idle_in_transaction_session_timeout: 600_000 } },
    responses: { 200: { description: 'The login before and after.', schema: loginChangedSchema } },
    refusals: {
      404: 'There is no such login.',
      409: 'The login is protected, the login of this system may not change it, or the server has no such setting.',
    },
  }),
  defineRoute({
    operationId: 'revokeTokens',
    method: 'POST',
    path: '/security/access/revocations',
    leastRole: 'admin',
    servedBy: 'settings-api',
    tag: 'Security',
    summary: 'Revoke tokens',
    description:
      'Revokes one token by its `jti`, or all of a caller whose session began before a moment, also those that a refresh gives them later: they have to sign in again. It takes effect within a minute, as a caller who was let in is believed for as long.',
    body: revocationRequestSchema,
    bodyExample: { sub: 'd290f1ee-6c54-4b01-90e6-d701748f0851' },
    responses: { 200: { description: 'All that still matter, the newest first.', schema: revocationsSchema } },
    refusals: { 400: 'The moment lies in the future; `errors` names the field.' },
  }),
] as const;
