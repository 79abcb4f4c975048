import { CHANGES_SCHEMA } from '../own-schema.ts';

/**
 * What a database consists of, read from the catalogs without pg_dump: one query a kind, each giving an object's `name` and its
 * `definition` as JSON. Numbers that another database gives anew (OIDs, places of dropped columns) are replaced by names.
 * What an extension brings belongs to the extension.
 *
 * An index that was left invalid is no part of it: pg_dump leaves it out, as it is of no use to anybody.
 *
 * @param version - major version of the server
 * @param sameVersion - whether the other server has the same one; otherwise what only one of them has is left out: versions of
 *   extensions, the privilege MAINTAIN, NOT NULL as a constraint, the names of a foreign key's parts on partitions
 */
export function catalogSql(version: number, sameVersion: boolean): Record<string, string> {
  const acl = (column: string, kind: string, owner: string): string => `(
    SELECT coalesce(jsonb_agg(entry ORDER BY entry), '[]')
      FROM aclexplode(coalesce(${column}, acldefault((${kind})::"char", ${owner}))) x
      CROSS JOIN LATERAL (SELECT concat_ws(' ', x.grantee::regrole, x.privilege_type, x.is_grantable, x.grantor::regrole)) AS one (entry)
     WHERE x.privilege_type <> ALL ('${sameVersion ? '{}' : '{MAINTAIN}'}'))`;
  const columnAcl = `(
    SELECT jsonb_agg(entry ORDER BY entry)
      FROM aclexplode(a.attacl) x
      CROSS JOIN LATERAL (SELECT concat_ws(' ', x.grantee::regrole, x.privilege_type, x.is_grantable, x.grantor::regrole)) AS one (entry))`;
  const identity = (catalog: string, oid: string): string =>
    `(pg_identify_object('${catalog}'::regclass, ${oid}, 0)).identity`;
  /** Versions differ in how they call a transform. */
  const sameWords = (name: string): string => `replace(${name}, ' on language ', ' language ')`;
  /** Made by the user: not by initdb, not by an extension. */
  const own = (catalog: string, oid: string): string => `(${oid} >= 16384 AND NOT EXISTS (
    SELECT FROM pg_depend member WHERE member.classid = '${catalog}'::regclass AND member.objid = ${oid} AND member.deptype = 'e'))`;
  const sorted = (list: string): string => `(SELECT jsonb_agg(item ORDER BY item) FROM unnest(${list}) AS item)`;
  /** An object's own row, without what the names say. */
  const row = (alias: string, without: string): string => `to_jsonb(${alias}) - '{oid,${without}}'::text[]`;

  return {
    database: `
SELECT 'itself' AS name, jsonb_build_object(
         'encoding', pg_encoding_to_char(encoding), 'collate', datcollate, 'ctype', datctype, 'limit', datconnlimit,
         'owner', datdba::regrole, 'acl', ${acl('datacl', "'d'", 'datdba')}, 'comment', shobj_description(oid, 'pg_database'),
         'settings', (SELECT jsonb_agg(concat_ws(' ', s.setrole::regrole, setting) ORDER BY s.setrole::regrole::text, setting)
                        FROM pg_db_role_setting s CROSS JOIN unnest(s.setconfig) AS setting WHERE s.setdatabase = d.oid)) AS definition
  FROM pg_database d WHERE datname = current_database()`,
    schema: `
SELECT nspname AS name, jsonb_build_object('owner', nspowner::regrole, 'acl', ${acl('nspacl', "'n'", 'nspowner')},
         'comment', obj_description(oid, 'pg_namespace')) AS definition
  FROM pg_namespace WHERE ${own('pg_namespace', 'oid')} AND nspname !~ '^pg_(toast_)?temp_' OR nspname = 'public'`,
    relation: `
SELECT ${identity('pg_class', 'c.oid')} AS name, jsonb_build_object(
         'kind', c.relkind, 'persistence', c.relpersistence, 'owner', c.relowner::regrole,
         'acl', ${acl('c.relacl', "CASE c.relkind WHEN 'S' THEN 's' ELSE 'r' END", 'c.relowner')},
         'options', ${sorted('c.reloptions')}, 'toast options', ${sorted('t.reloptions')}, 'access method', am.amname,
         'tablespace', c.reltablespace, 'row security', c.relrowsecurity, 'forced', c.relforcerowsecurity,
         'replica identity', c.relreplident, 'of type', nullif(c.reloftype, 0)::regtype, 'populated', c.relispopulated,
         'partition key', CASE c.relkind WHEN 'p' THEN pg_get_partkeydef(c.oid) END,
         'bound', pg_get_expr(c.relpartbound, c.oid),
         'parents', (SELECT jsonb_agg(i.inhparent::regclass::text ORDER BY i.inhseqno) FROM pg_inherits i WHERE i.inhrelid = c.oid),
         'query', CASE WHEN c.relkind IN ('v', 'm') THEN pg_get_viewdef(c.oid) END,
         'foreign', (SELECT jsonb_build_object('server', s.srvname, 'options', ${sorted('f.ftoptions')})
                       FROM pg_foreign_table f JOIN pg_foreign_server s ON s.oid = f.ftserver WHERE f.ftrelid = c.oid)) AS definition
  FROM pg_class c LEFT JOIN pg_class t ON t.oid = c.reltoastrelid LEFT JOIN pg_am am ON am.oid = c.relam
 WHERE c.relkind NOT IN ('i', 'I', 't') AND c.relpersistence <> 't' AND ${own('pg_class', 'c.oid')}`,
    column: `
SELECT concat_ws(' ', ${identity('pg_class', 'c.oid')}, quote_ident(a.attname)) AS name, jsonb_build_object(
         'place', row_number() OVER (PARTITION BY c.oid ORDER BY a.attnum), 'type', format_type(a.atttypid, a.atttypmod),
         'not null', a.attnotnull, 'default', pg_get_expr(d.adbin, d.adrelid), 'identity', a.attidentity, 'generated', a.attgenerated,
         'collation', nullif(a.attcollation, 0)::regcollation, 'storage', a.attstorage, 'compression', to_jsonb(a) -> 'attcompression',
         'statistics', nullif(a.attstattarget, -1), 'options', ${sorted('a.attoptions')}, 'foreign options', ${sorted('a.attfdwoptions')},
         'local', a.attislocal, 'parents', a.attinhcount, 'acl', ${columnAcl}) AS definition
  FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
 WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f', 'c', 'i', 'I') AND c.relpersistence <> 't' AND a.attnum > 0 AND NOT a.attisdropped
   AND c.relnamespace <> 'pg_toast'::regnamespace AND ${own('pg_class', 'c.oid')} AND NOT EXISTS (SELECT FROM pg_index i WHERE i.indexrelid = c.oid AND NOT i.indisvalid AND c.relkind = 'i')`,
    constraint: `
SELECT ${identity('pg_constraint', 'c.oid')} AS name, jsonb_build_object(
         'kind', c.contype, 'definition', pg_get_constraintdef(c.oid), 'validated', c.convalidated, 'local', c.conislocal,
         'parents', c.coninhcount, 'not inherited', CASE WHEN c.contype IN ('c', 'n') THEN c.connoinherit END, 'enforced', coalesce(to_jsonb(c) -> 'conenforced', 'true')) AS definition
  FROM pg_constraint c WHERE ${own('pg_constraint', 'c.oid')}${sameVersion ? '' : " AND c.contype <> 'n' AND c.conparentid = 0"}`,
    index: `
SELECT ${identity('pg_class', 'i.indexrelid')} AS name, jsonb_build_object(
         'definition', pg_get_indexdef(i.indexrelid), 'valid', i.indisvalid, 'clustered', i.indisclustered,
         'replica identity', i.indisreplident, 'immediate', i.indimmediate,
         'parent', (SELECT h.inhparent::regclass::text FROM pg_inherits h WHERE h.inhrelid = i.indexrelid)) AS definition
  FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
 WHERE (i.indisvalid OR c.relkind = 'I') AND ${own('pg_class', 'i.indrelid')}
   AND c.relnamespace <> 'pg_toast'::regnamespace AND c.relpersistence <> 't'`,
    'sequence definition': `
SELECT ${identity('pg_class', 's.seqrelid')} AS name, jsonb_build_object('type', s.seqtypid::regtype,
         'owned by', (SELECT (pg_identify_object(o.refclassid, o.refobjid, o.refobjsubid)).identity FROM pg_depend o
                       WHERE o.classid = 'pg_class'::regclass AND o.objid = s.seqrelid AND o.deptype IN ('a', 'i') AND o.refobjsubid > 0))
       || (${row('s', 'seqrelid,seqtypid')}) AS definition
  FROM pg_sequence s WHERE ${own('pg_class', 's.seqrelid')}`,
    trigger: `
SELECT ${identity('pg_trigger', 't.oid')} AS name, jsonb_build_object('definition', pg_get_triggerdef(t.oid), 'enabled', t.tgenabled) AS definition
  FROM pg_trigger t WHERE NOT t.tgisinternal`,
    rule: `
SELECT ${identity('pg_rewrite', 'r.oid')} AS name, jsonb_build_object('definition', pg_get_ruledef(r.oid), 'enabled', r.ev_enabled) AS definition
  FROM pg_rewrite r WHERE ${own('pg_rewrite', 'r.oid')} AND ${own('pg_class', 'r.ev_class')}`,
    policy: `
SELECT ${identity('pg_policy', 'p.oid')} AS name, jsonb_build_object('command', p.polcmd, 'permissive', p.polpermissive,
         'roles', (SELECT jsonb_agg(r::regrole::text ORDER BY r::regrole::text) FROM unnest(p.polroles) r),
         'using', pg_get_expr(p.polqual, p.polrelid), 'check', pg_get_expr(p.polwithcheck, p.polrelid)) AS definition
  FROM pg_policy p`,
    'event trigger': `
SELECT e.evtname AS name, jsonb_build_object('owner', e.evtowner::regrole, 'function', e.evtfoid::regprocedure)
       || (${row('e', 'evtname,evtowner,evtfoid')}) AS definition
  FROM pg_event_trigger e WHERE ${own('pg_event_trigger', 'e.oid')}`,
    routine: `
SELECT p.oid::regprocedure::text AS name, jsonb_build_object('owner', p.proowner::regrole, 'acl', ${acl('p.proacl', "'f'", 'p.proowner')},
         'definition', CASE WHEN p.prokind <> 'a' THEN pg_get_functiondef(p.oid) END,
         'arguments', pg_get_function_arguments(p.oid), 'result', pg_get_function_result(p.oid), 'kind', p.prokind, 'parallel', p.proparallel) AS definition
  FROM pg_proc p WHERE ${own('pg_proc', 'p.oid')}`,
    aggregate: `
SELECT a.aggfnoid::regprocedure::text AS name, jsonb_build_object('state', a.aggtranstype::regtype, 'moving state', nullif(a.aggmtranstype, 0)::regtype,
         'sort', nullif(a.aggsortop, 0)::regoperator) || (${row('a', 'aggfnoid,aggtranstype,aggmtranstype,aggsortop')}) AS definition
  FROM pg_aggregate a WHERE ${own('pg_proc', 'a.aggfnoid::oid')}`,
    type: `
SELECT t.oid::regtype::text AS name, jsonb_build_object('kind', t.typtype, 'owner', t.typowner::regrole, 'acl', ${acl('t.typacl', "'T'", 't.typowner')},
         'base', nullif(format_type(t.typbasetype, t.typtypmod), '-'), 'not null', t.typnotnull, 'default', t.typdefault,
         'collation', nullif(t.typcollation, 0)::regcollation, 'storage', t.typstorage,
         'labels', (SELECT jsonb_agg(e.enumlabel ORDER BY e.enumsortorder) FROM pg_enum e WHERE e.enumtypid = t.oid),
         'range', (SELECT jsonb_build_object('of', r.rngsubtype::regtype, 'collation', nullif(r.rngcollation, 0)::regcollation,
                            'canonical', r.rngcanonical, 'difference', r.rngsubdiff, 'class', ${identity('pg_opclass', 'r.rngsubopc')},
                            'multirange', to_jsonb(r) ->> 'rngmultitypid' IS NOT NULL)
                     FROM pg_range r WHERE r.rngtypid = t.oid)) AS definition
  FROM pg_type t WHERE ${own('pg_type', 't.oid')}
   -- Neither the types of tables' rows nor those of arrays: they come with what they are of.
   AND NOT EXISTS (SELECT FROM pg_class c WHERE c.oid = t.typrelid AND c.relkind <> 'c')
   AND NOT EXISTS (SELECT FROM pg_type element WHERE element.typarray = t.oid)`,
    cast: `
SELECT ${identity('pg_cast', 'c.oid')} AS name, jsonb_build_object('function', nullif(c.castfunc, 0)::regprocedure,
         'context', c.castcontext, 'method', c.castmethod) AS definition
  FROM pg_cast c WHERE ${own('pg_cast', 'c.oid')}`,
    operator: `
SELECT o.oid::regoperator::text AS name, jsonb_build_object('owner', o.oprowner::regrole, 'commutator', nullif(o.oprcom, 0)::regoperator,
         'negator', nullif(o.oprnegate, 0)::regoperator, 'result', nullif(o.oprresult, 0)::regtype)
       || (${row('o', 'oprname,oprnamespace,oprowner,oprleft,oprright,oprresult,oprcom,oprnegate')}) AS definition
  FROM pg_operator o WHERE ${own('pg_operator', 'o.oid')}`,
    'operator class': `
SELECT ${identity('pg_opclass', 'o.oid')} AS name, jsonb_build_object('owner', o.opcowner::regrole, 'default', o.opcdefault,
         'family', ${identity('pg_opfamily', 'o.opcfamily')}, 'key type', nullif(o.opckeytype, 0)::regtype) AS definition
  FROM pg_opclass o WHERE ${own('pg_opclass', 'o.oid')}`,
    'operator family': `
SELECT ${identity('pg_opfamily', 'f.oid')} AS name, jsonb_build_object('owner', f.opfowner::regrole,
         'operators', (SELECT jsonb_agg(concat_ws(' ', ${identity('pg_amop', 'm.oid')}, m.amopopr::regoperator) ORDER BY m.amopstrategy)
                         FROM pg_amop m WHERE m.amopfamily = f.oid),
         'functions', (SELECT jsonb_agg(concat_ws(' ', ${identity('pg_amproc', 'm.oid')}, m.amproc::regprocedure) ORDER BY m.amprocnum)
                         FROM pg_amproc m WHERE m.amprocfamily = f.oid)) AS definition
  FROM pg_opfamily f WHERE ${own('pg_opfamily', 'f.oid')}`,
    collation: `
SELECT c.oid::regcollation::text AS name, jsonb_build_object('owner', c.collowner::regrole, 'provider', c.collprovider,
         'deterministic', c.collisdeterministic,
         'locale', concat_ws(' ', c.collcollate, c.collctype, to_jsonb(c) ->> 'colliculocale', to_jsonb(c) ->> 'colllocale')) AS definition
  FROM pg_collation c WHERE ${own('pg_collation', 'c.oid')}`,
    conversion: `
SELECT ${identity('pg_conversion', 'c.oid')} AS name, jsonb_build_object('owner', c.conowner::regrole)
       || (${row('c', 'conname,connamespace,conowner')}) AS definition
  FROM pg_conversion c WHERE ${own('pg_conversion', 'c.oid')}`,
    'text search configuration': `
SELECT ${identity('pg_ts_config', 'c.oid')} AS name, jsonb_build_object('owner', c.cfgowner::regrole, 'parser', ${identity('pg_ts_parser', 'c.cfgparser')},
         'map', (SELECT jsonb_agg(concat_ws(' ', m.maptokentype, m.mapseqno, m.mapdict::regdictionary) ORDER BY m.maptokentype, m.mapseqno)
                   FROM pg_ts_config_map m WHERE m.mapcfg = c.oid)) AS definition
  FROM pg_ts_config c WHERE ${own('pg_ts_config', 'c.oid')}`,
    'text search dictionary': `
SELECT ${identity('pg_ts_dict', 'd.oid')} AS name, jsonb_build_object('owner', d.dictowner::regrole,
         'template', ${identity('pg_ts_template', 'd.dicttemplate')}, 'options', d.dictinitoption) AS definition
  FROM pg_ts_dict d WHERE ${own('pg_ts_dict', 'd.oid')}`,
    'text search template': `
SELECT ${identity('pg_ts_template', 't.oid')} AS name, ${row('t', 'tmplname,tmplnamespace')} AS definition
  FROM pg_ts_template t WHERE ${own('pg_ts_template', 't.oid')}`,
    'text search parser': `
SELECT ${identity('pg_ts_parser', 'p.oid')} AS name, ${row('p', 'prsname,prsnamespace')} AS definition
  FROM pg_ts_parser p WHERE ${own('pg_ts_parser', 'p.oid')}`,
    extension: `
SELECT extname AS name, jsonb_build_object('schema', extnamespace::regnamespace${sameVersion ? ", 'version', extversion" : ''},
         'configuration', (SELECT jsonb_agg(c::regclass::text) FROM unnest(extconfig) c), 'conditions', extcondition) AS definition
  FROM pg_extension`,
    'foreign data wrapper': `
SELECT w.fdwname AS name, jsonb_build_object('owner', w.fdwowner::regrole, 'handler', w.fdwhandler::regproc, 'validator', w.fdwvalidator::regproc,
         'options', ${sorted('w.fdwoptions')}, 'acl', ${acl('w.fdwacl', "'F'", 'w.fdwowner')}) AS definition
  FROM pg_foreign_data_wrapper w WHERE ${own('pg_foreign_data_wrapper', 'w.oid')}`,
    'foreign server': `
SELECT s.srvname AS name, jsonb_build_object('owner', s.srvowner::regrole, 'type', s.srvtype, 'version', s.srvversion,
         'wrapper', w.fdwname, 'options', ${sorted('s.srvoptions')}, 'acl', ${acl('s.srvacl', "'S'", 's.srvowner')}) AS definition
  FROM pg_foreign_server s JOIN pg_foreign_data_wrapper w ON w.oid = s.srvfdw`,
    'user mapping': `
SELECT concat_ws(' ', srvname, usename) AS name, to_jsonb(${sorted('umoptions')}) AS definition FROM pg_user_mappings`,
    publication: `
SELECT p.pubname AS name, jsonb_build_object('owner', p.pubowner::regrole,
         'tables', (SELECT jsonb_agg(jsonb_build_object('table', r.prrelid::regclass::text${
           version >= 15
             ? `, 'filter', pg_get_expr(r.prqual, r.prrelid),
                      'columns', (SELECT jsonb_agg(a.attname ORDER BY a.attname) FROM pg_attribute a
                                   WHERE a.attrelid = r.prrelid AND a.attnum = ANY (r.prattrs))`
             : ''
         }) ORDER BY r.prrelid::regclass::text) FROM pg_publication_rel r WHERE r.prpubid = p.oid)
         ${version >= 15 ? ", 'schemas', (SELECT jsonb_agg(n.pnnspid::regnamespace::text ORDER BY n.pnnspid::regnamespace::text) FROM pg_publication_namespace n WHERE n.pnpubid = p.oid)" : ''})
       || (${row('p', `pubname,pubowner${sameVersion ? '' : ',pubgencols'}`)}) AS definition
  FROM pg_publication p`,
    statistics: `
SELECT ${identity('pg_statistic_ext', 's.oid')} AS name, jsonb_build_object('owner', s.stxowner::regrole,
         'definition', pg_get_statisticsobjdef(s.oid), 'target', nullif(s.stxstattarget, -1)) AS definition
  FROM pg_statistic_ext s WHERE NOT EXISTS (SELECT FROM pg_class c WHERE c.oid = s.stxrelid AND c.relpersistence = 't')`,
    'default privileges': `
SELECT ${identity('pg_default_acl', 'd.oid')} AS name, ${acl('d.defaclacl', "'r'", 'd.defaclrole')} AS definition FROM pg_default_acl d`,
    language: `
SELECT l.lanname AS name, jsonb_build_object('owner', l.lanowner::regrole, 'trusted', l.lanpltrusted, 'handler', l.lanplcallfoid::regproc,
         'acl', ${acl('l.lanacl', "'l'", 'l.lanowner')}) AS definition
  FROM pg_language l WHERE l.lanispl`,
    transform: `
SELECT ${sameWords(identity('pg_transform', 't.oid'))} AS name, jsonb_build_object('from', t.trffromsql::regproc, 'to', t.trftosql::regproc) AS definition
  FROM pg_transform t WHERE ${own('pg_transform', 't.oid')}`,
    'access method': `
SELECT a.amname AS name, jsonb_build_object('handler', a.amhandler, 'type', a.amtype) AS definition
  FROM pg_am a WHERE ${own('pg_am', 'a.oid')}`,
    comment: `
SELECT concat_ws(' ', o.type, ${sameWords('o.identity')}) AS name, to_jsonb(d.description) AS definition
  FROM pg_description d CROSS JOIN LATERAL pg_identify_object(d.classoid, d.objoid, d.objsubid) o
 WHERE d.objoid >= 16384 AND d.classoid NOT IN ('pg_largeobject'::regclass, 'pg_extension'::regclass)
   AND NOT EXISTS (SELECT FROM pg_depend e WHERE e.classid = d.classoid AND e.objid = d.objoid AND e.deptype = 'e')
UNION ALL
SELECT concat_ws(' ', 'extension', extname), to_jsonb(obj_description(oid, 'pg_extension')) FROM pg_extension`,
  };
}

/** What a restore does not bring to a moment: properties of the database itself, and whether a materialized view has content. */
const LEFT_OUT = new Set(['database']);

/** Of another session's temporary objects, and of what writes definitions into the log. */
const NAMES_LEFT_OUT = `(^|[ ("])(pg_temp(_[0-9]+)?[.]|${CHANGES_SCHEMA}([._ ]|$))`;

/** All that {@link catalogSql} lists of one server, but for what is no part of a recovery: `kind`, `name` and `definition` as text. */
export function definitionsSql(version: number): string {
  return Object.entries(catalogSql(version, true))
    .filter(([kind]) => !LEFT_OUT.has(kind))
    .map(
      ([kind, sql]) => `
SELECT '${kind}' AS kind, d.name::text AS name, (CASE jsonb_typeof(d.definition) WHEN 'object' THEN d.definition - 'populated' ELSE d.definition END)::text AS definition
  FROM (${sql}) AS d WHERE d.name::text !~ '${NAMES_LEFT_OUT}'`,
    )
    .join('\nUNION ALL');
}

/** A hash over the definitions of each kind. */
export const definitionHashesSql = (version: number): string => `
SELECT kind, encode(sha256(convert_to(string_agg(name || ' ' || coalesce(definition, ''), E'\\n' ORDER BY name, definition), getdatabaseencoding())), 'hex') AS hash
  FROM (${definitionsSql(version)}) AS all_of_them
 GROUP BY kind ORDER BY kind`;

/** Catalogs that have a row for each object, or part of one, with what of a row tells it from others, and which rows are of nothing temporary. */
const CATALOGS: readonly (readonly [catalog: string, key: string, only?: string])[] = [
  ['pg_class', 'r.oid', "r.relpersistence <> 't'"],
  [
    'pg_attribute',
    'r.attrelid',
    "EXISTS (SELECT FROM pg_class c WHERE c.oid = r.attrelid AND c.relpersistence <> 't')",
  ],
  [
    'pg_index',
    'r.indexrelid',
    "EXISTS (SELECT FROM pg_class c WHERE c.oid = r.indexrelid AND c.relpersistence <> 't')",
  ],
  ['pg_attrdef', 'r.oid'],
  ['pg_constraint', 'r.oid'],
  ['pg_inherits', 'r.inhrelid'],
  ['pg_trigger', 'r.oid'],
  ['pg_rewrite', 'r.oid'],
  ['pg_policy', 'r.oid'],
  ['pg_proc', 'r.oid'],
  ['pg_aggregate', 'r.aggfnoid::oid'],
  ['pg_type', 'r.oid', "r.typnamespace NOT IN (SELECT oid FROM pg_namespace WHERE nspname ~ '^pg_(toast_)?temp_')"],
  ['pg_enum', 'r.oid'],
  ['pg_range', 'r.rngtypid'],
  ['pg_namespace', 'r.oid', "r.nspname !~ '^pg_(toast_)?temp_'"],
  ['pg_sequence', 'r.seqrelid'],
  ['pg_event_trigger', 'r.oid'],
  ['pg_extension', 'r.oid'],
  ['pg_cast', 'r.oid'],
  ['pg_operator', 'r.oid'],
  ['pg_opclass', 'r.oid'],
  ['pg_opfamily', 'r.oid'],
  ['pg_amop', 'r.oid'],
  ['pg_amproc', 'r.oid'],
  ['pg_am', 'r.oid'],
  ['pg_collation', 'r.oid'],
  ['pg_conversion', 'r.oid'],
  ['pg_language', 'r.oid'],
  ['pg_transform', 'r.oid'],
  ['pg_ts_config', 'r.oid'],
  ['pg_ts_config_map', 'r.mapcfg'],
  ['pg_ts_dict', 'r.oid'],
  ['pg_ts_parser', 'r.oid'],
  ['pg_ts_template', 'r.oid'],
  ['pg_foreign_data_wrapper', 'r.oid'],
  ['pg_foreign_server', 'r.oid'],
  ['pg_foreign_table', 'r.ftrelid'],
  ['pg_partitioned_table', 'r.partrelid'],
  ['pg_publication', 'r.oid'],
  ['pg_publication_rel', 'r.oid'],
  ['pg_statistic_ext', 'r.oid'],
  ['pg_default_acl', 'r.oid'],
  ['pg_description', 'r.objoid'],
];

/**
 * One number that is another one after any of these catalogs was written to, for a fraction of what it takes to read definitions: each row
 * has the number of the transaction that wrote it.
 */
export const catalogFingerprintSql = `
SELECT sum(f.number)::text AS fingerprint
  FROM (${CATALOGS.map(
    ([catalog, key, only = 'true'], index) =>
      `SELECT count(*) * ${(index + 1) * 7919}::numeric + coalesce(sum(hashint8extended(${key}::int8 * 4294967296 + r.xmin::text::int8, ${index})::numeric), 0) AS number FROM ${catalog} r WHERE ${only}`,
  ).join('\n        UNION ALL ')}) AS f`;
