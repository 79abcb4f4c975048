import { quoteIdentifier, quoteLiteral } from '../../../shared/postgres/identifiers.ts';

/** Roles that AWS makes, without a login. */
const groupRoles = ['rds_superuser', 'rds_replication', 'rds_iam', 'rds_password', 'rds_ad'];

/**
 * Makes AWS's roles and the master user, as `\du` and `\drg+` show them in "Viewing roles and their privileges" (Amazon RDS User Guide).
 * What a member of rds_superuser may grant without holding it, it gets with ADMIN alone: on 16 and later a server of one's own asks for
 * that, where RDS does not.
 */
export const rolesSql = (version: number, master: string, password: string): string => `
${groupRoles.map((role) => `CREATE ROLE ${role} NOLOGIN;`).join('\n')}
CREATE ROLE rds_reserved NOLOGIN NOINHERIT;
CREATE ROLE rds_extension NOLOGIN NOINHERIT;
CREATE ROLE rdsrepladmin NOLOGIN NOINHERIT REPLICATION;
GRANT pg_monitor, pg_signal_backend, rds_replication, rds_password TO rds_superuser WITH ADMIN OPTION;
${version >= 15 ? 'GRANT pg_checkpoint TO rds_superuser WITH ADMIN OPTION;' : ''}
${version >= 16 ? 'GRANT pg_use_reserved_connections TO rds_superuser WITH ADMIN OPTION;' : ''}
${version >= 15 ? 'GRANT SET ON PARAMETER session_replication_role TO rds_superuser;' : ''}
CREATE ROLE ${quoteIdentifier(master)} LOGIN NOSUPERUSER INHERIT CREATEDB CREATEROLE NOREPLICATION PASSWORD ${quoteLiteral(password)} VALID UNTIL 'infinity';
GRANT rds_superuser TO ${quoteIdentifier(master)};
${version >= 16 ? grantableSql(version, master) : ''}`;

/** Before 16 CREATEROLE is enough to grant any role but superusers. */
function grantableSql(version: number, master: string): string {
  const roles = ['pg_read_all_data', 'pg_write_all_data', 'pg_create_subscription', 'rds_iam', 'rds_ad'];
  if (version >= 17) roles.push('pg_maintain');
  return `GRANT ${roles.join(', ')} TO rds_superuser WITH ADMIN TRUE, INHERIT FALSE, SET FALSE;
GRANT rds_superuser TO ${quoteIdentifier(master)} WITH ADMIN TRUE, INHERIT TRUE, SET TRUE;`;
}
