/**
 * What a command has left behind, for the event triggers' function, whose search path is `pg_catalog`. A row of a catalog that the
 * transaction has written, or a later one, has an `xmin` that is not older than the transaction's number.
 */
const written = (row: string, since: string): string => `age(${row}.xmin) <= age(${since})`;

/** Of a row of `pg_event_trigger_ddl_commands`: the table that a trigger, rule, policy, statistics or default is of. */
const RELATION = `
             CASE d.classid
               WHEN 'pg_class'::regclass THEN d.objid
               WHEN 'pg_trigger'::regclass THEN (SELECT tgrelid FROM pg_trigger WHERE oid = d.objid)
               WHEN 'pg_rewrite'::regclass THEN (SELECT ev_class FROM pg_rewrite WHERE oid = d.objid)
               WHEN 'pg_policy'::regclass THEN (SELECT polrelid FROM pg_policy WHERE oid = d.objid)
               WHEN 'pg_constraint'::regclass THEN (SELECT conrelid FROM pg_constraint WHERE oid = d.objid)
               WHEN 'pg_attrdef'::regclass THEN (SELECT adrelid FROM pg_attrdef WHERE oid = d.objid)
               WHEN 'pg_statistic_ext'::regclass THEN (SELECT stxrelid FROM pg_statistic_ext WHERE oid = d.objid)
             END`;

/**
 * Counts what a command lists, and what of it lasts: neither temporary objects, nor what is of them, nor what an extension's script does,
 * nor large objects, which are those of the base, nor an index that is not valid, which no backup has. A partitioned index is not valid
 * until all of its parts are there, and is in backups.
 */
export const lastingSql = (listed: string, lasting: string): string => `
    SELECT count(*), count(*) FILTER (WHERE NOT (
             d.in_extension
             OR coalesce(d.schema_name = 'pg_temp', false)
             OR coalesce(d.classid = 'pg_largeobject'::regclass, false)
             OR EXISTS (SELECT FROM pg_class c WHERE c.oid = ${RELATION} AND c.relpersistence = 't')
             OR EXISTS (SELECT FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
                         WHERE d.classid = 'pg_class'::regclass AND i.indexrelid = d.objid AND NOT i.indisvalid AND c.relkind = 'i')))
      INTO ${listed}, ${lasting}
      FROM pg_event_trigger_ddl_commands() AS d;`;

/**
 * Whether an ALTER TABLE or ALTER TYPE found everything as it wanted it, as with IF NOT EXISTS: nothing of what it names was written by the
 * transaction. What a command drops is told otherwise.
 */
export const isUnchangedSql = (
  tag: string,
  since: string,
): string => `(${tag} IN ('ALTER TABLE', 'ALTER TYPE') AND NOT EXISTS (
      SELECT FROM pg_event_trigger_ddl_commands() AS d
        LEFT JOIN pg_type y ON d.classid = 'pg_type'::regclass AND y.oid = d.objid
        CROSS JOIN LATERAL (SELECT CASE WHEN d.classid = 'pg_class'::regclass THEN d.objid ELSE coalesce(y.typrelid, 0) END) AS r (relid)
       WHERE d.classid IS NULL OR d.classid NOT IN ('pg_class'::regclass, 'pg_type'::regclass)
          OR (y.oid IS NOT NULL AND ${written('y', since)})
          OR EXISTS (SELECT FROM pg_enum x WHERE x.enumtypid = y.oid AND ${written('x', since)})
          OR EXISTS (SELECT FROM pg_constraint x WHERE x.contypid = y.oid AND ${written('x', since)})
          OR EXISTS (SELECT FROM pg_class x WHERE x.oid = r.relid AND ${written('x', since)})
          OR EXISTS (SELECT FROM pg_attribute x WHERE x.attrelid = r.relid AND ${written('x', since)})
          OR EXISTS (SELECT FROM pg_attrdef x WHERE x.adrelid = r.relid AND ${written('x', since)})
          OR EXISTS (SELECT FROM pg_constraint x WHERE (x.conrelid = r.relid OR x.confrelid = r.relid) AND ${written('x', since)})
          OR EXISTS (SELECT FROM pg_index x WHERE (x.indrelid = r.relid OR x.indexrelid = r.relid) AND ${written('x', since)})
          OR EXISTS (SELECT FROM pg_inherits x WHERE (x.inhrelid = r.relid OR x.inhparent = r.relid) AND ${written('x', since)})
          OR EXISTS (SELECT FROM pg_trigger x WHERE x.tgrelid = r.relid AND ${written('x', since)})
          OR EXISTS (SELECT FROM pg_rewrite x WHERE x.ev_class = r.relid AND ${written('x', since)})
          OR EXISTS (SELECT FROM pg_foreign_table x WHERE x.ftrelid = r.relid AND ${written('x', since)})
          OR EXISTS (SELECT FROM pg_sequence x WHERE x.seqrelid = r.relid AND ${written('x', since)})))`;

/** Kinds of objects with privileges: how GRANT calls them, where they are, and the names of the columns. */
const WITH_ACL: readonly {
  kind: string;
  catalog: string;
  acl: string;
  owner: string;
  only: string;
  defaults: string;
}[] = [
  {
    kind: "CASE o.relkind WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END",
    catalog: 'pg_class',
    acl: 'relacl',
    owner: 'relowner',
    only: "o.relpersistence <> 't' AND o.relkind IN ('r', 'p', 'v', 'm', 'f', 'S')",
    defaults: "CASE o.relkind WHEN 'S' THEN 's' ELSE 'r' END",
  },
  { kind: "'ROUTINE'", catalog: 'pg_proc', acl: 'proacl', owner: 'proowner', only: 'true', defaults: "'f'" },
  {
    kind: "'SCHEMA'",
    catalog: 'pg_namespace',
    acl: 'nspacl',
    owner: 'nspowner',
    only: "o.nspname !~ '^pg_(toast_)?temp_'",
    defaults: "'n'",
  },
  { kind: "'TYPE'", catalog: 'pg_type', acl: 'typacl', owner: 'typowner', only: 'o.typrelid = 0', defaults: "'T'" },
  { kind: "'LANGUAGE'", catalog: 'pg_language', acl: 'lanacl', owner: 'lanowner', only: 'true', defaults: "'l'" },
  {
    kind: "'FOREIGN DATA WRAPPER'",
    catalog: 'pg_foreign_data_wrapper',
    acl: 'fdwacl',
    owner: 'fdwowner',
    only: 'true',
    defaults: "'F'",
  },
  {
    kind: "'FOREIGN SERVER'",
    catalog: 'pg_foreign_server',
    acl: 'srvacl',
    owner: 'srvowner',
    only: 'true',
    defaults: "'S'",
  },
];

/** An access control list as an array of arrays: who has it ("" for everybody), which privilege, whether it can be given on. */
const entries = (acl: string): string => `(
        SELECT coalesce(jsonb_agg(jsonb_build_array(CASE e.grantee WHEN 0 THEN '' ELSE pg_get_userbyid(e.grantee) END,
                                                    e.privilege_type, e.is_grantable, pg_get_userbyid(e.grantor))), '[]')
          FROM aclexplode(${acl}) AS e)`;

/**
 * The privileges of all objects, and of columns, whose lists were written by the transaction, as a JSON array; none of temporary or large
 * objects.
 */
export const aclChangesSql = (since: string): string => `(
      SELECT coalesce(jsonb_agg(g.entry), '[]') FROM (
        ${WITH_ACL.map(
          ({ kind, catalog, acl, owner, only, defaults }) => `
        SELECT jsonb_build_object('kind', ${kind}, 'name', (pg_identify_object('${catalog}'::regclass, o.oid, 0)).identity, 'column', NULL,
                                  'owner', pg_get_userbyid(o.${owner}), 'acl', ${entries(`coalesce(o.${acl}, acldefault((${defaults})::"char", o.${owner}))`)})
          FROM ${catalog} o WHERE o.${acl} IS NOT NULL AND ${only} AND ${written('o', since)}`,
        ).join('\n        UNION ALL')}
        UNION ALL
        SELECT jsonb_build_object('kind', 'TABLE', 'name', (pg_identify_object('pg_class'::regclass, o.oid, 0)).identity, 'column', a.attname,
                                  'owner', pg_get_userbyid(o.relowner), 'acl', ${entries('a.attacl')})
          FROM pg_attribute a JOIN pg_class o ON o.oid = a.attrelid
         WHERE o.relpersistence <> 't' AND o.relkind IN ('r', 'p', 'v', 'm', 'f') AND a.attnum > 0 AND NOT a.attisdropped
           AND ${written('a', since)} AND (a.attacl IS NOT NULL OR NOT EXISTS (SELECT FROM pg_type y WHERE y.oid = o.reltype AND ${written('y', since)}))) AS g (entry))`;
