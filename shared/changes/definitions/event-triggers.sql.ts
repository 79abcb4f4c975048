import { CHANGES_SCHEMA } from '../../postgres/own-schema.ts';
import { FOLLOWED_SETTINGS } from './command-settings.ts';
import { aclChangesSql, isUnchangedSql, lastingSql } from './effects.sql.ts';
import { rightsSql } from './rights.sql.ts';

/** Prefix of the messages in the log. */
export const MESSAGE_PREFIX = 'dbms_changes';

/** What the content of a signed message begins with; its signature and its text follow. Those of the first version are JSON alone. */
export const SIGNED_MARK = '2 ';

/** Says, within a transaction, that something was dropped by another command than DROP. */
const DROPPED_SETTING = 'dbms_changes.dropped';

/** Commands whose rows come before the event that ends them, so they are told when they begin as well. */
export const TOLD_AT_START = [
  'CREATE TABLE AS',
  'SELECT INTO',
  'CREATE MATERIALIZED VIEW',
  'CREATE EXTENSION',
  'ALTER EXTENSION',
] as const;

const EVENT_TRIGGERS = {
  dbms_changes_start: 'ddl_command_start',
  dbms_changes_end: 'ddl_command_end',
  dbms_changes_drop: 'sql_drop',
  dbms_changes_rewrite: 'table_rewrite',
} as const;

export const eventTriggerNames: readonly string[] = Object.keys(EVENT_TRIGGERS);

/** What the comment of the schema says: event triggers of any other version are replaced; see `setup/definition-triggers.ts`. */
export const TRIGGERS_COMMENT =
  'Writes changes of definitions into the log, for point-in-time recovery (version 3: by effect)';

/** Longer messages are told without their text. Escaped as COPY text they are at most twice as long. */
const MAX_MESSAGE_BYTES = 2_000_000;

/**
 * The key of the messages' signatures: two parts of 64 bytes, which is a block of SHA-256. A materialized view can be published by no
 * publication, is safe from crashes, and its definition tells nothing. It is filled by a refresh, whose rows no plugin decodes, and any
 * later refresh gives the same key. Whoever creates it may have default privileges that give others a right to it: they are taken away
 * before there is a key.
 */
const keySql = `
CREATE FUNCTION ${CHANGES_SCHEMA}.make_key(OUT inner_key bytea, OUT outer_key bytea)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $function$
BEGIN
  SELECT k.inner_key, k.outer_key INTO inner_key, outer_key FROM ${CHANGES_SCHEMA}.key AS k;
  IF inner_key IS NULL THEN
    inner_key := uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid());
    outer_key := uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid());
  END IF;
END
$function$;

CREATE MATERIALIZED VIEW ${CHANGES_SCHEMA}.key AS SELECT inner_key, outer_key FROM ${CHANGES_SCHEMA}.make_key() WITH NO DATA`;

const withoutGrantsSql = `
REVOKE ALL ON SCHEMA ${CHANGES_SCHEMA} FROM PUBLIC;
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA ${CHANGES_SCHEMA} FROM PUBLIC;
REVOKE ALL ON ${CHANGES_SCHEMA}.key FROM PUBLIC;

DO $block$
DECLARE
  granted record;
BEGIN
  FOR granted IN
    SELECT DISTINCT pg_catalog.quote_ident(r.rolname) AS grantee
      FROM (SELECT nspacl, nspowner FROM pg_catalog.pg_namespace WHERE nspname = '${CHANGES_SCHEMA}'
            UNION ALL
            SELECT relacl, relowner FROM pg_catalog.pg_class WHERE relnamespace = '${CHANGES_SCHEMA}'::regnamespace
            UNION ALL
            SELECT proacl, proowner FROM pg_catalog.pg_proc WHERE pronamespace = '${CHANGES_SCHEMA}'::regnamespace) AS o(acl, owner),
           pg_catalog.aclexplode(o.acl) AS e
      JOIN pg_catalog.pg_roles r ON r.oid = e.grantee
     WHERE e.grantee <> o.owner
  LOOP
    EXECUTE 'REVOKE ALL ON SCHEMA ${CHANGES_SCHEMA} FROM ' || granted.grantee;
    EXECUTE 'REVOKE ALL ON ALL FUNCTIONS IN SCHEMA ${CHANGES_SCHEMA} FROM ' || granted.grantee;
    EXECUTE 'REVOKE ALL ON ALL TABLES IN SCHEMA ${CHANGES_SCHEMA} FROM ' || granted.grantee;
  END LOOP;
END
$block$;

REFRESH MATERIALIZED VIEW ${CHANGES_SCHEMA}.key`;

/**
 * What writes changes of definitions into the log, within their transactions. Nobody calls it: an event trigger's function cannot be
 * called, and the other one by its owner alone. The outer function runs as its owner, who alone reads the key; it has no search path of
 * its own, as it reads the command's settings, so all that it names is qualified. The inner one has a path, so that nobody's operators are
 * run, and settings in which texts of values are exact.
 *
 * Nothing is told of what leaves nothing behind, whoever ran it: of temporary objects, of what the script of an extension does, of large
 * objects, of indexes that are not valid, and of commands that found all as they wanted it.
 */
const functionsSql = `
CREATE SCHEMA ${CHANGES_SCHEMA};
COMMENT ON SCHEMA ${CHANGES_SCHEMA} IS '${TRIGGERS_COMMENT}';
${keySql};

CREATE FUNCTION ${CHANGES_SCHEMA}.tell(event text, tag text, context text, settings jsonb) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET TimeZone = 'UTC' SET DateStyle = 'ISO, MDY' SET IntervalStyle = 'postgres'
  SET extra_float_digits = 3 SET bytea_output = 'hex' SET lc_monetary = 'C' SET quote_all_identifiers = off SET xmlbinary = 'base64'
AS $function$
DECLARE
  details jsonb := '{}';
  dropped boolean := coalesce(current_setting('${DROPPED_SETTING}', true), '') <> '';
  listed bigint;
  lasting bigint;
  since xid := pg_current_xact_id_if_assigned()::text::xid;
  acting name := CASE current_setting('role') WHEN 'none' THEN session_user ELSE current_setting('role') END;
  signed text;
  signature text;
BEGIN
  IF event = 'ddl_command_end' THEN
    IF (tag LIKE 'DROP %' AND tag <> 'DROP OWNED') OR tag = 'REFRESH MATERIALIZED VIEW' OR since IS NULL THEN RETURN; END IF;
    ${lastingSql('listed', 'lasting')}
    IF tag IN ('GRANT', 'REVOKE') THEN
      details := details || jsonb_build_object('acls', ${aclChangesSql('since')});
      IF details -> 'acls' = '[]' THEN RETURN; END IF;
    ELSIF tag <> 'DROP OWNED' AND NOT dropped AND (lasting = 0 OR ${isUnchangedSql('tag', 'since')}) THEN
      RETURN;
    ELSIF listed > 0 AND lasting = 0 THEN
      RETURN;
    END IF;
    details := details || (SELECT jsonb_build_object(
             'views', (SELECT coalesce(jsonb_agg(object_identity), '[]') FROM pg_event_trigger_ddl_commands()
                        WHERE object_type = 'materialized view'),
             'missing', coalesce(jsonb_agg(jsonb_build_object(
               'schema', n.nspname, 'table', c.relname, 'column', a.attname, 'value', (a.attmissingval::text::text[])[1])), '[]'))
      FROM pg_class c
      JOIN pg_namespace n ON n.oid = c.relnamespace
      JOIN pg_attribute a ON a.attrelid = c.oid
     WHERE c.oid IN (SELECT objid FROM pg_event_trigger_ddl_commands() WHERE classid = 'pg_class'::regclass)
       AND a.atthasmissing AND NOT a.attisdropped AND age(a.xmin) <= age(since));
  ELSIF event = 'sql_drop' THEN
    IF tag NOT LIKE 'DROP %' OR tag = 'DROP OWNED' THEN RETURN; END IF;
    SELECT count(*), count(*) FILTER (WHERE NOT is_temporary AND NOT coalesce(address_names[1] = 'pg_temp', false)),
           jsonb_build_object('dropped', coalesce(jsonb_agg(object_identity), '[]'))
      INTO listed, lasting, details
      FROM pg_event_trigger_dropped_objects() WHERE original;
    IF listed > 0 AND lasting = 0 THEN RETURN; END IF;
    details := details || jsonb_build_object('mixed', listed > lasting);
  ELSIF event = 'table_rewrite' THEN
    SELECT CASE WHEN c.relpersistence = 't' THEN 0 ELSE 1 END,
           jsonb_build_object('reason', pg_event_trigger_table_rewrite_reason(), 'schema', n.nspname, 'table', c.relname,
                              'bytes', pg_relation_size(c.oid))
      INTO lasting, details
      FROM pg_class c
      JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE c.oid = pg_event_trigger_table_rewrite_oid();
    IF lasting = 0 THEN RETURN; END IF;
  END IF;
  details := details || jsonb_build_object(
    'id', gen_random_uuid(), 'xid', pg_current_xact_id()::text, 'oversized', false, 'exact', true,
    'event', event, 'tag', tag, 'nested', context LIKE E'%\\n%', 'role', acting, 'rights', ${rightsSql('acting')},
    'database_owner', (SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = current_database()),
    'settings', settings,
    'temporary', (SELECT coalesce(jsonb_agg(DISTINCT t.name), '[]')
                    FROM (SELECT relname AS name FROM pg_class WHERE relnamespace = pg_my_temp_schema()
                          UNION ALL SELECT typname FROM pg_type WHERE typnamespace = pg_my_temp_schema() AND typelem = 0) AS t
                   WHERE position(lower(t.name) IN lower(current_query())) > 0),
    'query', current_query());
  signed := details::text;
  IF octet_length(signed) > ${MAX_MESSAGE_BYTES} THEN
    signed := (details || jsonb_build_object('oversized', true, 'query', left(current_query(), 1000), 'temporary', '[]'::jsonb)
               || CASE event WHEN 'ddl_command_end' THEN '{"views": [], "missing": [], "acls": []}'
                             WHEN 'sql_drop' THEN '{"dropped": []}' ELSE '{}' END::jsonb)::text;
  END IF;
  BEGIN
    SELECT encode(sha256(k.outer_key || sha256(k.inner_key || convert_to(signed, getdatabaseencoding()))), 'hex')
      INTO STRICT signature FROM ${CHANGES_SCHEMA}.key AS k;
  EXCEPTION WHEN undefined_table OR object_not_in_prerequisite_state OR no_data_found THEN
    -- Commands go on without a key; the next capture notices that it is gone.
    signature := 'unsigned';
  END;
  PERFORM pg_logical_emit_message(true, '${MESSAGE_PREFIX}', '${SIGNED_MARK}' || signature || ' ' || signed);
END
$function$;

CREATE FUNCTION ${CHANGES_SCHEMA}.note() RETURNS event_trigger LANGUAGE plpgsql SECURITY DEFINER AS $function$
DECLARE
  context pg_catalog.text;
BEGIN
  GET DIAGNOSTICS context = PG_CONTEXT;
  IF TG_EVENT OPERATOR(pg_catalog.=) 'sql_drop'
     AND (TG_TAG OPERATOR(pg_catalog.!~~) 'DROP %' OR TG_TAG OPERATOR(pg_catalog.=) 'DROP OWNED') THEN
    PERFORM pg_catalog.set_config('${DROPPED_SETTING}', 'on', true);
  END IF;
  PERFORM ${CHANGES_SCHEMA}.tell(TG_EVENT, TG_TAG, context, pg_catalog.jsonb_strip_nulls(pg_catalog.jsonb_build_object(
    ${FOLLOWED_SETTINGS.map((name) => `'${name}', pg_catalog.current_setting('${name}', true)`).join(',\n    ')})));
END
$function$;
${withoutGrantsSql}`;

/** The schema, the functions and the event triggers, as one script. They fire whatever role the session's replication has. */
export const createEventTriggersSql = [
  functionsSql,
  ...Object.entries(EVENT_TRIGGERS).map(([name, event]) => {
    const tags = event === 'ddl_command_start' ? ` WHEN TAG IN ('${TOLD_AT_START.join("', '")}')` : '';
    return `CREATE EVENT TRIGGER ${name} ON ${event}${tags} EXECUTE FUNCTION ${CHANGES_SCHEMA}.note()`;
  }),
  ...eventTriggerNames.map((name) => `ALTER EVENT TRIGGER ${name} ENABLE ALWAYS`),
].join(';\n');

/** Fires no event trigger, whoever's it is. */
export const dropOnlyTriggersSql = eventTriggerNames.map((name) => `DROP EVENT TRIGGER IF EXISTS ${name}`).join(';\n');

/** When the event triggers are gone. */
export const dropChangesSchemaSql = `DROP SCHEMA IF EXISTS ${CHANGES_SCHEMA} CASCADE`;

/** Leaves nothing behind. Event triggers go first: they would tell of what follows. */
export const dropEventTriggersSql = [dropOnlyTriggersSql, dropChangesSchemaSql].join(';\n');

/** Names of those that are there. */
export const presentEventTriggersSql =
  'SELECT evtname AS name FROM pg_catalog.pg_event_trigger WHERE evtname = ANY ($1)';

/** Whether all are there and fire, of which version they are, and whether this login reads their key. */
export const triggerSetupSql = `
SELECT pg_catalog.obj_description(n.oid, 'pg_namespace') AS comment,
       (SELECT pg_catalog.count(*)::int
          FROM pg_catalog.pg_event_trigger t
          JOIN pg_catalog.pg_proc p ON p.oid = t.evtfoid
         WHERE t.evtname = ANY ($1) AND t.evtenabled = 'A' AND p.pronamespace = n.oid) AS firing,
       coalesce(k.relispopulated, false) AS has_key,
       coalesce(pg_catalog.has_schema_privilege(n.oid, 'USAGE') AND pg_catalog.has_table_privilege(k.oid, 'SELECT'), false) AS reads_key
  FROM (SELECT) AS one
  LEFT JOIN pg_catalog.pg_namespace n ON n.nspname = '${CHANGES_SCHEMA}'
  LEFT JOIN pg_catalog.pg_class k ON k.relnamespace = n.oid AND k.relname = 'key' AND k.relkind = 'm'`;

/** The key, in hexadecimal digits. */
export const readKeySql = `
SELECT pg_catalog.encode(inner_key, 'hex') AS inner, pg_catalog.encode(outer_key, 'hex') AS outer FROM ${CHANGES_SCHEMA}.key`;
