/** Event triggers as the first version created them, which did not sign: databases that have them are upgraded. */
export const firstEventTriggersSql = `
CREATE SCHEMA dbms_changes;
COMMENT ON SCHEMA dbms_changes IS 'Writes changes of definitions into the log, for point-in-time recovery';
GRANT USAGE ON SCHEMA dbms_changes TO PUBLIC;

CREATE FUNCTION dbms_changes.tell(event text, tag text, context text, path text) RETURNS void
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
  PERFORM pg_logical_emit_message(true, 'dbms_changes', (details || jsonb_build_object(
    'event', event, 'tag', tag, 'nested', context LIKE E'%\\n%', 'role', current_user,
    'settings', (SELECT jsonb_object_agg(name, current_setting(name))
                   FROM unnest(ARRAY['TimeZone', 'DateStyle', 'IntervalStyle', 'xmloption', 'standard_conforming_strings',
                                     'default_table_access_method', 'default_tablespace']) AS name)
                || jsonb_build_object('search_path', path),
    'query', current_query()))::text);
END
$function$;

CREATE FUNCTION dbms_changes.note() RETURNS event_trigger LANGUAGE plpgsql AS $function$
DECLARE
  context text;
BEGIN
  GET DIAGNOSTICS context = PG_CONTEXT;
  PERFORM dbms_changes.tell(TG_EVENT, TG_TAG, context, pg_catalog.current_setting('search_path'));
END
$function$;
CREATE EVENT TRIGGER dbms_changes_start ON ddl_command_start WHEN TAG IN ('CREATE TABLE AS', 'SELECT INTO', 'CREATE MATERIALIZED VIEW', 'CREATE EXTENSION', 'ALTER EXTENSION') EXECUTE FUNCTION dbms_changes.note();
CREATE EVENT TRIGGER dbms_changes_end ON ddl_command_end EXECUTE FUNCTION dbms_changes.note();
CREATE EVENT TRIGGER dbms_changes_drop ON sql_drop EXECUTE FUNCTION dbms_changes.note();
CREATE EVENT TRIGGER dbms_changes_rewrite ON table_rewrite EXECUTE FUNCTION dbms_changes.note();
ALTER EVENT TRIGGER dbms_changes_start ENABLE ALWAYS;
ALTER EVENT TRIGGER dbms_changes_end ENABLE ALWAYS;
ALTER EVENT TRIGGER dbms_changes_drop ENABLE ALWAYS;
ALTER EVENT TRIGGER dbms_changes_rewrite ENABLE ALWAYS`;
