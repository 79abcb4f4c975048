import type pg from 'pg';
import type { BackupSample } from '../../contract/schemas/backup.ts';
import { OperationError } from '../../errors.ts';
import { quoteLiteral, quoteQualified } from '../../postgres/identifiers.ts';
import { FORMAT_VERSION, MANIFEST } from '../layout.ts';
import { backupLocation } from '../location.ts';
import type { Manifest, StoredChunk } from '../manifest.ts';
import { type ObjectStore, type StoredObject, writeWhole } from '../objects/object-store.ts';
import type { BackupRequest, PreparedExport } from './prepare.ts';
import { exportTasks } from './tasks.ts';

export interface ExportedParts {
  createdAt: string;
  schema: StoredObject;
  pgDumpVersion: string | null;
  /** Each chunk that is stored, by its task's path. */
  chunks: ReadonlyMap<string, StoredChunk>;
}

/**
 * Writes the manifest, and with it makes the backup exist.
 *
 * @param client - a session in the snapshot
 * @param signal - ends it before the manifest is written, also when the snapshot is lost
 * @throws OperationError `export_incomplete` when a chunk is missing
 */
export async function completeBackup(
  client: pg.Client,
  store: ObjectStore,
  request: BackupRequest,
  prepared: PreparedExport,
  { createdAt, schema, pgDumpVersion, chunks }: ExportedParts,
  signal: AbortSignal,
): Promise<Manifest> {
  const sequences = await readPositions(client, prepared.sequences);
  const { byTable, largeObjectChunks } = gather(prepared, chunks);
  const tables = prepared.tables.map(({ number, oid, schema: namespace, name, columns, root }) => {
    const own = byTable.get(number) ?? [];
    const types = prepared.types ? { types: prepared.types[oid] ?? [] } : {};
    return {
      oid,
      schema: namespace,
      name,
      columns,
      ...types,
      ...(root ? { root } : {}),
      rows: sum(own, 'rows'),
      bytes: sum(own, 'bytes'),
      chunks: own,
    };
  });
  const all = [...chunks.values()];
  const { snapshot, properties } = prepared;
  const { selection = null } = request;
  const manifest: Manifest = {
    format: FORMAT_VERSION,
    id: request.id,
    database: request.database,
    backup_type: request.backupType,
    custom_name: request.customName,
    selection: selection && { include: listOf(selection.include), exclude: listOf(selection.exclude) },
    requested_by: request.requestedBy,
    ...(prepared.masking ? { masking: maskedColumns(prepared.masking, prepared.tables) } : {}),
    ...(prepared.missing ? { missing: prepared.missing } : {}),
    ...(request.sample && prepared.sampled ? { sample: describeSample(request.sample, prepared, tables) } : {}),
    created_at: createdAt,
    ended_at: new Date().toISOString(),
    snapshot: {
      taken_at: snapshot.takenAt,
      transactions: snapshot.transactions,
      lsn: snapshot.lsn,
      ...(snapshot.lsnUnknown === undefined ? {} : { lsn_unknown: snapshot.lsnUnknown }),
    },
    server_version: snapshot.serverVersion,
    pg_dump_version: pgDumpVersion,
    encoding: properties.encoding,
    database_properties: properties,
    schema,
    tables,
    extensions: prepared.extensions,
    roles: prepared.roles,
    sequences,
    materialized_views: prepared.materializedViews,
    large_objects: { objects: prepared.largeObjects, chunks: largeObjectChunks },
    totals: {
      tables: tables.length,
      rows: sum(tables, 'rows'),
      bytes: sum(all, 'bytes'),
      stored_bytes: sum(all, 'stored_bytes') + schema.stored_bytes,
      objects: all.length + 2,
    },
    warnings: prepared.warnings,
  };
  signal.throwIfAborted();
  const writing = { compressionLevel: null, signal };
  await writeWhole(
    store,
    backupLocation(request.database, request.id),
    MANIFEST,
    Buffer.from(JSON.stringify(manifest)),
    writing,
  );
  return manifest;
}

function maskedColumns(
  { version, masks }: NonNullable<PreparedExport['masking']>,
  tables: PreparedExport['tables'],
): Manifest['masking'] {
  const columns = tables.flatMap(({ oid, schema, name: table }) =>
    (masks[oid] ?? []).map(({ column, mask: { rule } }) => ({ schema, table, column, rule })),
  );
  return { version, columns };
}

/** @param tables - those of the manifest, in the order of the plan */
function describeSample(
  { percent, tables: patterns }: BackupSample,
  { tables, sampled }: PreparedExport,
  stored: readonly { rows: number }[],
): Manifest['sample'] {
  const chosen = new Set(sampled);
  const reduced = tables.flatMap(({ oid, schema, name: table, kept, estimatedRows }, number) => {
    const rows = stored[number]?.rows ?? 0;
    return kept ? [{ schema, table, chosen: chosen.has(oid), rows, rows_before: estimatedRows }] : [];
  });
  return { percent, tables: patterns, reduced };
}

/** Brings the chunks to their tables, each once and in the order of its paths. */
function gather(
  prepared: PreparedExport,
  chunks: ReadonlyMap<string, StoredChunk>,
): { byTable: Map<number, StoredChunk[]>; largeObjectChunks: StoredChunk[] } {
  const byTable = new Map<number, StoredChunk[]>();
  const largeObjectChunks: StoredChunk[] = [];
  for (const { path, table } of exportTasks(prepared)) {
    const chunk = chunks.get(path);
    if (!chunk) {
      throw new OperationError(
        'export_incomplete',
        `There is no chunk ${path}, though every lane has ended`,
        'Back up again; if it persists, report it.',
      );
    }
    if (table === null) largeObjectChunks.push(chunk);
    else if (byTable.has(table)) byTable.get(table)?.push(chunk);
    else byTable.set(table, [chunk]);
  }
  const inOrder = (all: StoredChunk[]) => all.sort((a, b) => (a.path < b.path ? -1 : 1));
  for (const own of byTable.values()) inOrder(own);
  return { byTable, largeObjectChunks: inOrder(largeObjectChunks) };
}

const listOf = (patterns: readonly string[] | null): string[] | null => patterns && [...patterns];

function sum<Key extends string>(items: readonly Record<Key, number>[], key: Key): number {
  return items.reduce((total, item) => total + item[key], 0);
}

const SEQUENCES_PER_QUERY = 200;

/** Positions are not transactional; read after the rows, they are never behind a number that a row holds. */
async function readPositions(
  client: pg.Client,
  sequences: readonly { schema: string; name: string }[],
): Promise<Manifest['sequences']> {
  const positions: Manifest['sequences'] = [];
  for (let start = 0; start < sequences.length; start += SEQUENCES_PER_QUERY) {
    const parts = sequences
      .slice(start, start + SEQUENCES_PER_QUERY)
      .map(
        ({ schema, name }) =>
          `SELECT ${quoteLiteral(schema)} AS schema, ${quoteLiteral(name)} AS name, last_value::text, is_called FROM ${quoteQualified(schema, name)}`,
      );
    positions.push(...(await client.query(parts.join('\nUNION ALL\n'))).rows);
  }
  return positions;
}
