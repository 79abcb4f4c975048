import { platformOf } from '../../../platforms/platforms.ts';
import { controlsOf } from '../controls.ts';
import { listRule, notApplicable, unknown } from '../rule.ts';
import { isAws, revoke } from './roles.ts';

/** Who has what AWS gives administrators in place of a superuser. */
export const managedRoleRules = [
  listRule({
    id: 'rds_superusers',
    title: 'Nobody but the master user has the rights of rds_superuser',
    level: 'critical',
    reads: 'memberships',
    expected: 'Members of rds_superuser are the master user and, where it is given so, the login of this system',
    controls: controlsOf('privilege', '4.3'),
    offenders: (memberships, context) => {
      const { database, instance } = context;
      const { administrators } = platformOf(database).privileges;
      if (administrators === null) return notApplicable('The server has superusers in its place; see superusers');
      if (!instance?.masterUser) return unknown('RDS did not say which login is the master user');
      return memberships.filter(
        ({ role, member, own }) =>
          role === administrators && !own && member !== instance.masterUser && !isAws(member, context),
      );
    },
    name: ({ member }) => member,
    mend: (membership) => revoke(membership),
  }),
];
