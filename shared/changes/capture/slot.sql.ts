import { quoteIdentifier, quoteLiteral } from '../../postgres/identifiers.ts';
import type { Lsn } from '../lsn.ts';

/** The next transaction number to be given, in 64 bits. `age` looks it up; the snapshot's end is below it, and near. */
const NEXT_XID = `
  (WITH bounds AS (
     SELECT pg_catalog.pg_snapshot_xmax(pg_catalog.pg_current_snapshot())::text::int8 AS ended,
            3 + pg_catalog.age('3'::xid)::int8 AS next)
   SELECT ended + (((next - ended) % 4294967296) + 4294967296) % 4294967296 FROM bounds)::text`;

/** Read after a position was: no transaction that committed before that position has this number or a higher one. */
export const nextXidSql = `SELECT ${NEXT_XID} AS next_xid`;

/** The server's clock; a standby tells it, too. */
export const clockSql = `
SELECT pg_catalog.to_char(pg_catalog.clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS captured_at`;

/** How far the log is on disk, and a time before that. */
export const endOfLogSql = `
SELECT pg_catalog.to_char(pg_catalog.clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS captured_at,
       pg_catalog.pg_current_wal_flush_lsn()::text AS lsn`;

/** A slot of this database, by its name. */
export const slotSql = `
SELECT confirmed_flush_lsn::text AS position, wal_status, active,
       pg_catalog.current_setting('server_version_num')::int AS server_version,
       pg_catalog.getdatabaseencoding() AS encoding,
       ${NEXT_XID} AS next_xid
  FROM pg_catalog.pg_replication_slots
 WHERE slot_name = $1 AND database = pg_catalog.current_database() AND plugin = 'test_decoding'`;

/**
 * How changes are written, for whoever asks for them. `skip-empty-xacts` stays off: with it, versions before 16 write a transaction
 * that holds nothing but a message without its begin and commit.
 */
const DECODING = Object.entries({ 'include-xids': 'on', 'include-timestamp': 'on', 'skip-empty-xacts': 'off' });

/**
 * What the slot has from its position on, without moving it.
 *
 * @param slot - as a literal, as COPY takes no parameters
 */
export const peekSql = (slot: string, uptoLsn: string, mostChanges: string): string => `
SELECT lsn, data
  FROM pg_catalog.pg_logical_slot_peek_changes(${slot}, ${uptoLsn}, ${mostChanges},
         ${DECODING.flat().map(quoteLiteral).join(', ')})`;

/** The same as a command of the replication protocol, without an end. */
export const startReplicationSql = (slot: string, from: Lsn): string =>
  `START_REPLICATION SLOT ${quoteIdentifier(slot)} LOGICAL ${from} (${DECODING.map(([name, value]) => `${quoteIdentifier(name)} ${quoteLiteral(value)}`).join(', ')})`;

/** Bytes of log that a slot decodes to come to a position: from where its oldest transaction without an end may have begun. */
export const logToDecodeSql = `
SELECT pg_catalog.pg_wal_lsn_diff($2::pg_lsn, restart_lsn)::float8 AS bytes
  FROM pg_catalog.pg_replication_slots
 WHERE slot_name = $1`;

/** Positions of sequences, as the server itself lists them; null before the first number was taken. */
export const sequencePositionsSql = `
SELECT schemaname AS schema, sequencename AS name, last_value::text, increment_by::text AS increment
  FROM pg_catalog.pg_sequences
 WHERE schemaname NOT LIKE 'pg\\_temp\\_%'
 ORDER BY schemaname, sequencename`;

/** Of the given tables (schemas and names in pairs) those that have no replica identity: which row changed is not in the log. */
export const withoutIdentitySql = `
SELECT n.nspname AS schema, c.relname AS name
  FROM ROWS FROM (pg_catalog.unnest($1::text[]), pg_catalog.unnest($2::text[])) AS asked(schema, name)
  JOIN pg_catalog.pg_namespace n ON n.nspname = asked.schema
  JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = asked.name
 WHERE c.relkind = 'r' AND c.relreplident <> 'f' AND pg_catalog.pg_get_replica_identity_index(c.oid) IS NULL
 ORDER BY 1`;
