import { setTimeout } from 'node:timers/promises';
import type pg from 'pg';
import { z } from 'zod';
import type { BackupSettings } from '../../configuration/runtime.ts';
import type { BackupType } from '../../contract/schemas/backup.ts';
import { OperationError } from '../../errors.ts';
import type { ConnectionTarget } from '../../postgres/connect.ts';
import { copyOut } from '../../postgres/copy/copy-out.ts';
import { quoteLiteral, quoteQualified } from '../../postgres/identifiers.ts';
import { dumpSchema } from '../../postgres/pg-dump/dump-schema.ts';
import { isSessionLost, LOCK_NOT_AVAILABLE } from '../../postgres/session-errors.ts';
import { type ReportProgress, startProgress } from '../../progress/progress.ts';
import { FORMAT_VERSION, largeObjectChunk, MANIFEST, SCHEMA, tableChunk } from '../layout.ts';
import { backupLocation } from '../location.ts';
import { databasePropertiesSchema, type Manifest, roleEntrySchema, type StoredChunk } from '../manifest.ts';
import {
  type ObjectStore,
  type ObjectWriter,
  type WriteOptions,
  writeObject,
  writeWhole,
} from '../objects/object-store.ts';
import { copyOutSql, listTables, type PlannedChunk, planChunks } from '../plan/plan.ts';
import { databaseSql, populatedMaterializedViewsSql, referencedRolesSql, sequencesSql } from '../plan/relations.sql.ts';
import { runLanes } from './lanes.ts';
import { copyLargeObjectsSql, largeObjectRanges, listLargeObjects } from './large-objects.ts';
import { joinSnapshot, lockTables, type Snapshot, takeSnapshot } from './snapshot.ts';

export interface BackupRequest {
  id: string;
  database: string;
  backupType: BackupType;
  customName: string | null;
  requestedBy: string;
}

export interface BackupDependencies {
  target: ConnectionTarget;
  store: ObjectStore;
  settings: BackupSettings;
  postgresToolsPath: string;
  pgDumpPath?: string | undefined;
  report: ReportProgress;
  /** Ends the backup early; whatever was begun is undone. */
  signal: AbortSignal;
}

/** One stored object to be made: a COPY statement and where its text goes. */
interface ExportTask {
  sql: string;
  path: string;
  stored: (chunk: StoredChunk) => void;
}

/**
 * Takes a full backup: one exported snapshot for schema and data, rows over several connections, each chunk compressed,
 * sealed and uploaded as it is read. The manifest is written last; until then there is no backup.
 *
 * @throws OperationError with the cause; nothing stays open, and no upload stays unfinished
 */
export async function runBackup(request: BackupRequest, dependencies: BackupDependencies): Promise<Manifest> {
  const { target, store, settings, signal } = dependencies;
  const createdAt = new Date().toISOString();
  const location = backupLocation(request.database, request.id);
  const progress = startProgress(dependencies.report);
  const writing: WriteOptions = { compressionLevel: settings.compression_level, signal };
  const lost = new AbortController();
  let snapshot: Snapshot | undefined;
  try {
    signal.throwIfAborted();
    progress.phase('snapshot');
    snapshot = await takeSnapshot(target);
    snapshot.holder.once('end', () =>
      lost.abort(
        new OperationError(
          'snapshot_lost',
          'The server ended the session that kept the snapshot',
          'Try again; if it persists, look in the server log for a restart or a terminated session.',
        ),
      ),
    );
    const guarded = AbortSignal.any([signal, lost.signal]);

    const { tables, rangeable } = await listTables(snapshot.holder);
    await lockTables(snapshot.holder, tables);
    const properties = databasePropertiesSchema.parse(
      (await snapshot.holder.query(databaseSql(snapshot.serverVersion))).rows[0],
    );
    const largeObjects = await listLargeObjects(snapshot.holder);
    const plan = planChunks(tables, {
      rangeable,
      serverVersion: snapshot.serverVersion,
      blockSize: snapshot.blockSize,
      chunkBytes: settings.chunk_bytes,
    });
    progress.total({
      tables: tables.length,
      rows: tables.every(({ estimatedRows }) => estimatedRows !== null)
        ? Math.round(tables.reduce((sum, { estimatedRows }) => sum + (estimatedRows ?? 0), 0))
        : null,
      bytes: tables.reduce((sum, { tableBytes }) => sum + tableBytes, 0),
    });
    progress.phase('data');

    const tableChunks = new Map<number, StoredChunk[]>(tables.map(({ number }) => [number, []]));
    const chunksLeft = new Map<number, number>();
    for (const { table } of plan.chunks) chunksLeft.set(table.number, (chunksLeft.get(table.number) ?? 0) + 1);
    const largeObjectChunks: StoredChunk[] = [];
    const tasks = [
      ...plan.chunks.map((chunk) =>
        tableTask(chunk, (stored) => {
          tableChunks.get(chunk.table.number)?.push(stored);
          const left = (chunksLeft.get(chunk.table.number) ?? 1) - 1;
          chunksLeft.set(chunk.table.number, left);
          progress.add({ rows: stored.rows, tables: left === 0 ? 1 : 0 });
        }),
      ),
      ...largeObjectRanges(largeObjects).map(
        (range, index): ExportTask => ({
          sql: copyLargeObjectsSql(range),
          path: largeObjectChunk(index),
          stored: (chunk) => largeObjectChunks.push(chunk),
        }),
      ),
    ];

    const { id: snapshotId } = snapshot;
    const data = runLanes(tasks, settings.connections, {
      open: () => joinSnapshot(target, snapshotId, properties.encoding),
      work: async (client, task, laneSignal) => {
        const writer = writeObject(store, location, task.path, { ...writing, signal: laneSignal });
        task.stored(await exportTask(client, task.sql, writer, (bytes) => progress.add({ bytes }), laneSignal));
      },
      close: (client) => client.end(),
      signal: guarded,
    });
    const schema = dumpSchema({
      target,
      snapshot: snapshotId,
      postgresToolsPath: dependencies.postgresToolsPath,
      ...(dependencies.pgDumpPath ? { pgDumpPath: dependencies.pgDumpPath } : {}),
      signal: guarded,
    });
    // Both run to their end before a failure is passed on, so that nothing is still being written afterwards.
    const [exported, dumped] = await Promise.allSettled([data, schema]);
    if (exported.status === 'rejected') throw exported.reason;
    if (dumped.status === 'rejected') throw dumped.reason;

    progress.phase('finishing');
    progress.settle();
    const sequences = await readSequences(snapshot.holder);
    const materializedViews = z
      .array(z.object({ oid: z.coerce.number(), schema: z.string(), name: z.string() }))
      .parse((await snapshot.holder.query(populatedMaterializedViewsSql)).rows);
    const roles = z.array(roleEntrySchema).parse((await snapshot.holder.query(referencedRolesSql)).rows);
    const { pgDumpVersion, ...schemaDump } = dumped.value;
    const schemaObject = await writeWhole(store, location, SCHEMA, Buffer.from(JSON.stringify(schemaDump)), writing);

    const manifestTables = tables.map(({ number, oid, schema: namespace, name, columns }) => {
      const chunks = (tableChunks.get(number) ?? []).sort((a, b) => (a.path < b.path ? -1 : 1));
      return { oid, schema: namespace, name, columns, rows: sum(chunks, 'rows'), bytes: sum(chunks, 'bytes'), chunks };
    });
    const allChunks = [...manifestTables.flatMap(({ chunks }) => chunks), ...largeObjectChunks];
    const manifest: Manifest = {
      format: FORMAT_VERSION,
      id: request.id,
      database: request.database,
      backup_type: request.backupType,
      custom_name: request.customName,
      requested_by: request.requestedBy,
      created_at: createdAt,
      ended_at: new Date().toISOString(),
      snapshot: { taken_at: snapshot.takenAt, transactions: snapshot.transactions, lsn: snapshot.lsn },
      server_version: snapshot.serverVersion,
      pg_dump_version: pgDumpVersion,
      encoding: properties.encoding,
      database_properties: properties,
      schema: schemaObject,
      tables: manifestTables,
      roles,
      sequences,
      materialized_views: materializedViews,
      large_objects: {
        objects: largeObjects,
        chunks: largeObjectChunks.sort((a, b) => (a.path < b.path ? -1 : 1)),
      },
      totals: {
        tables: tables.length,
        rows: sum(manifestTables, 'rows'),
        bytes: sum(allChunks, 'bytes'),
        stored_bytes: sum(allChunks, 'stored_bytes') + schemaObject.stored_bytes,
        objects: allChunks.length + 2,
      },
      warnings: [],
    };
    guarded.throwIfAborted();
    await writeWhole(store, location, MANIFEST, Buffer.from(JSON.stringify(manifest)), {
      compressionLevel: null,
      signal,
    });
    return manifest;
  } catch (error) {
    // What is ended by a signal may say no more than that it was ended.
    const wasEnded = (error as { name?: string } | undefined)?.name === 'AbortError' && lost.signal.aborted;
    throw explainExportFailure(signal.aborted ? (signal.reason ?? error) : wasEnded ? lost.signal.reason : error);
  } finally {
    await closeHolder(snapshot?.holder);
    await progress.close();
  }
}

function sum<Key extends string>(items: readonly Record<Key, number>[], key: Key): number {
  return items.reduce((total, item) => total + item[key], 0);
}

function tableTask(chunk: PlannedChunk, stored: ExportTask['stored']): ExportTask {
  return { sql: copyOutSql(chunk), path: tableChunk(chunk.table, chunk.index), stored };
}

/** Copies one statement's text into an object. On failure nothing of the object is left. */
async function exportTask(
  client: pg.Client,
  sql: string,
  writer: ObjectWriter,
  onBytes: (bytes: number) => void,
  signal: AbortSignal,
): Promise<StoredChunk> {
  try {
    let bytes = 0;
    const consume = async (block: Buffer): Promise<void> => {
      bytes += block.length;
      onBytes(block.length);
      await writer.write(block);
    };
    const rows = await copyOut(client, sql, consume, { signal });
    return { ...(await writer.finish()), rows, bytes };
  } catch (error) {
    await writer.abort();
    throw error;
  }
}

const SEQUENCES_PER_QUERY = 200;

/** Positions are not transactional; read after the rows, they are never behind a number that a row holds. */
async function readSequences(client: pg.Client): Promise<Manifest['sequences']> {
  const { rows } = await client.query<{ schema: string; name: string }>(sequencesSql);
  const positions: Manifest['sequences'] = [];
  for (let start = 0; start < rows.length; start += SEQUENCES_PER_QUERY) {
    const parts = rows
      .slice(start, start + SEQUENCES_PER_QUERY)
      .map(
        ({ schema, name }) =>
          `SELECT ${quoteLiteral(schema)} AS schema, ${quoteLiteral(name)} AS name, last_value::text, is_called FROM ${quoteQualified(schema, name)}`,
      );
    positions.push(...(await client.query(parts.join('\nUNION ALL\n'))).rows);
  }
  return positions;
}

/** A holder whose server is gone would wait for its goodbye; a second is enough. */
async function closeHolder(holder: pg.Client | undefined): Promise<void> {
  if (!holder) return;
  await Promise.race([holder.end().catch(() => undefined), setTimeout(1000, undefined, { ref: false })]);
}

/** Turns a server error into words an administrator can act on; others are passed on. */
function explainExportFailure(error: unknown): unknown {
  if (error instanceof OperationError || !(error instanceof Error)) return error;
  const code = (error as { code?: string }).code ?? '';
  if (isSessionLost(error)) {
    return new OperationError(
      'connection_lost',
      `The server ended a connection of the backup: ${error.message}`,
      'Try again; if it persists, look in the server log for a restart or a terminated session.',
      { cause: error },
    );
  }
  if (code === LOCK_NOT_AVAILABLE) {
    return new OperationError(
      'table_locked',
      'Another session holds an exclusive lock on a table (ALTER, TRUNCATE, VACUUM FULL, ...) for longer than the lock time-out',
      'Try again when it has ended, or raise connections.lock_timeout_ms.',
      { cause: error },
    );
  }
  if (/^[0-9A-Z]{5}$/.test(code)) {
    return new OperationError(
      'export_failed',
      `The server refused a statement of the backup (SQLSTATE ${code}): ${error.message}`,
      'Mend the cause that the server names, then back up again.',
      { cause: error },
    );
  }
  return error;
}
