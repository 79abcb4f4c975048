import type { Manifest, StoredChunk } from '../manifest.ts';

type Loadable = Pick<Manifest['tables'][number], 'bytes' | 'chunks'>;

/** Chunks of one table that one lane loads one after the other. */
export interface LoadTask<Loaded extends Loadable = Loadable> {
  table: Loaded;
  chunks: StoredChunk[];
  bytes: number;
  /** They are all of the table, so they can be one transaction. */
  whole: boolean;
}

/** A whole table is one transaction, which an interruption takes back: it must be short beside a function's time. */
const MAX_WHOLE_BYTES = 1_073_741_824;

/** How much longer than an even share a lane may work so that a table stays whole. */
const UNEVENNESS = 1.1;

/**
 * Cuts the loading of tables into tasks: tables stay whole as long as the lanes are busy for about as long as each other, and
 * only what does not fit is loaded by several lanes. The assignment is the longest-processing-time rule (Graham, 1969); which
 * lane takes what is decided when one is free.
 */
export function planLoads<Loaded extends Loadable>(tables: readonly Loaded[], lanes: number): LoadTask<Loaded>[] {
  const share = tables.reduce((sum, { bytes }) => sum + bytes, 0) / lanes;
  const loads = Array.from({ length: lanes }, () => 0);
  const tasks: LoadTask<Loaded>[] = [];
  for (const table of [...tables].sort((a, b) => b.bytes - a.bytes)) {
    const least = loads.indexOf(Math.min(...loads));
    const load = (loads[least] ?? 0) + table.bytes;
    if (
      table.chunks.length === 1 ||
      (table.chunks.length > 1 && table.bytes <= MAX_WHOLE_BYTES && load <= share * UNEVENNESS)
    ) {
      loads[least] = load;
      tasks.push({ table, chunks: table.chunks, bytes: table.bytes, whole: true });
      continue;
    }
    for (const chunk of table.chunks) {
      const least = loads.indexOf(Math.min(...loads));
      loads[least] = (loads[least] ?? 0) + chunk.bytes;
      tasks.push({ table, chunks: [chunk], bytes: chunk.bytes, whole: false });
    }
  }
  return tasks;
}
