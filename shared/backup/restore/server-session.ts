import type pg from 'pg';
import { OperationError } from '../../errors.ts';
import { type ConnectionTarget, connect } from '../../postgres/connect.ts';

/** Databases that a server has for administration, whatever else is on it. */
const MAINTENANCE_DATABASES = ['postgres', 'template1'];

/**
 * Opens a session from which databases are created and renamed, so in none of these: the configured database where that is
 * possible, or one of the server's own. There is no time limit on its statements.
 *
 * @param besides - databases that it must not be in
 * @throws OperationError as `connect`, for the last database tried
 */
export async function openServerSession(target: ConnectionTarget, besides: readonly string[]): Promise<pg.Client> {
  const databases = [...new Set([target.database, ...MAINTENANCE_DATABASES])].filter((name) => !besides.includes(name));
  for (const [index, database] of databases.entries()) {
    try {
      return await connect(target, {
        kind: 'administering',
        database,
        statementTimeoutMs: 0,
        idleInTransactionTimeoutMs: 0,
      });
    } catch (error) {
      if (index === databases.length - 1 || !isOfDatabase(error)) throw error;
    }
  }
  throw new OperationError('database_missing', 'The server has no database to connect to', 'Create "postgres" there.');
}

/** Whether this one database is at fault: it is not there, closed, or the login may not connect to it. */
function isOfDatabase(error: unknown): boolean {
  if (!(error instanceof OperationError)) return false;
  const code = (error.cause as { code?: string } | undefined)?.code ?? '';
  return error.code === 'database_missing' || ['42501', '55000'].includes(code);
}
