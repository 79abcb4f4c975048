import type pg from 'pg';
import { readLogPosition } from '../../postgres/log-position.ts';
import type { MetricValues } from '../metrics.ts';
import { activityNumbersSql } from './activity.sql.ts';
import { countersSql } from './counters.sql.ts';
import { replicationLagSql, replicationSql } from './replication.sql.ts';
import type { StatementTimes } from './statement-times.ts';
import { statementsExtensionSql, statementTimesSql } from './statements.sql.ts';

/** What only ever grows, until the server restarts or somebody resets its statistics. */
export interface Counters {
  /** Seconds since the epoch: when the server started, and when the statistics of the database were reset. */
  started: number;
  reset: number;
  commits: number;
  rollbacks: number;
  deadlocks: number;
  temp_files: number;
  temp_bytes: number;
  blocks_read: number;
  blocks_hit: number;
  checkpoints_timed: number | null;
  checkpoints_requested: number | null;
  read_bytes: number | null;
  written_bytes: number | null;
  wal_bytes: number | null;
}

/** What a server says at one moment, before differences are made. */
export interface Reading {
  /** Milliseconds since the epoch. */
  at: number;
  values: MetricValues;
  /** null where they could not be read. */
  counters: Counters | null;
  /** By query id; null without pg_stat_statements. */
  statements: ReadonlyMap<string, StatementTimes> | null;
  slots: SlotNames;
  /** Parts that could not be read, whose values are unknown, with the server's reason. */
  failures: { part: string; reason: string }[];
}

/** Replication slots that an alert may be about: the one furthest behind, nearest to being lost, and without a reader. */
export interface SlotNames {
  furthest: string | null;
  endangered: string | null;
  unread: string | null;
}

export const noSlots: SlotNames = { furthest: null, endangered: null, unread: null };

export interface ReadingOptions {
  slowQuerySeconds: number;
  /** Connections that this system's pools may open together. */
  poolLimit: number;
}

/** Runs the parts of a sample one after the other; one that fails leaves its values unknown and the others as they are. */
export function createParts(failures: Reading['failures']) {
  let milliseconds = 0;
  return {
    /** The time that the parts took together. */
    milliseconds: () => milliseconds,
    async read<Result>(part: string, query: () => Promise<Result>): Promise<Result | null> {
      const began = performance.now();
      try {
        return await query();
      } catch (error) {
        // A session that is gone fails them all: that is for the caller to say.
        if ((error as { code?: string }).code === undefined) throw error;
        failures.push({ part, reason: (error as Error).message });
        return null;
      } finally {
        milliseconds += performance.now() - began;
      }
    },
  };
}

/**
 * Reads the numbers that every sample holds: seven short queries and an empty one, on one connection. None waits for a lock.
 *
 * @param client - with short statement and lock timeouts
 * @throws Error when the connection is lost
 */
export async function takeReading(
  client: pg.Client,
  { slowQuerySeconds, poolLimit }: ReadingOptions,
): Promise<Reading> {
  const failures: Reading['failures'] = [];
  const { read, milliseconds } = createParts(failures);
  const at = Date.now();
  const version = await serverVersion(client);

  const probed = performance.now();
  await client.query('SELECT');
  const probe_ms = performance.now() - probed;

  const activity = await read('activity', () => oneRow(client, activityNumbersSql, [slowQuerySeconds]));
  const { max_connections = null, own_busy = null, ...sessions } = activity ?? {};
  const counted = await read('counters', () => oneRow(client, countersSql(version)));
  const position = await read('log position', () => readLogPosition(client));
  if (position?.reason) failures.push({ part: 'log position', reason: position.reason });
  const lagging = await read('replication lag', () => oneRow(client, replicationLagSql));
  const { reason: lagUnknown = null, ...lag } = lagging ?? {};
  if (lagUnknown !== null) failures.push({ part: 'replication lag', reason: lagUnknown });
  const replication = await read('replication', () => oneRow(client, replicationSql, [position?.lsn ?? null]));
  const { wal_bytes = null, furthest_slot, endangered_slot, unread_slot, ...replicated } = replication ?? {};
  const statements = await read('statements', () => readStatements(client));

  return {
    at,
    values: {
      ...sessions,
      ...lag,
      ...replicated,
      up: 1,
      samples_taken: 1,
      probe_ms,
      sample_ms: milliseconds(),
      connection_usage: share(sessions.connections, max_connections),
      pool_usage: share(own_busy, poolLimit),
      transaction_id_usage: counted?.transaction_id_usage ?? null,
      multixact_id_usage: counted?.multixact_id_usage ?? null,
    },
    counters: counted && countersOf(counted, wal_bytes),
    statements,
    slots: replication ? { furthest: furthest_slot, endangered: endangered_slot, unread: unread_slot } : noSlots,
    failures,
  };
}

/** Major version of the server. */
export async function serverVersion(client: pg.Client): Promise<number> {
  const { server_version_num } = await oneRow(
    client,
    "SELECT current_setting('server_version_num')::int AS server_version_num",
  );
  return Math.floor(Number(server_version_num) / 10_000);
}

// biome-ignore lint/suspicious/noExplicitAny: the columns are those of the query, whose types its casts say.
export async function oneRow(client: pg.Client, sql: string, values: unknown[] = []): Promise<Record<string, any>> {
  const { rows } = await client.query(sql, values);
  return rows[0] ?? {};
}

function countersOf(row: Awaited<ReturnType<typeof oneRow>>, wal_bytes: number | null): Counters {
  const { checkpoints, pages, transaction_id_usage: _, multixact_id_usage: __, ...counted } = row;
  return {
    ...(counted as Omit<Counters, 'wal_bytes'>),
    checkpoints_timed: checkpoints?.timed ?? null,
    checkpoints_requested: checkpoints?.requested ?? null,
    read_bytes: pages?.read ?? null,
    written_bytes: pages?.written ?? null,
    wal_bytes,
  };
}

async function readStatements(client: pg.Client): Promise<Map<string, StatementTimes> | null> {
  const { schema } = await oneRow(client, statementsExtensionSql);
  if (schema === undefined) return null;
  const { rows } = await client.query<[string, number, number, number]>({
    text: statementTimesSql(schema),
    rowMode: 'array',
  });
  return new Map(rows.map(([id, calls, total, squares]) => [id, { calls, total, squares }]));
}

function share(part: number | null | undefined, whole: number | null): number | null {
  return typeof part === 'number' && typeof whole === 'number' && whole > 0 ? part / whole : null;
}
