import { CHANGES_SCHEMA } from '../../postgres/own-schema.ts';

/** What of the server and the login decides whether changes can be captured; `$1` begins the names of slots that are dropped before another is created. */
export const capabilitiesSql = `
SELECT pg_catalog.current_setting('wal_level') AS wal_level,
       pg_catalog.pg_is_in_recovery() AS in_recovery,
       pg_catalog.current_setting('max_replication_slots')::int AS slots,
       (SELECT pg_catalog.count(*)::int FROM pg_catalog.pg_replication_slots
         WHERE NOT ($1::text IS NOT NULL AND database = pg_catalog.current_database() AND plugin = 'test_decoding'
                    AND pg_catalog.starts_with(slot_name, $1))) AS used_slots,
       pg_catalog.current_setting('max_slot_wal_keep_size') AS keep_size,
       pg_catalog.current_setting('rds.iam_auth_for_replication', true) AS iam_streaming,
       r.rolname AS login,
       r.rolsuper OR r.rolreplication OR EXISTS (
         SELECT FROM pg_catalog.pg_roles g
          WHERE g.rolname = 'rds_replication' AND pg_catalog.pg_has_role(r.oid, g.oid, 'MEMBER')) AS may_replicate,
       r.rolsuper OR EXISTS (
         SELECT FROM pg_catalog.pg_roles g
          WHERE g.rolname = 'rds_superuser' AND pg_catalog.pg_has_role(r.oid, g.oid, 'MEMBER')) AS may_create_event_triggers,
       pg_catalog.has_database_privilege(pg_catalog.current_database(), 'CREATE') AS may_create_schemas,
       pg_catalog.current_database() AS database
  FROM pg_catalog.pg_roles r
 WHERE r.rolname = current_user`;

/**
 * What the stored changes do not cover exactly: tables whose rows cannot be told apart, tables that are not in the log, rows that
 * are on other servers, and large objects.
 */
export const coverageSql = `
SELECT n.nspname AS schema, c.relname AS name,
       CASE WHEN c.relkind = 'f' THEN 'foreign'
            WHEN c.relpersistence = 'u' THEN 'unlogged'
            ELSE 'no_replica_identity' END AS reason
  FROM pg_catalog.pg_class c
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname NOT LIKE 'pg\\_toast%' AND n.nspname NOT LIKE 'pg\\_temp\\_%'
   AND (c.relkind = 'f'
        OR (c.relkind = 'r' AND c.relpersistence = 'u')
        OR (c.relkind = 'r' AND c.relpersistence = 'p' AND c.relreplident <> 'f'
            AND pg_catalog.pg_get_replica_identity_index(c.oid) IS NULL))
UNION ALL
SELECT NULL, pg_catalog.count(*)::text, 'large_objects'
  FROM pg_catalog.pg_largeobject_metadata
HAVING pg_catalog.count(*) > 0
 ORDER BY 1, 2`;

/** Transactions that a slot waits for, be they of any database of the server, the oldest first; those that were prepared have no session. */
export const runningTransactionsSql = `
SELECT 'session ' || pid || coalesce(' of ' || usename, '') AS name, xact_start AS since, NULL AS prepared
  FROM pg_catalog.pg_stat_activity
 WHERE backend_xid IS NOT NULL AND pid <> pg_catalog.pg_backend_pid()
UNION ALL
SELECT 'prepared transaction ' || pg_catalog.quote_literal(gid) || ' of ' || owner || ' in ' || database, prepared, gid
  FROM pg_catalog.pg_prepared_xacts
 ORDER BY 2
 LIMIT 3`;

/** Event triggers of others that fire in this session; they may refuse what this system creates or drops. */
export const otherEventTriggersSql = `
SELECT pg_catalog.quote_ident(t.evtname) AS name, t.evtevent AS event,
       pg_catalog.format('%I.%I', n.nspname, p.proname) AS function,
       p.proname AS function_name
  FROM pg_catalog.pg_event_trigger t
  JOIN pg_catalog.pg_proc p ON p.oid = t.evtfoid
  JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
 WHERE t.evtenabled IN ('O', 'A') AND t.evtevent <> 'login' AND NOT t.evtname = ANY ($1)
 ORDER BY t.evtname`;

/** Slots of this system for the current database: those whose names begin so. */
export const ownSlotsSql = `
SELECT slot_name AS name FROM pg_catalog.pg_replication_slots
 WHERE database = pg_catalog.current_database() AND plugin = 'test_decoding' AND pg_catalog.starts_with(slot_name, $1)
 ORDER BY slot_name`;

/** The schema of the event triggers' functions, if it is there. */
export const changesSchemaSql = `SELECT FROM pg_catalog.pg_namespace WHERE nspname = '${CHANGES_SCHEMA}'`;
