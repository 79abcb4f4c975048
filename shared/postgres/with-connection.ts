import type pg from 'pg';
import { type ConnectionOverrides, type ConnectionTarget, connect } from './connect.ts';

/**
 * Works on a connection that is opened for it and ended with it.
 *
 * @throws OperationError as `connect`
 */
export async function withConnection<Result>(
  target: ConnectionTarget,
  overrides: ConnectionOverrides,
  work: (client: pg.Client) => Promise<Result>,
): Promise<Result> {
  const client = await connect(target, overrides);
  try {
    return await work(client);
  } finally {
    await client.end().catch(() => undefined);
  }
}
