import type pg from 'pg';
import { type ConnectionTarget, connect } from '../../postgres/connect.ts';
import { quoteLiteral } from '../../postgres/identifiers.ts';

/**
 * Opens a session in the database being restored.
 *
 * @param encoding - of the text it will be sent
 * @param limits - in place of none
 */
export async function openRestoreSession(
  target: ConnectionTarget,
  database: string,
  encoding: string,
  limits: { lockTimeoutMs?: number } = {},
): Promise<pg.Client> {
  const client = await connect(target, { kind: 'restoring', database, ...limits });
  try {
    await client.query(`SET client_encoding = ${quoteLiteral(encoding)}`);
    return client;
  } catch (error) {
    await client.end().catch(() => undefined);
    throw error;
  }
}
