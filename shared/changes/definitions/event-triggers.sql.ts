import { CHANGES_SCHEMA } from '../../postgres/own-schema.ts';

/** Prefix of the messages in the log. */
export const MESSAGE_PREFIX = 'dbms_changes';

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

/**
 * What writes changes of definitions into the log, within their transactions. The outer function reads what the inner one's own
 * search path would hide; the inner one has that, so that nobody's operators are run by whoever changes a definition.
 * Nothing is told of temporary objects, or of what the script of an extension does.
 */
const functionsSql = `
CREATE SCHEMA ${CHANGES_SCHEMA};
COMMENT ON SCHEMA ${CHANGES_SCHEMA} IS 'Writes changes of definitions into the log, for point-in-time recovery';
GRANT USAGE ON SCHEMA ${CHANGES_SCHEMA} TO PUBLIC;

CREATE FUNCTION ${CHANGES_SCHEMA}.tell(event text, tag text, context text, path text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $function$
DECLARE
  passing boolean;
  details jsonb := '{}';
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
    SELECT relpersistence = 't', jsonb_build_object('reason', pg_event_trigger_table_rewrite_reason(),
                                                    'schema', relnamespace::regnamespace::text, 'table', relname)
      INTO passing, details
      FROM pg_class WHERE oid = pg_event_trigger_table_rewrite_oid();
    IF passing THEN RETURN; END IF;
  END IF;
  PERFORM pg_logical_emit_message(true, '${MESSAGE_PREFIX}', (details || jsonb_build_object(
    'event', event, 'tag', tag, 'nested', context LIKE E'%\\n%', 'role', current_user,
    'settings', (SELECT jsonb_object_agg(name, current_setting(name))
                   FROM unnest(ARRAY['TimeZone', 'DateStyle', 'IntervalStyle', 'xmloption', 'standard_conforming_strings',
                                     'default_table_access_method', 'default_tablespace']) AS name)
                || jsonb_build_object('search_path', path),
    'query', current_query()))::text);
END
$function$;

CREATE FUNCTION ${CHANGES_SCHEMA}.note() RETURNS event_trigger LANGUAGE plpgsql AS $function$
DECLARE
  context text;
BEGIN
  GET DIAGNOSTICS context = PG_CONTEXT;
  PERFORM ${CHANGES_SCHEMA}.tell(TG_EVENT, TG_TAG, context, pg_catalog.current_setting('search_path'));
END
$function$`;

/** The schema, the functions and the event triggers, as one script. They fire whatever role the session's replication has. */
export const createEventTriggersSql = [
  functionsSql,
  ...Object.entries(EVENT_TRIGGERS).map(([name, event]) => {
    const tags = event === 'ddl_command_start' ? ` WHEN TAG IN ('${TOLD_AT_START.join("', '")}')` : '';
    return `CREATE EVENT TRIGGER ${name} ON ${event}${tags} EXECUTE FUNCTION ${CHANGES_SCHEMA}.note()`;
  }),
  ...eventTriggerNames.map((name) => `ALTER EVENT TRIGGER ${name} ENABLE ALWAYS`),
].join(';\n');

/** Leaves nothing behind. Event triggers go first: they would tell of what follows. */
export const dropEventTriggersSql = [
  ...eventTriggerNames.map((name) => `DROP EVENT TRIGGER IF EXISTS ${name}`),
  `DROP SCHEMA IF EXISTS ${CHANGES_SCHEMA} CASCADE`,
].join(';\n');

/** Names of those that are there. */
export const presentEventTriggersSql =
  'SELECT evtname AS name FROM pg_catalog.pg_event_trigger WHERE evtname = ANY ($1)';
