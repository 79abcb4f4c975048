import { CHANGES_SCHEMA, REPLAY_SCHEMA } from '../own-schema.ts';

/** Event triggers that are to fire again when the replay is over, and when each of them fires. */
const TABLE = `${REPLAY_SCHEMA}.event_triggers`;

export const createMutedSql = `
CREATE SCHEMA IF NOT EXISTS ${REPLAY_SCHEMA};
CREATE TABLE IF NOT EXISTS ${TABLE} (id oid PRIMARY KEY, mode "char" NOT NULL)`;

/** Event triggers that fire, with the statement that keeps them from it; not those of this system, whose messages nobody reads here. */
export const firingSql = `
SELECT oid::int8::text AS id, evtenabled::text AS mode, pg_catalog.format('ALTER EVENT TRIGGER %I DISABLE', evtname) AS statement
  FROM pg_catalog.pg_event_trigger
 WHERE evtenabled <> 'D' AND NOT pg_catalog.starts_with(evtname::text, '${CHANGES_SCHEMA}_')
 ORDER BY evtname`;

export const rememberMutedSql = `
INSERT INTO ${TABLE} (id, mode) VALUES ($1::oid, $2::text::"char") ON CONFLICT (id) DO UPDATE SET mode = excluded.mode`;

/** What lets those fire again that are there still. */
export const unmuteSql = `
SELECT pg_catalog.format('ALTER EVENT TRIGGER %I %s', e.evtname,
                         CASE m.mode WHEN 'A' THEN 'ENABLE ALWAYS' WHEN 'R' THEN 'ENABLE REPLICA' ELSE 'ENABLE' END) AS statement
  FROM ${TABLE} m
  JOIN pg_catalog.pg_event_trigger e ON e.oid = m.id
 WHERE e.evtenabled = 'D'
 ORDER BY e.evtname`;
