/**
 * Makes a database answer as Aurora does, in the words that its users have reported: its functions are those of this database alone,
 * so that other databases of the server go on as before. To be run as superuser; dropping the database ends it.
 */
const refuse = (name: string, body: string): string => `
ALTER FUNCTION pg_catalog.${name}() RENAME TO ${name}_of_postgres;
CREATE FUNCTION pg_catalog.${name}() RETURNS pg_lsn LANGUAGE plpgsql AS $$BEGIN RAISE EXCEPTION ${body}; END$$;`;

const POSITIONS = ['pg_current_wal_lsn', 'pg_current_wal_insert_lsn', 'pg_current_wal_flush_lsn'];
const REPLAYED = ['pg_last_wal_replay_lsn', 'pg_last_wal_receive_lsn'];

const WAL_LEVEL = `'wal_level must be set to ''logical''' USING ERRCODE = '55000', HINT = 'WAL control functions cannot be executed when wal_level < logical.'`;
const RECOVERING = `'recovery is in progress' USING ERRCODE = '55000', HINT = 'WAL control functions cannot be executed during recovery.'`;

/** The writer of a cluster whose `rds.logical_replication` is 0, as it is by default. */
export const auroraWriterSql = `
SET allow_system_table_mods = on;
${POSITIONS.map((name) => refuse(name, WAL_LEVEL)).join('')}
RESET allow_system_table_mods`;

/** A reader of a cluster. */
export const auroraReaderSql = `
SET allow_system_table_mods = on;
${POSITIONS.map((name) => refuse(name, RECOVERING)).join('')}
${REPLAYED.map((name) => refuse(name, `'Function ${name}() is currently not supported for Aurora' USING ERRCODE = '0A000'`)).join('')}
ALTER FUNCTION pg_catalog.pg_is_in_recovery() RENAME TO pg_is_in_recovery_of_postgres;
CREATE FUNCTION pg_catalog.pg_is_in_recovery() RETURNS bool LANGUAGE sql AS 'SELECT true';
RESET allow_system_table_mods`;

/** What tells that it is Aurora. */
export const auroraVersionSql = `
SET allow_system_table_mods = on;
CREATE FUNCTION pg_catalog.aurora_version() RETURNS text LANGUAGE sql AS $$SELECT '16.6.1'$$;
RESET allow_system_table_mods`;
