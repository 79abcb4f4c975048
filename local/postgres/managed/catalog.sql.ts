import { quoteLiteral } from '../../../shared/postgres/identifiers.ts';
import type { AwsSetting } from './settings.ts';

/**
 * Shows AWS's own settings in `pg_settings`, which leaves out settings that no library has defined; and hides the attribute that the
 * simulation gives to members of rds_replication, who have none on RDS.
 */
export const catalogSql = (settings: readonly AwsSetting[]): string => `
CREATE OR REPLACE VIEW pg_catalog.pg_settings AS
SELECT * FROM pg_catalog.pg_show_all_settings()
UNION ALL
SELECT given.name, pg_catalog.current_setting(given.name, true), NULL, 'Customized Options', 'A setting of Amazon RDS', NULL,
       given.context, given.vartype, 'configuration file', NULL, NULL, NULL::text[], given.value, pg_catalog.current_setting(given.name, true),
       NULL, NULL::int, false
  FROM (VALUES ${settings.map(rowOf).join(',\n               ')}) AS given (name, vartype, context, value)
 WHERE pg_catalog.current_setting(given.name, true) IS NOT NULL;

CREATE OR REPLACE VIEW pg_catalog.pg_roles AS
SELECT rolname, rolsuper, rolinherit, rolcreaterole, rolcreatedb, rolcanlogin,
       rolreplication AND (rolsuper OR rolname = 'rdsrepladmin') AS rolreplication,
       rolconnlimit, '********'::text AS rolpassword, rolvaliduntil, rolbypassrls, setconfig AS rolconfig, pg_authid.oid
  FROM pg_catalog.pg_authid
  LEFT JOIN pg_catalog.pg_db_role_setting s ON pg_authid.oid = s.setrole AND s.setdatabase = 0;`;

const rowOf = ({ name, type, context, value }: AwsSetting): string =>
  `(${[name, type, context, value].map((text) => `${quoteLiteral(text)}::text`).join(', ')})`;
