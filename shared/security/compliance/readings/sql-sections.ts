import type pg from 'pg';
import type { KnownSetting } from '../../../platforms/platform.ts';
import { disabledTriggersSql, eventTriggersSql, extensionsSql, functionsSql, languagesSql } from './code.sql.ts';
import { defaultsSql, fileFunctionsSql, grantsSql, openFunctionsSql } from './privileges.sql.ts';
import { membershipsSql, passwordsSql, rolesSql } from './roles.sql.ts';
import { hbaSql, ownSettingsSql, serverSql } from './server.sql.ts';
import { bypassingViewsSql, foreignServersSql, rowSecuritySql, userMappingsSql } from './tables.sql.ts';

/** What is read over SQL, by section. */
export interface SqlSections {
  server: {
    version: number;
    database: string;
    login: string;
    is_superuser: boolean;
    is_encrypted: boolean;
    sees_all_settings: boolean;
    pgaudit_log: string | null;
    /** `rds.force_ssl`; null where there is no such setting. */
    force_ssl: string | null;
    settings: Readonly<Record<string, KnownSetting>>;
  };
  ownSettings: { role: string | null; database: string | null; name: string; value: string }[];
  hba: {
    line: number;
    file: string;
    /** Everything but the line is null where it is in error. */
    type: string | null;
    databases: string[] | null;
    users: string[] | null;
    address: string | null;
    netmask: string | null;
    method: string | null;
    error: string | null;
  }[];
  roles: {
    name: string;
    bootstrap: boolean;
    own: boolean;
    superuser: boolean;
    login: boolean;
    createrole: boolean;
    createdb: boolean;
    replication: boolean;
    bypassrls: boolean;
    connection_limit: number;
    valid_until: number | null;
    by_iam: boolean;
    /** A member of `rds_superuser`. */
    administers: boolean;
    owns_tables: boolean;
  }[];
  memberships: {
    role: string;
    member: string;
    grantor: string | null;
    admin: boolean;
    role_is_superuser: boolean;
    predefined: boolean;
    member_is_superuser: boolean;
    member_creates_roles: boolean;
    own: boolean;
  }[];
  passwords: { name: string; kind: string; iterations: number; own: boolean; superuser: boolean }[];
  grants: {
    kind: string;
    shown: string;
    object: string;
    col: string | null;
    privilege: string;
    grantable: boolean;
    /** null: PUBLIC. */
    grantee: string | null;
    grantor: string | null;
    logins: string[] | null;
  }[];
  defaults: { role: string; schema: string | null; privilege: string; kind: string }[];
  openFunctions: { role: string }[];
  fileFunctions: { object: string; grantee: string | null }[];
  functions: {
    object: string;
    kind: string;
    schema: string;
    definer: boolean;
    language: string;
    untrusted: boolean;
    owner_is_superuser: boolean;
    owner: string;
    search_path: string | null;
    public: boolean;
  }[];
  languages: { name: string; extension: string | null }[];
  eventTriggers: {
    name: string;
    disabled: boolean;
    owner: string;
    function_owner: string;
    function_owner_is_superuser: boolean;
    function: string;
  }[];
  disabledTriggers: { name: string; table: string }[];
  extensions: { name: string; installed: string; available: string | null; schema: string }[];
  rowSecurity: {
    table: string;
    enabled: boolean;
    forced: boolean;
    owner: string;
    owner_logs_in: boolean;
    policies: number;
    open_policies: string[];
  }[];
  bypassingViews: { view: string; tables: string[]; takes_invoker: boolean }[];
  foreignServers: { name: string; sslmode: string | null }[];
  userMappings: {
    server: string;
    user: string | null;
    hidden: boolean;
    password: boolean;
    password_not_required: boolean;
  }[];
}

const queries: Readonly<Record<keyof SqlSections, string>> = {
  server: serverSql,
  ownSettings: ownSettingsSql,
  hba: hbaSql,
  roles: rolesSql,
  memberships: membershipsSql,
  passwords: passwordsSql,
  grants: grantsSql,
  defaults: defaultsSql,
  openFunctions: openFunctionsSql,
  fileFunctions: fileFunctionsSql,
  functions: functionsSql,
  languages: languagesSql,
  eventTriggers: eventTriggersSql,
  disabledTriggers: disabledTriggersSql,
  extensions: extensionsSql,
  rowSecurity: rowSecuritySql,
  bypassingViews: bypassingViewsSql,
  foreignServers: foreignServersSql,
  userMappings: userMappingsSql,
};

/** Names of the sections that are read over SQL. */
export const sqlSectionNames = Object.keys(queries) as (keyof SqlSections)[];

/** Reads one section; its rows, and of `server` the one row. */
export async function readSqlSection<Name extends keyof SqlSections>(
  client: pg.Client,
  name: Name,
): Promise<SqlSections[Name]> {
  const { rows } = await client.query(queries[name]);
  return (name === 'server' ? rows[0] : rows) as SqlSections[Name];
}
