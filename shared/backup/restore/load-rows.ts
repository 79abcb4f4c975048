import type pg from 'pg';
import { OperationError } from '../../errors.ts';
import type { CopyMasker } from '../../masking/copy-masker.ts';
import { copyIn } from '../../postgres/copy/copy-in.ts';
import { quoteIdentifier, quoteLiteral, quoteQualified } from '../../postgres/identifiers.ts';
import { DISK_FULL, isSessionLost } from '../../postgres/session-errors.ts';
import type { Manifest, StoredChunk } from '../manifest.ts';
import type { BegunObject } from '../objects/begin-object.ts';
import type { BackupLocation, ObjectStore } from '../objects/object-store.ts';
import { type ObjectsInTurn, objectsInTurn } from '../objects/objects-in-turn.ts';
import { releaseBlock } from '../objects/release-block.ts';
import { copyInSql } from '../plan/plan.ts';
import type { RowMasking } from './masking/row-masking.ts';
import { grantStatements } from './privileges.ts';
import { type RestoreRecord, recordItem } from './restore-record.ts';
import { isForgivable } from './schema-entry.ts';

const INSUFFICIENT_PRIVILEGE = '42501';

/** Where a restore reads from. */
export interface BackupSource {
  store: ObjectStore;
  location: BackupLocation;
}

type Table = Manifest['tables'][number];

/**
 * Loads stored chunks, one after the other, through `sql`, a COPY FROM STDIN. Bytes are counted as they are stored.
 *
 * @param contents - gives the chunks' contents next
 * @throws OperationError `rows_differ` when the server counted other rows than the backup did, `rows_refused` when it took none
 */
export async function loadChunks(
  client: pg.Client,
  contents: ObjectsInTurn,
  {
    sql,
    chunks,
    what,
    masker = () => null,
    onBytes,
    signal,
  }: {
    sql: string;
    chunks: readonly StoredChunk[];
    what: string;
    /** Makes what masks the rows of one chunk; by default they are loaded as they are. */
    masker?: () => CopyMasker | null;
    onBytes: (bytes: number) => void;
    signal: AbortSignal;
  },
): Promise<void> {
  let bytes = 0;
  async function* counted(): AsyncGenerator<Buffer> {
    for (const _ of chunks) {
      const masking = masker();
      for await (const block of contents.next()) {
        bytes += block.length;
        onBytes(block.length);
        yield masking ? masking.transform(block) : block;
        releaseBlock(block);
      }
    }
  }
  let rows: number;
  try {
    rows = await copyIn(client, sql, counted(), signal);
  } catch (error) {
    const { code, message } = error as { code?: string; message: string };
    const isOfTheRows = /^[0-9A-Z]{5}$/.test(code ?? '') && code !== DISK_FULL && !isSessionLost(error);
    if (error instanceof OperationError || !isOfTheRows) throw error;
    throw new OperationError(
      'rows_refused',
      `The server refused rows of ${what} (SQLSTATE ${code}): ${message}`,
      code === INSUFFICIENT_PRIVILEGE
        ? `Give the login the right to insert into ${what} on the target server (where it is a table of an extension: in the database that "template" names), then restore again.`
        : 'Remove the cause on the target server, then restore again.',
      { cause: error },
    );
  }
  const expected = { rows: 0, bytes: 0 };
  for (const chunk of chunks) {
    expected.rows += chunk.rows;
    expected.bytes += chunk.bytes;
  }
  if (rows !== expected.rows || bytes !== expected.bytes) {
    throw new OperationError(
      'rows_differ',
      `${what}: ${rows} rows and ${bytes} bytes were loaded from ${chunks[0]?.path}${chunks.length > 1 ? ' and what follows' : ''}, the manifest says ${expected.rows} and ${expected.bytes}`,
      'Use another backup, and report this.',
    );
  }
}

/** Where a table's rows go, and how. */
export interface LoadInto extends Pick<Table, 'schema' | 'name'> {
  /** The table was made by this restore, has no rows but those to come, and takes them all in one transaction. */
  frozen: boolean;
}

/**
 * Loads chunks of a table one after the other.
 *
 * Rows that a table gets in the transaction that emptied it can be written as frozen: nobody can see them half done. Indexes,
 * foreign keys and statistics are then made faster, as no row's transaction is looked up, the first queries set no hint bits,
 * and no later VACUUM must read the table to freeze it.
 *
 * @param into - the table that takes the rows; see `findLoadTargets`
 */
export async function loadTableChunks(
  client: pg.Client,
  source: BackupSource,
  {
    table,
    into,
    encoding,
    chunks,
    first,
    masking,
    record,
    onBytes,
    onChunk,
    onLast,
    signal,
  }: {
    table: Table;
    into: LoadInto;
    /** Of the chunks' text. */
    encoding: string;
    chunks: readonly StoredChunk[];
    /** The first of the chunks, where its reading has begun already. */
    first?: BegunObject | undefined;
    /** null: rows are loaded as they are. */
    masking: RowMasking | null;
    /** Gets each chunk in the transaction of its rows. */
    record: RestoreRecord;
    onBytes: (bytes: number) => void;
    onChunk: (chunk: StoredChunk) => void;
    /** Called when the last chunk's turn has come: what is loaded next may begin to be read. */
    onLast?: () => void;
    signal: AbortSignal;
  },
): Promise<void> {
  const { frozen } = into;
  const options = `ENCODING ${quoteLiteral(encoding)}${frozen ? ', FREEZE' : ''}`;
  const sql = `${copyInSql({ ...into, columns: table.columns })} WITH (${options})`;
  const what = `${table.schema}.${table.name}`;
  // By the table's own rules, also where its rows pass through another one.
  const masker = () => masking?.maskerOf(table, table.columns) ?? null;
  const groups = frozen ? [chunks] : chunks.map((chunk) => [chunk]);
  const contents = objectsInTurn(source, chunks, { signal, first, onLast });
  try {
    for (const group of groups) {
      // Its rows count as inserted by the transaction that emptied it, which COPY asks for.
      await client.query(frozen ? `BEGIN; TRUNCATE ONLY ${quoteQualified(into.schema, into.name)}` : 'BEGIN');
      for (const chunk of group) {
        await loadChunks(client, contents, { sql, chunks: [chunk], what, masker, onBytes, signal });
        onChunk(chunk);
      }
      await record.add(
        client,
        group.map(({ path }) => recordItem.chunk(path)),
      );
      await client.query('COMMIT');
    }
  } finally {
    await contents.close();
  }
}

/** Sets every sequence to its recorded position, a batch a statement. */
export async function setSequences(client: pg.Client, sequences: Manifest['sequences']): Promise<void> {
  const BATCH = 500;
  for (let start = 0; start < sequences.length; start += BATCH) {
    const batch = sequences.slice(start, start + BATCH);
    await client.query(
      `SELECT pg_catalog.setval(pg_catalog.format('%I.%I', s.schema, s.name)::regclass, s.last_value, s.is_called)
         FROM ROWS FROM (pg_catalog.unnest($1::text[]), pg_catalog.unnest($2::text[]), pg_catalog.unnest($3::int8[]),
                         pg_catalog.unnest($4::bool[])) AS s(schema, name, last_value, is_called)`,
      [
        batch.map(({ schema }) => schema),
        batch.map(({ name }) => name),
        batch.map(({ last_value }) => last_value),
        batch.map(({ is_called }) => is_called),
      ],
    );
  }
}

/**
 * Restores large objects with their numbers, owners, privileges and comments. Their pieces pass through a temporary table, as
 * COPY cannot write large objects itself.
 *
 * @returns warnings about owners and privileges that could not be set
 */
export async function loadLargeObjects(
  client: pg.Client,
  source: BackupSource,
  { objects, chunks }: Manifest['large_objects'],
  {
    record,
    withoutOwners = false,
    onBytes,
    signal,
  }: {
    record: RestoreRecord;
    withoutOwners?: boolean | undefined;
    onBytes: (bytes: number) => void;
    signal: AbortSignal;
  },
): Promise<string[]> {
  if (objects.length === 0) return [];
  if (!record.has(recordItem.largeObjects)) {
    await client.query('BEGIN');
    await client.query('SELECT pg_catalog.lo_create(number) FROM pg_catalog.unnest($1::oid[]) AS number', [
      objects.map(({ oid }) => oid),
    ]);
    await record.add(client, [recordItem.largeObjects]);
    await client.query('COMMIT');
  }
  await client.query(
    'CREATE TEMPORARY TABLE restored_pieces (object oid, start int8, piece bytea) ON COMMIT DELETE ROWS',
  );
  const left = chunks.filter(({ path }) => !record.has(recordItem.chunk(path)));
  const contents = objectsInTurn(source, left, { signal });
  try {
    for (const chunk of left) {
      const sql = 'COPY pg_temp.restored_pieces FROM STDIN';
      await client.query('BEGIN');
      await loadChunks(client, contents, { sql, chunks: [chunk], what: 'the large objects', onBytes, signal });
      await client.query(
        'SELECT pg_catalog.count(pg_catalog.lo_put(object, start, piece)) FROM pg_temp.restored_pieces',
      );
      await record.add(client, [recordItem.chunk(chunk.path)]);
      await client.query('COMMIT');
    }
  } finally {
    await contents.close();
  }
  await client.query('DROP TABLE pg_temp.restored_pieces');

  const warnings: string[] = [];
  for (const { oid, owner, comment, has_privileges: hasPrivileges, privileges } of objects) {
    const object = `LARGE OBJECT ${oid}`;
    const statements = [
      ...(comment === null ? [] : [`COMMENT ON ${object} IS ${quoteLiteral(comment)}`]),
      ...(withoutOwners ? [] : [`ALTER ${object} OWNER TO ${quoteIdentifier(owner)}`]),
      ...(hasPrivileges ? grantStatements(object, privileges, { owner }) : []),
    ];
    for (const statement of statements) {
      try {
        await client.query(statement);
      } catch (error) {
        if (!isForgivable(statement, error)) throw error;
        warnings.push(`${object}: ${(error as Error).message}`);
      }
    }
  }
  return warnings;
}
