/** The catalogs of objects with privileges, by what GRANT calls them: how one is found by its name, and what its columns are called. */
const CATALOGS = {
  TABLE: { catalog: 'pg_class', find: 'pg_catalog.to_regclass($1)', acl: 'relacl', owner: 'relowner', type: 'r' },
  SEQUENCE: { catalog: 'pg_class', find: 'pg_catalog.to_regclass($1)', acl: 'relacl', owner: 'relowner', type: 's' },
  ROUTINE: { catalog: 'pg_proc', find: 'pg_catalog.to_regprocedure($1)', acl: 'proacl', owner: 'proowner', type: 'f' },
  SCHEMA: {
    catalog: 'pg_namespace',
    find: 'pg_catalog.to_regnamespace($1)',
    acl: 'nspacl',
    owner: 'nspowner',
    type: 'n',
  },
  TYPE: { catalog: 'pg_type', find: 'pg_catalog.to_regtype($1)', acl: 'typacl', owner: 'typowner', type: 'T' },
  LANGUAGE: {
    catalog: 'pg_language',
    find: '(SELECT oid FROM pg_catalog.pg_language WHERE pg_catalog.quote_ident(lanname) = $1)',
    acl: 'lanacl',
    owner: 'lanowner',
    type: 'l',
  },
  'FOREIGN DATA WRAPPER': {
    catalog: 'pg_foreign_data_wrapper',
    find: '(SELECT oid FROM pg_catalog.pg_foreign_data_wrapper WHERE pg_catalog.quote_ident(fdwname) = $1)',
    acl: 'fdwacl',
    owner: 'fdwowner',
    type: 'F',
  },
  'FOREIGN SERVER': {
    catalog: 'pg_foreign_server',
    find: '(SELECT oid FROM pg_catalog.pg_foreign_server WHERE pg_catalog.quote_ident(srvname) = $1)',
    acl: 'srvacl',
    owner: 'srvowner',
    type: 'S',
  },
} as const;

export type GrantedKind = keyof typeof CATALOGS;

/** The privileges of an object ($1, and a column of it, $2 or null), one a row, and its owner; no row where there is no such object. */
export function privilegesSql(kind: GrantedKind): string {
  const { catalog, find, acl, owner, type } = CATALOGS[kind];
  const ofColumn =
    catalog === 'pg_class'
      ? '(SELECT a.attacl FROM pg_catalog.pg_attribute a WHERE a.attrelid = o.oid AND a.attname = $2::text)'
      : 'NULL::aclitem[]';
  return `
SELECT pg_catalog.pg_get_userbyid(o.${owner}) AS owner, e.grantee::int8::text AS grantee_id,
       CASE e.grantee WHEN 0 THEN '' ELSE pg_catalog.pg_get_userbyid(e.grantee) END AS grantee, e.privilege_type AS privilege,
       e.is_grantable AS grantable, pg_catalog.pg_get_userbyid(e.grantor) AS grantor
  FROM pg_catalog.${catalog} o
  LEFT JOIN LATERAL pg_catalog.aclexplode(CASE WHEN $2::text IS NULL THEN coalesce(o.${acl}, pg_catalog.acldefault('${type}'::"char", o.${owner}))
                                               ELSE ${ofColumn} END) AS e ON true
 WHERE o.oid = ${find}`;
}

/** Which of the given roles are on the server. */
export const presentRolesSql = 'SELECT rolname AS name FROM pg_catalog.pg_roles WHERE rolname = ANY ($1::text[])';
