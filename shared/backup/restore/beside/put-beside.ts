import { once } from 'node:events';
import { PassThrough } from 'node:stream';
import type pg from 'pg';
import * as z from 'zod';
import { OperationError } from '../../../errors.ts';
import type { ConnectionTarget } from '../../../postgres/connect.ts';
import { copyIn } from '../../../postgres/copy/copy-in.ts';
import { copyOut } from '../../../postgres/copy/copy-out.ts';
import { quoteIdentifier, quoteLiteral, quoteQualified } from '../../../postgres/identifiers.ts';
import { isSessionLost } from '../../../postgres/session-errors.ts';
import { fireEventTriggers } from '../event-triggers.ts';
import { openRestoreSession } from '../session.ts';
import { type Beside, newName, readPlaces, remarkOf } from './places.ts';
import { tableDefinitionsSql } from './tables.sql.ts';

const definitionSchema = z.object({
  schema: z.string(),
  name: z.string(),
  kind: z.enum(['r', 'p', 'm'], { error: 'is no table' }),
  columns: z
    .array(z.object({ name: z.string(), type: z.string(), not_null: z.boolean(), collation: z.string().nullable() }))
    .nullable(),
  keys: z.array(z.string()).nullable(),
});

type Definition = z.output<typeof definitionSchema>;

/**
 * Copies tables of a restored database into another database of the server, under names that end in a suffix: columns, rows, NOT NULL,
 * primary and unique keys. They stand for themselves: no defaults, foreign keys, triggers or privileges, so that nothing of what is there
 * is touched; a partitioned table becomes one table. All come, or none.
 *
 * @param from - the restored database
 * @param into - the one that gets them
 * @throws OperationError `tables_refused` when the server does not take one, `rows_differ`
 */
export async function putBeside(
  beside: Beside,
  { from, into }: { from: string; into: string },
  { target, signal }: { target: ConnectionTarget; signal: AbortSignal },
): Promise<void> {
  const source = await openRestoreSession(target, from, 'UTF8');
  try {
    const destination = await openRestoreSession(target, into, 'UTF8');
    try {
      await fireEventTriggers(destination);
      const places = await readPlaces(destination, beside);
      // One transaction brings all: an earlier attempt has done so.
      if (places.every(({ taken, remark }) => taken && remark === remarkOf(beside))) return;
      const definitions = await readDefinitions(source, beside);
      await destination.query('BEGIN');
      for (const definition of definitions) await putTable({ source, destination }, definition, beside, signal);
      await destination.query('COMMIT');
    } finally {
      await destination.end().catch(() => undefined);
    }
  } finally {
    await source.end().catch(() => undefined);
  }
}

async function readDefinitions(source: pg.Client, { tables }: Beside): Promise<Definition[]> {
  const { rows } = await source.query(tableDefinitionsSql, [
    tables.map(({ schema }) => schema),
    tables.map(({ table }) => table),
  ]);
  return rows.map((row) => {
    const { success, data } = definitionSchema.safeParse(row);
    if (success) return data;
    throw new OperationError(
      'no_table',
      `${row.schema}.${row.name} is no table: it has no rows of its own`,
      'Name tables, partitioned tables and materialized views alone.',
    );
  });
}

async function putTable(
  { source, destination }: { source: pg.Client; destination: pg.Client },
  { schema, name, kind, columns, keys }: Definition,
  beside: Beside,
  signal: AbortSignal,
): Promise<void> {
  const from = quoteQualified(schema, name);
  const into = quoteQualified(schema, newName({ schema, table: name }, beside));
  const names = (columns ?? []).map((column) => quoteIdentifier(column.name)).join(', ');
  const defined = (columns ?? []).map(
    ({ name: column, type, not_null, collation }) =>
      `${quoteIdentifier(column)} ${type}${collation === null ? '' : ` COLLATE ${collation}`}${not_null ? ' NOT NULL' : ''}`,
  );
  try {
    await destination.query(`CREATE TABLE ${into} (${defined.join(', ')})`);
    await destination.query(`COMMENT ON TABLE ${into} IS ${quoteLiteral(remarkOf(beside))}`);
    if (names !== '') {
      const rows = `SELECT ${names} FROM ${kind === 'r' ? 'ONLY ' : ''}${from}`;
      await copyAcross(
        { source, destination },
        `COPY (${rows}) TO STDOUT`,
        `COPY ${into} (${names}) FROM STDIN`,
        signal,
      );
    }
    for (const key of keys ?? []) await destination.query(`ALTER TABLE ${into} ADD ${key}`);
  } catch (error) {
    const { code, message } = error as { code?: string; message: string };
    if (error instanceof OperationError || isSessionLost(error) || !/^[0-9A-Z]{5}$/.test(code ?? '')) throw error;
    throw new OperationError(
      'tables_refused',
      `The server did not take ${into} (SQLSTATE ${code}): ${message}`,
      'Mend the cause in the database, such as a type that it lacks, or restore into a new database.',
      { cause: error },
    );
  }
}

/** From one session into another, with a few blocks in between. */
async function copyAcross(
  { source, destination }: { source: pg.Client; destination: pg.Client },
  out: string,
  into: string,
  signal: AbortSignal,
): Promise<void> {
  const between = new PassThrough();
  between.on('error', () => undefined);
  const fail = (error: unknown): never => {
    between.destroy(error as Error);
    throw error;
  };
  const write = async (block: Buffer): Promise<void> => {
    // The block's memory is used again.
    if (!between.write(Buffer.from(block))) await once(between, 'drain', { signal });
  };
  const [sent, taken] = await Promise.allSettled([
    copyOut(source, out, write, { signal }).then((rows) => {
      between.end();
      return rows;
    }, fail),
    copyIn(destination, into, between, signal).catch(fail),
  ]);
  if (taken.status === 'rejected') throw taken.reason;
  if (sent.status === 'rejected') throw sent.reason;
  if (sent.value !== taken.value) {
    throw new OperationError(
      'rows_differ',
      `${taken.value} rows were taken of the ${sent.value} that were restored`,
      'Restore again, and report this.',
    );
  }
}
