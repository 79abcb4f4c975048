import * as z from 'zod';

/** The four application roles. A route names the least one it needs; see {@link roleIncludes}. */
export const roleSchema = z.enum(['viewer', 'operator', 'admin', 'auditor']);
export type Role = z.output<typeof roleSchema>;

/** What each role may do beyond itself: an operator may all that a viewer may, an admin everything, an auditor reads. */
const included: Record<Role, readonly Role[]> = {
  viewer: ['viewer'],
  operator: ['viewer', 'operator'],
  auditor: ['viewer', 'auditor'],
  admin: ['viewer', 'operator', 'auditor', 'admin'],
};

/** Whether a caller holding `roles` may use a route that requires the role `least`. */
export function roleIncludes(roles: readonly Role[], least: Role): boolean {
  return roles.some((role) => included[role].includes(least));
}
