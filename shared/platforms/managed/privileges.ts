import { quoteIdentifier } from '../../postgres/identifiers.ts';
import type { PlatformPrivileges } from '../platform.ts';

/** RDS and Aurora have the same roles: Amazon RDS User Guide, "Understanding PostgreSQL roles and permissions". */
export const managedPrivileges: PlatformPrivileges = {
  logins: ['secret', 'iam'],
  scripts: ['rds.sql'],
  administrators: 'rds_superuser',
  isOwnRole: (name) => /^rds/.test(name),
  // Where RDS did not say who the master user is, each that may be it.
  isAdministrator: ({ name, administers }, server) =>
    server?.masterUser == null ? administers : name === server.masterUser,
  allowReplication: (login) => `GRANT rds_replication TO ${quoteIdentifier(login)}`,
};
