/** Functions that Aurora refuses on every instance, with the views that read them. */
const unsupported: Readonly<Record<string, string | null>> = {
  pg_last_wal_receive_lsn: null,
  pg_last_wal_replay_lsn: null,
  pg_last_xact_replay_timestamp: null,
  pg_ls_waldir: null,
  pg_stat_get_wal: 'pg_stat_wal',
  pg_stat_get_wal_receiver: 'pg_stat_wal_receiver',
};

/** Functions that Aurora refuses while rds.logical_replication is 0. */
const needLogical = ['pg_current_wal_lsn', 'pg_current_wal_insert_lsn', 'pg_current_wal_flush_lsn'];

/**
 * Replaces functions by those that refuse as Aurora does. The server finds its built-in functions by number, whatever the catalog says
 * of them: so they are renamed, others take their names, and views that read them are made anew.
 */
export const auroraSql = `
DO $simulation$
DECLARE
  refused record;
  arguments text;
  result text;
  definition text;
BEGIN
  FOR refused IN
    SELECT p.oid, p.proname AS name, given.view_name, given.kind
      FROM (VALUES ${[
        ...Object.entries(unsupported).map(
          ([name, view]) => `('${name}', ${view === null ? 'NULL' : `'${view}'`}, 'unsupported')`,
        ),
        ...needLogical.map((name) => `('${name}', NULL, 'logical')`),
      ].join(',\n                   ')}) AS given (name, view_name, kind)
      JOIN pg_catalog.pg_proc p ON p.proname = given.name AND p.pronamespace = 'pg_catalog'::regnamespace
  LOOP
    arguments := pg_catalog.pg_get_function_arguments(refused.oid);
    result := pg_catalog.pg_get_function_result(refused.oid);
    IF refused.view_name IS NOT NULL THEN
      definition := pg_catalog.pg_get_viewdef(pg_catalog.format('pg_catalog.%I', refused.view_name)::regclass);
    END IF;
    EXECUTE pg_catalog.format('ALTER FUNCTION pg_catalog.%I(%s) RENAME TO %I', refused.name,
                              pg_catalog.pg_get_function_identity_arguments(refused.oid), refused.name || '_of_postgresql');
    IF refused.kind = 'unsupported' THEN
      EXECUTE pg_catalog.format(
        $function$CREATE FUNCTION pg_catalog.%I(%s) RETURNS %s LANGUAGE plpgsql AS $body$BEGIN
          RAISE EXCEPTION USING ERRCODE = 'feature_not_supported', MESSAGE = 'Function %s() is currently not supported for Aurora';
        END$body$$function$, refused.name, arguments, result, refused.name);
    ELSE
      EXECUTE pg_catalog.format(
        $function$CREATE FUNCTION pg_catalog.%I(%s) RETURNS %s LANGUAGE plpgsql AS $body$BEGIN
          IF pg_catalog.current_setting('wal_level') <> 'logical' AND NOT pg_catalog.pg_is_in_recovery() THEN
            RAISE EXCEPTION 'wal_level must be set to ''logical'''
              USING ERRCODE = '55000', HINT = 'WAL control functions cannot be executed when wal_level < logical.';
          END IF;
          RETURN pg_catalog.%I();
        END$body$$function$, refused.name, arguments, result, refused.name || '_of_postgresql');
    END IF;
    IF refused.view_name IS NOT NULL THEN
      EXECUTE pg_catalog.format('CREATE OR REPLACE VIEW pg_catalog.%I AS %s', refused.view_name, definition);
    END IF;
  END LOOP;
END $simulation$;

CREATE FUNCTION pg_catalog.aurora_version() RETURNS text STABLE LANGUAGE sql
  AS $$ SELECT pg_catalog.current_setting('simulation.aurora_version') $$;

CREATE FUNCTION pg_catalog.aurora_db_instance_identifier() RETURNS text STABLE LANGUAGE sql
  AS $$ SELECT pg_catalog.current_setting('simulation.instance') $$;

CREATE FUNCTION pg_catalog.aurora_replica_status(
  OUT server_id text, OUT session_id text, OUT durable_lsn bigint, OUT highest_lsn_rcvd bigint, OUT current_read_lsn bigint,
  OUT cur_replay_latency_in_usec bigint, OUT active_txns int, OUT is_current boolean, OUT last_transport_error int,
  OUT last_error_timestamp timestamptz, OUT last_update_timestamp timestamptz, OUT feedback_xmin xid, OUT feedback_epoch int,
  OUT replica_lag_in_msec real, OUT log_stream_speed_in_kib_per_second real, OUT log_buffer_sequence_number bigint,
  OUT oldest_read_view_trx_id bigint, OUT oldest_read_view_lsn bigint, OUT pending_read_ios int, OUT read_ios int, OUT iops int, OUT cpu real)
RETURNS SETOF record STABLE LANGUAGE sql AS $$
  SELECT pg_catalog.split_part(member, '=', 1),
         CASE pg_catalog.split_part(member, '=', 2) WHEN 'writer' THEN 'MASTER_SESSION_ID' ELSE pg_catalog.md5(member) END,
         0::bigint, NULL::bigint, NULL::bigint, NULL::bigint, 0, true, 0, NULL::timestamptz, pg_catalog.now(), NULL::xid, NULL::int,
         CASE pg_catalog.split_part(member, '=', 2) WHEN 'writer' THEN NULL ELSE 20 END::real, NULL::real, NULL::bigint, NULL::bigint,
         NULL::bigint, NULL::int, NULL::int, NULL::int, NULL::real
    FROM pg_catalog.unnest(pg_catalog.string_to_array(pg_catalog.current_setting('simulation.members'), ',')) AS member
$$;`;
