import type pg from 'pg';
import { type ConnectionTarget, connect } from '../../postgres/connect.ts';
import { quoteLiteral } from '../../postgres/identifiers.ts';

/** Settings under which a session reads values as the export wrote them. */
export const VALUE_SETTINGS = `
SET datestyle = ISO;
SET intervalstyle = postgres;
SET lc_monetary = 'C';`.trimStart();

/**
 * Settings of every session of a restore: pg_dump's own (functions are checked when called, XML may be a fragment, values are
 * read as the export wrote them), no time-outs but for a client that has gone without a word, and no wait for the disk at each commit: until it is offered, the new
 * database can be made again from the backup. Its indexes have just been written in the order of their keys, so that reading a page of
 * one costs hardly more than reading the next: foreign keys are then checked by two indexes side by side, without a hash table.
 */
const RESTORE_SETTINGS = `
SELECT pg_catalog.set_config('search_path', '', false);
SET statement_timeout = 0;
SET lock_timeout = 0;
SET idle_in_transaction_session_timeout = 0;
SET tcp_keepalives_idle = 60;
SET tcp_keepalives_interval = 10;
SET tcp_keepalives_count = 3;
SET standard_conforming_strings = on;
SET check_function_bodies = false;
SET xmloption = content;
SET client_min_messages = error;
SET row_security = off;
${VALUE_SETTINGS}
SET jit = off;
SET max_parallel_maintenance_workers = 0;
SET random_page_cost = 1.1;
SET synchronous_commit = off;
SET default_tablespace = '';
SET default_table_access_method = heap`;

/** Opens a session in the database being restored. `encoding` is that of the text it will be sent. */
export async function openRestoreSession(
  target: ConnectionTarget,
  database: string,
  encoding: string,
): Promise<pg.Client> {
  const client = await connect(target, {
    database,
    statementTimeoutMs: 0,
    lockTimeoutMs: 0,
    idleInTransactionTimeoutMs: 0,
  });
  try {
    await client.query(RESTORE_SETTINGS);
    await client.query(`SET client_encoding = ${quoteLiteral(encoding)}`);
    return client;
  } catch (error) {
    await client.end().catch(() => undefined);
    throw error;
  }
}
