import { type AnyCheck, defineCheck, sql } from '../check.ts';
import { quoteForPaste, quoteForReading } from '../quote-for-paste.ts';
import { grantRole } from '../remediate.ts';

/** What lets the login change logins. */
export const accessChecks: readonly AnyCheck[] = [
  defineCheck({
    id: 'password_not_changed',
    title: 'The login may not change its own password',
    needs:
      '`rds_password`, where `rds.restrict_password_commands` is on and the login has a password in Secrets Manager; on a server of your own before PostgreSQL 16 the function of docs/logins/self-managed.sql',
    affects: { limits: ['access'] },
    reads: ['login', 'server'],
    find({ login, server }, context) {
      const restricted = ['on', '1'].includes(server.settings['rds.restrict_password_commands']?.value ?? '');
      const usesPassword = context.database.login.type === 'secret';
      // On RDS the right to replicate is a role's, which does not stand in the way.
      if (usesPassword && context.platform.privileges.administrators === null && !login.changes_its_password) {
        return {
          message: `Before PostgreSQL 16 a login with REPLICATION, as ${quoteForReading(login.name)} has it, may not change its own password: the rotation of its password fails`,
          remediation: sql(context, '\\i docs/logins/self-managed.sql'),
        };
      }
      if (!usesPassword || !restricted || login.has_roles.includes('rds_password')) return null;
      return {
        message: `rds.restrict_password_commands is on and ${quoteForReading(login.name)} is no member of rds_password: the rotation of its password fails`,
        remediation: sql(context, grantRole('rds_password', { login, version: server.version })),
      };
    },
  }),
  defineCheck({
    id: 'logins_not_changed',
    title: 'Limits of other logins cannot be changed',
    needs:
      '`CREATEROLE`, from PostgreSQL 16 on with each login WITH ADMIN OPTION. The documented login does not have it',
    affects: { notes: ['access'] },
    reads: ['login'],
    find({ login }, context) {
      if (login.creates_roles) return null;
      return {
        message: `${quoteForReading(login.name)} has no CREATEROLE: the API shows the limits of logins and refuses to change them. Before PostgreSQL 16, CREATEROLE lets a login become almost every other; give it only where that is wanted`,
        remediation: sql(context, `ALTER ROLE ${quoteForPaste(login.name)} CREATEROLE;`),
      };
    },
  }),
];
