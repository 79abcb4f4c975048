import { CHANGES_SCHEMA } from '../../postgres/own-schema.ts';
import { rightsSql } from './rights.sql.ts';

/** Prefix of the messages in the log. */
export const MESSAGE_PREFIX = 'dbms_changes';

/** What the content of a signed message begins with; its signature and its text follow. Those of the first version are JSON alone. */
export const SIGNED_MARK = '2 ';

/** Settings of the session beside its search path that decide what a command means. */
export const COMMAND_SETTINGS = [
  'TimeZone',
  'DateStyle',
  'IntervalStyle',
  'xmloption',
  'standard_conforming_strings',
  'default_table_access_method',
  'default_tablespace',
] as const;

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
  'Writes changes of definitions into the log, for point-in-time recovery (version 2: signed)';

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
 * its own, as it reads the command's, so all that it names is qualified. The inner one has a path, so that nobody's operators are run.
 * Nothing is told of temporary objects, or of what the script of an extension does.
 */
const functionsSql = `
CREATE SCHEMA ${CHANGES_SCHEMA};
COMMENT ON SCHEMA ${CHANGES_SCHEMA} IS '${TRIGGERS_COMMENT}';
${keySql};

CREATE FUNCTION ${CHANGES_SCHEMA}.tell(event text, tag text, context text, path text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $function$
DECLARE
  passing boolean;
  details jsonb := '{}';
  acting name := CASE current_setting('role') WHEN 'none' THEN session_user ELSE current_setting('role') END;
  signed text;
  signature text;
BEGIN
  IF event = 'ddl_command_end' THEN
    IF (tag LIKE 'DROP %' AND tag <> 'DROP OWNED') OR tag = 'REFRESH MATERIALIZED VIEW' THEN RETURN; END IF;
    SELECT count(*) > 0 AND bool_and(coalesce(schema_name, '') = 'pg_temp' OR in_extension) INTO passing
      FROM pg_event_trigger_ddl_commands();
    IF passing THEN RETURN; END IF;
    SELECT jsonb_build_object(
             'views', (SELECT coalesce(jsonb_agg(object_identity), '[]') FROM pg_event_trigger_ddl_commands()
                        WHERE object_type = 'materialized view'),
             'missing', coalesce(jsonb_agg(jsonb_build_object(
               'schema', n.nspname, 'table', c.relname, 'column', a.attname, 'value', (a.attmissingval::text::text[])[1])), '[]'))
      INTO details
      FROM pg_class c
      JOIN pg_namespace n ON n.oid = c.relnamespace
      JOIN pg_attribute a ON a.attrelid = c.oid
     WHERE c.oid IN (SELECT objid FROM pg_event_trigger_ddl_commands() WHERE classid = 'pg_class'::regclass)
       AND a.atthasmissing AND NOT a.attisdropped;
  ELSIF event = 'sql_drop' THEN
    IF tag NOT LIKE 'DROP %' OR tag = 'DROP OWNED' THEN RETURN; END IF;
    SELECT bool_and(is_temporary), jsonb_build_object('mixed', bool_or(is_temporary)) INTO passing, details
      FROM pg_event_trigger_dropped_objects() WHERE original;
    IF passing THEN RETURN; END IF;
  ELSIF event = 'table_rewrite' THEN
    SELECT c.relpersistence = 't', jsonb_build_object('reason', pg_event_trigger_table_rewrite_reason(),
                                                      'schema', n.nspname, 'table', c.relname)
      INTO passing, details
      FROM pg_class c
      JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE c.oid = pg_event_trigger_table_rewrite_oid();
    IF passing THEN RETURN; END IF;
  END IF;
  details := details || jsonb_build_object(
    'id', gen_random_uuid(), 'xid', pg_current_xact_id()::text, 'oversized', false,
    'event', event, 'tag', tag, 'nested', context LIKE E'%\\n%', 'role', acting, 'rights', ${rightsSql('acting')},
    'database_owner', (SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = current_database()),
    'settings', (SELECT jsonb_object_agg(s.name, current_setting(s.name))
                   FROM unnest(ARRAY['${COMMAND_SETTINGS.join("', '")}']) AS s(name))
                || jsonb_build_object('search_path', path),
    'query', current_query());
  signed := details::text;
  IF octet_length(signed) > ${MAX_MESSAGE_BYTES} THEN
    signed := (details || jsonb_build_object('oversized', true, 'query', left(current_query(), 1000))
               || CASE event WHEN 'ddl_command_end' THEN '{"views": [], "missing": []}' ELSE '{}' END::jsonb)::text;
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
  PERFORM ${CHANGES_SCHEMA}.tell(TG_EVENT, TG_TAG, context, pg_catalog.current_setting('search_path'));
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
