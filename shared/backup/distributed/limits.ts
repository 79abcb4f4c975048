import { OperationError } from '../../errors.ts';
import { quoteQualified } from '../../postgres/identifiers.ts';
import type { PreparedExport } from '../export/prepare.ts';
import type { ExportTask } from '../export/tasks.ts';

/**
 * Bytes that one connection surely exports in a second, work as `workOf` counts it. On the machine of the benchmark it is some
 * 110 MiB/s; Lambda's processors are slower, and the way to a database in another zone is longer.
 */
export const SURE_BYTES_PER_SECOND = 20 * 1_048_576;

/** More connections of one function share its processors and get little more done. */
const MOST_PARALLEL = 4;

/** The work, in bytes, that one invocation surely gets done in so many milliseconds. */
export function workWithin(milliseconds: number, connections: number): number {
  return (milliseconds / 1000) * Math.min(connections, MOST_PARALLEL) * SURE_BYTES_PER_SECOND;
}

/** A chunk that a lane begins when its time for beginning is over has this share of the invocation. */
export const LAST_CHUNK_SHARE = 0.2;

/** The largest chunk that is surely exported in what an invocation keeps for its last one. */
export function largestChunk(invocationMs: number, connections: number): number {
  const shared = MOST_PARALLEL / Math.max(MOST_PARALLEL, connections);
  return Math.floor((invocationMs / 1000) * LAST_CHUNK_SHARE * SURE_BYTES_PER_SECOND * shared);
}

/** A chunk that had a whole invocation for itself, and was not done. */
export function chunkTooLarge(task: ExportTask, prepared: PreparedExport): OperationError {
  const table = prepared.tables.find(({ number }) => number === task.table);
  const isRangeable = table !== undefined && prepared.rangeable.includes(table.number);
  const what = table
    ? `The table ${quoteQualified(table.schema, table.name)}`
    : `A group of large objects (${task.path})`;
  const why =
    !table || isRangeable
      ? 'has a chunk that takes longer than one invocation'
      : 'takes longer than one invocation, and its access method does not let it be read in ranges of pages';
  return new OperationError(
    'chunk_too_large',
    `${what} ${why}`,
    isRangeable
      ? 'Lower backups.chunk_bytes, or give the functions more time or memory.'
      : 'Give the functions more time or memory, partition the table, or leave it out of this backup.',
  );
}
