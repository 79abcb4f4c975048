import type { Manifest, StoredChunk } from '../../manifest.ts';
import { planLoads } from '../plan-loads.ts';
import type { Relation, Trigger } from './target.ts';
import type { LoadGroup, LoadUnit } from './way.ts';

type Table = Manifest['tables'][number];

/** Chunks that go into a relation by one COPY. */
export interface RowsCopy {
  into: Relation;
  table: Table;
  columns: readonly string[];
  chunks: readonly StoredChunk[];
}

/** What one lane does, one transaction after the other. */
export interface RowsTask {
  /** Tasks of the same table wait for each other where they can be avoided to. */
  table: unknown;
  bytes: number;
  transactions: RowsCopy[][];
  /** Foreign keys are checked when a transaction ends. */
  isCircle: boolean;
  triggers: readonly Trigger[];
}

/**
 * Cuts the groups of a level into tasks. Chunks are transactions of their own, by several lanes at a time, but
 *
 * - of a relation whose triggers are turned off, by one lane: that takes a lock which another lane would wait for;
 * - of a relation whose rows refer to each other, by one COPY, at whose end the server looks for the rows referred to;
 * - of a circle of relations, in one transaction.
 *
 * @param isLoaded - whether an earlier attempt has loaded a chunk
 */
export function planRows(
  groups: readonly LoadGroup[],
  lanes: number,
  isLoaded: (chunk: StoredChunk) => boolean,
): RowsTask[] {
  const free = new Map<Table, LoadUnit>();
  const tasks: RowsTask[] = [];
  for (const { units, isCircle } of groups) {
    const [unit] = units;
    if (unit && !isCircle && !unit.refersToItself && unit.triggers.length === 0) {
      for (const table of unit.tables) free.set(withChunksLeft(table, isLoaded), unit);
      continue;
    }
    const together = isCircle || unit?.refersToItself === true;
    const copies = units.flatMap((each) => (together ? wholeCopies(each, isLoaded) : chunkCopies(each, isLoaded)));
    if (copies.length === 0) continue;
    tasks.push({
      table: units,
      bytes: bytesOf(copies.flatMap(({ chunks }) => chunks)),
      transactions: together ? [copies] : copies.map((copy) => [copy]),
      isCircle,
      triggers: units.flatMap(({ triggers }) => triggers),
    });
  }
  for (const { table, chunks, bytes } of planLoads([...free.keys()], lanes)) {
    const into = free.get(table)?.into;
    if (!into || chunks.length === 0) continue;
    const transactions = chunks.map((chunk) => [{ into, table, columns: table.columns, chunks: [chunk] }]);
    tasks.push({ table, bytes, transactions, isCircle: false, triggers: [] });
  }
  return tasks;
}

function withChunksLeft(table: Table, isLoaded: (chunk: StoredChunk) => boolean): Table {
  const chunks = table.chunks.filter((chunk) => chunk.rows > 0 && !isLoaded(chunk));
  return { ...table, chunks, bytes: bytesOf(chunks) };
}

function chunkCopies({ into, tables }: LoadUnit, isLoaded: (chunk: StoredChunk) => boolean): RowsCopy[] {
  return tables.flatMap((table) =>
    withChunksLeft(table, isLoaded).chunks.map((chunk) => ({ into, table, columns: table.columns, chunks: [chunk] })),
  );
}

/** Partitions whose columns are in the same order share a COPY. */
function wholeCopies({ into, tables }: LoadUnit, isLoaded: (chunk: StoredChunk) => boolean): RowsCopy[] {
  const byColumns = new Map<string, RowsCopy & { chunks: StoredChunk[] }>();
  for (const table of tables) {
    const { chunks } = withChunksLeft(table, isLoaded);
    const key = JSON.stringify(table.columns);
    const known = byColumns.get(key);
    if (known) known.chunks.push(...chunks);
    else if (chunks.length > 0) byColumns.set(key, { into, table, columns: table.columns, chunks });
  }
  return [...byColumns.values()];
}

const bytesOf = (chunks: readonly StoredChunk[]): number => chunks.reduce((sum, { bytes }) => sum + bytes, 0);
