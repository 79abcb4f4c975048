import type pg from 'pg';
import type { CopyMasker } from '../../masking/copy-masker.ts';
import { createTableMasker } from '../../masking/table-masker.ts';
import { copyOut } from '../../postgres/copy/copy-out.ts';
import { largeObjectChunk, tableChunk } from '../layout.ts';
import type { StoredChunk } from '../manifest.ts';
import type { ObjectWriter } from '../objects/object-store.ts';
import { copyOutSql, planChunks } from '../plan/plan.ts';
import { explainLongRow } from './explain-failure.ts';
import { copyLargeObjectsSql, largeObjectRanges } from './large-objects.ts';
import type { PreparedExport } from './prepare.ts';

/** One stored object to be made: a COPY statement and where its text goes. */
export interface ExportTask {
  /** Below the backup's prefix; also the chunk's name within the backup. */
  path: string;
  sql: string;
  /** Number of the table; null for large objects. */
  table: number | null;
  /** Whether it is the last chunk of its table, in the order of the pages. */
  last: boolean;
  /** Bytes of the database that it reads, about. */
  weight: number;
}

/** Every chunk of a backup, largest first. The same preparation gives the same tasks in the same order. */
export function exportTasks(prepared: PreparedExport): ExportTask[] {
  const { tables, rangeable, snapshot, chunkBytes, wholeBytes, largeObjects, largeObjectBytes } = prepared;
  const { chunks } = planChunks(tables, {
    rangeable: new Set(rangeable),
    serverVersion: snapshot.serverVersion,
    blockSize: snapshot.blockSize,
    chunkBytes,
    wholeBytes,
  });
  const ranges = largeObjectRanges(largeObjects, { bytes: largeObjectBytes, chunkBytes });
  return [
    ...chunks.map((chunk) => ({
      path: tableChunk(chunk.table, chunk.index),
      sql: copyOutSql(chunk, prepared.properties.encoding),
      table: chunk.table.number,
      last: chunk.toPage === null,
      weight: chunk.weight,
    })),
    ...ranges.map((range, index) => ({
      path: largeObjectChunk(index),
      sql: copyLargeObjectsSql(range),
      table: null,
      last: false,
      weight: (largeObjectBytes * range.count) / largeObjects.length,
    })),
  ];
}

/** What an object costs beside its bytes, in bytes that could be read meanwhile: a statement, a data key, an upload. */
const OBJECT_OVERHEAD_BYTES = 4 * 1_048_576;

/** How much work a task is, in bytes. Many small tables take longer than their bytes say. */
export const workOf = ({ weight }: Pick<ExportTask, 'weight'>): number => weight + OBJECT_OVERHEAD_BYTES;

/** What masks the rows of a task; null: nothing of them is masked. */
export function maskerOf(
  { tables, masking }: PreparedExport,
  { table }: Pick<ExportTask, 'table'>,
  maskingKey: Uint8Array | null,
): CopyMasker | null {
  const planned = table === null ? undefined : tables[table];
  if (!masking || !planned) return null;
  // Rows must never go out as they are for want of the key.
  if (!maskingKey) throw new Error('A masked backup needs the masking key');
  return createTableMasker(planned.columns, masking.masks[planned.oid] ?? [], maskingKey);
}

/** Copies one statement's text into an object. On failure nothing of the object is left. */
export async function exportTask(
  client: pg.Client,
  sql: string,
  writer: ObjectWriter,
  { onBytes, masker, signal }: { onBytes: (bytes: number) => void; masker: CopyMasker | null; signal: AbortSignal },
): Promise<StoredChunk> {
  try {
    let bytes = 0;
    const consume = async (block: Buffer): Promise<void> => {
      const text = masker ? masker.transform(block) : block;
      bytes += text.length;
      onBytes(text.length);
      if (text.length > 0) await writer.write(text);
    };
    const rows = await copyOut(client, sql, consume, { signal });
    return { ...(await writer.finish()), rows, bytes };
  } catch (error) {
    await writer.abort();
    throw explainLongRow(error, writer.path);
  }
}
