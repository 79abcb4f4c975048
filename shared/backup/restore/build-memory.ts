import type pg from 'pg';
import type { SchemaEntry } from '../../postgres/pg-dump/schema-dump.ts';
import type { Manifest } from '../manifest.ts';
import type { ScheduledEntry } from './schedule-entries.ts';

/** A sort in less is no faster: runs of this size fit the cache of a core well enough. */
const LEAST_BYTES = 8_388_608;
/** A row in a sort: its place in the array (24), the index tuple, and a key that may be wide. */
const SORTED_ROW_BYTES = 140;
/** What one of the runs that are merged takes: a read-ahead buffer and two blocks (`tuplesort_merge_order` of PostgreSQL). */
const MERGED_RUN_BYTES = 278_528;
/** Runs that PostgreSQL merges at most in one go (`MAXORDER`). */
const MERGED_RUNS = 500;

/** Entries that build or check something of the size of a table. */
const BUILDS = new Set(['INDEX', 'CONSTRAINT', 'FK CONSTRAINT']);

/** Statements that build by sorting, or check a foreign key by sorting or hashing. GIN and GiST build in the memory itself. */
const SORTS =
  /^CREATE (UNIQUE )?INDEX .* USING btree \(|^ALTER TABLE .*\sADD CONSTRAINT .* (PRIMARY KEY|UNIQUE|FOREIGN KEY)\b/s;

/**
 * Memory for a sort of so many rows: as little as lets its runs be merged in one go (for a size S and runs that take B when they are merged, √(S·B)). A run
 * is then sorted within the processor's cache, and merging reads one after the other; sorted in one piece, in memory far larger than
 * the cache, 1.4 million rows took a third longer, and 10 million a fifth. Foreign keys of 10 million rows were checked in half the time.
 *
 * @returns bytes
 */
export function sortMemoryBytes(rows: number): number {
  const size = rows * SORTED_ROW_BYTES;
  return Math.max(LEAST_BYTES, Math.ceil(Math.sqrt(size * MERGED_RUN_BYTES)), Math.ceil(size / MERGED_RUNS));
}

/**
 * What a session may use at most to build an index: together the sessions take at most an eighth of what the server
 * says it has for caching (`effective_cache_size`), each at most 1 GB, and never less than the server's own setting.
 *
 * @returns bytes
 */
async function mostMemoryBytes(client: pg.Client, sessions: number): Promise<number> {
  const { rows } = await client.query<{ most: number }>(
    `SELECT greatest(own, least(1073741824, cache / (8 * $1::int8)))::float8 AS most
       FROM (SELECT pg_catalog.pg_size_bytes(pg_catalog.current_setting('maintenance_work_mem')) AS own,
                    pg_catalog.pg_size_bytes(pg_catalog.current_setting('effective_cache_size')) AS cache) AS memory`,
    [sessions],
  );
  return rows[0]?.most ?? 0;
}

/** Gives a session the memory that is best for an entry that it is about to build. */
export type AllowBuildMemory = (
  client: pg.Client,
  scheduled: Pick<ScheduledEntry, 'entry' | 'tables'>,
) => Promise<void>;

/**
 * @param client - one of the sessions, whose `maintenance_work_mem` is still the server's
 * @param sessions - how many build at a time
 */
export async function openBuildMemory(
  client: pg.Client,
  sessions: number,
  { manifest, preData }: { manifest: Pick<Manifest, 'tables'>; preData: readonly SchemaEntry[] },
): Promise<AllowBuildMemory> {
  const most = await mostMemoryBytes(client, sessions);
  const rowsByOid = new Map(manifest.tables.map(({ oid, rows }) => [oid, rows]));
  const oids = new Map(preData.filter(({ type }) => type === 'TABLE').map(({ dump_id, oid }) => [dump_id, oid]));
  /** A partitioned table's rows are those of others: how many is not known. */
  const rowsOf = (table: number): number => rowsByOid.get(oids.get(table) ?? 0) ?? Number.POSITIVE_INFINITY;
  const given = new Map<pg.Client, number>();
  return async (client, { entry, tables }) => {
    if (!BUILDS.has(entry.type)) return;
    const rows = [...tables].reduce((sum, table) => sum + rowsOf(table), 0);
    const kilobytes = Math.floor(Math.min(most, SORTS.test(entry.sql) ? sortMemoryBytes(rows) : most) / 1024);
    if (given.get(client) === kilobytes) return;
    await client.query(`SET maintenance_work_mem = '${kilobytes}kB'`);
    given.set(client, kilobytes);
  };
}
