import type { Role } from '../../shared/contract/roles.ts';

/** A local user: one per role of the application. */
export type LocalUser = { sub: string; role: Role; name: string; email: string };

const names: Record<Role, string> = {
  viewer: 'Vera Viewer',
  operator: 'Otto Operator',
  admin: 'Ada Admin',
  auditor: 'Aldo Auditor',
};

export const localUsers: readonly LocalUser[] = (Object.keys(names) as Role[]).map((role) => ({
  sub: `local-${role}`,
  role,
  name: names[role],
  email: `${role}@localhost.localdomain`,
}));

/** The claims that describe a user, in the form a Cognito user pool gives them. */
export function userClaims({ sub, role, name, email }: LocalUser): {
  sub: string;
  'cognito:groups': string[];
  name: string;
  email: string;
} {
  return { sub, 'cognito:groups': [role], name, email };
}
