import { setTimeout } from 'node:timers/promises';
import type pg from 'pg';
import { OperationError } from '../../errors.ts';
import { quoteIdentifier } from '../../postgres/identifiers.ts';

export interface Swap {
  /** The name in use. */
  live: string;
  /** The name that the database which has it now gets. */
  away: string;
  /** The database that gets the name. */
  replacement: string;
}

const MAX_ATTEMPTS = 3;
const BETWEEN_ATTEMPTS_MS = 500;
const BETWEEN_ENDINGS_MS = 50;
/** object_in_use (sessions remain), lock_not_available, deadlock_detected */
const PASSING = new Set(['55006', '55P03', '40P01']);

/** Sessions in the two databases, once the renaming session holds the lock that keeps new ones out. */
const sessionsSql = `
SELECT a.pid FROM pg_catalog.pg_stat_activity a
 WHERE a.datname = ANY ($1::text[])
   AND EXISTS (SELECT FROM pg_catalog.pg_locks l
                WHERE l.pid = $2 AND l.granted AND l.mode = 'AccessExclusiveLock' AND l.locktype = 'object'
                  AND l.classid = 'pg_catalog.pg_database'::regclass AND l.objid = a.datid)`;

/**
 * Exchanges two databases under one name, in one transaction. While it runs, the renamed databases are locked: whoever
 * connects waits, and is told to try again; the sessions that are in them are ended. When it fails, or this process ends in
 * the middle, nothing has changed and nothing stays locked, but sessions may have been ended.
 *
 * @param renaming - a session in neither database; `ending` is a second one, of the same login
 * @throws OperationError `swap_refused` when sessions remain after several attempts, or the login may not rename
 */
export async function swapDatabases(renaming: pg.Client, ending: pg.Client, swap: Swap): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      await swapOnce(renaming, ending, swap);
      return;
    } catch (error) {
      const { code, message, detail } = error as { code?: string; message: string; detail?: string };
      if (!/^[0-9A-Z]{5}$/.test(code ?? '') || /^(57|08)/.test(code ?? '')) throw error;
      if (!PASSING.has(code ?? '')) {
        throw new OperationError(
          'swap_refused',
          `The server refused to swap the databases (SQLSTATE ${code}): ${message}`,
          'Mend the cause that the server names, then try again.',
          { cause: error },
        );
      }
      if (attempt === MAX_ATTEMPTS) {
        throw new OperationError(
          'swap_refused',
          `The databases could not be swapped, as others are using them: ${message}${detail ? ` (${detail})` : ''}`,
          'End the sessions on them, or give the login the right to (pg_signal_backend), then try again.',
          { cause: error },
        );
      }
      await setTimeout(BETWEEN_ATTEMPTS_MS);
    }
  }
}

async function swapOnce(renaming: pg.Client, ending: pg.Client, { live, away, replacement }: Swap): Promise<void> {
  const rename = (from: string, to: string) =>
    renaming.query(`ALTER DATABASE ${quoteIdentifier(from)} RENAME TO ${quoteIdentifier(to)}`);
  let isOver = false;
  const { rows } = await renaming.query<{ pid: number }>('SELECT pg_catalog.pg_backend_pid() AS pid');
  const endings = (async () => {
    while (!isOver) {
      await endSessions(ending, [live, replacement], rows[0]?.pid ?? 0);
      await setTimeout(BETWEEN_ENDINGS_MS);
    }
  })();
  endings.catch(() => undefined);
  try {
    await renaming.query("BEGIN; SET LOCAL lock_timeout = '5s'");
    await rename(live, away);
    await rename(replacement, live);
    await renaming.query('COMMIT');
  } catch (error) {
    await renaming.query('ROLLBACK').catch(() => undefined);
    throw error;
  } finally {
    isOver = true;
    await endings.catch(() => undefined);
  }
}

/** What may not be ended stays; the renaming then says that it is there. */
async function endSessions(client: pg.Client, databases: readonly string[], renamingPid: number): Promise<void> {
  const { rows } = await client.query<{ pid: number }>(sessionsSql, [databases, renamingPid]);
  for (const { pid } of rows) {
    await client.query('SELECT pg_catalog.pg_terminate_backend($1)', [pid]).catch((error: { code?: string }) => {
      if (error.code !== '42501') throw error;
    });
  }
}

const ULID_DIGITS = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';
const MAX_NAME_BYTES = 63;

/**
 * A dated name for a database that makes way: `shop_replaced_20260131_120000_x2y3`. Of the job alone, so that a later attempt
 * at the same job knows what an earlier one did.
 */
export function datedName(database: string, role: 'replaced' | 'restored', jobId: string): string {
  const ulid = jobId.slice(jobId.indexOf('-') + 1);
  const time = [...ulid.slice(0, 10)].reduce((sum, digit) => sum * 32 + ULID_DIGITS.indexOf(digit), 0);
  const date = new Date(time)
    .toISOString()
    .replace(/\.\d+Z$/, '')
    .replace(/[-:]/g, '')
    .replace('T', '_');
  const ending = `_${role}_${date}_${ulid.slice(-4).toLowerCase()}`;
  const room = MAX_NAME_BYTES - Buffer.byteLength(ending);
  let begin = '';
  for (const character of database) {
    if (Buffer.byteLength(begin + character) > room) break;
    begin += character;
  }
  return begin + ending;
}

/** Which of these databases are there. */
export async function presentDatabases(client: pg.Client, names: readonly string[]): Promise<Set<string>> {
  const { rows } = await client.query<{ name: string }>(
    'SELECT datname AS name FROM pg_catalog.pg_database WHERE datname = ANY ($1::text[])',
    [names],
  );
  return new Set(rows.map(({ name }) => name));
}
