import type { TLSSocket } from 'node:tls';
import type pg from 'pg';
import { DAY_MS } from '../../time.ts';
import type { MetricValues } from '../metrics.ts';
import { sessionGroupsSql } from './activity.sql.ts';
import { invalidIndexesSql, largestTablesSql, sequencesSql, sizesSql, tableNumbersSql } from './tables.sql.ts';
import { createParts, oneRow, type Reading } from './take-reading.ts';

/** A name of the database with a number: bytes of a table, share of a sequence. */
export interface NamedNumber {
  name: string;
  number: number;
}

/** What grows with the number of tables, and is read less often for that. */
export interface Details {
  /** Milliseconds since the epoch. */
  at: number;
  values: MetricValues;
  largestTables: NamedNumber[];
  sequences: NamedNumber[];
  invalidIndexes: string[];
  failures: Reading['failures'];
}

/** @param storageBytes - the disk that the configuration says a self-managed server has; null elsewhere or when it is not said */
export async function readDetails(client: pg.Client, storageBytes: number | null): Promise<Details> {
  const failures: Reading['failures'] = [];
  const { read } = createParts(failures);
  const sizes = await read('sizes', () => oneRow(client, sizesSql));
  const tables = await read('tables', () => oneRow(client, tableNumbersSql));
  const largest = await read('largest_tables', () => client.query<{ name: string; bytes: number }>(largestTablesSql));
  const sequences = await read('sequences', () => client.query<{ name: string; usage: number | null }>(sequencesSql));
  const indexes = await read('indexes', () => client.query<{ all: number; name: string }>(invalidIndexesSql));
  const used = diskUsed(sizes);
  return {
    at: Date.now(),
    values: {
      database_bytes: sizes?.database_bytes ?? null,
      largest_table_bytes: tables?.largest_table_bytes ?? null,
      dead_rows: tables?.dead_rows ?? null,
      dead_row_ratio: tables ? tables.dead_rows / Math.max(1, tables.dead_rows + tables.live_rows) : null,
      oldest_vacuum_seconds: tables && (tables.oldest_vacuum_seconds ?? 0),
      oldest_analyze_seconds: tables && (tables.oldest_analyze_seconds ?? 0),
      sequence_usage: sequences && (sequences.rows[0]?.usage ?? 0),
      invalid_indexes: indexes && (indexes.rows[0]?.all ?? 0),
      certificate_days: certificateDays(client),
      ...(storageBytes === null || used === null
        ? {}
        : { disk_free_bytes: Math.max(0, storageBytes - used), disk_usage: used / storageBytes }),
    },
    largestTables: (largest?.rows ?? []).map(({ name, bytes }) => ({ name, number: bytes })),
    sequences: (sequences?.rows ?? []).flatMap(({ name, usage }) => (usage === null ? [] : [{ name, number: usage }])),
    invalidIndexes: (indexes?.rows ?? []).map(({ name }) => name),
    failures,
  };
}

/** The kinds of names by which sessions are told apart. */
export type SessionGroup = {
  kind: 'state' | 'user' | 'application' | 'wait_event';
  name: string | null;
  sessions: number;
};

export async function readSessionGroups(client: pg.Client): Promise<SessionGroup[]> {
  const { rows } = await client.query<SessionGroup>(sessionGroupsSql);
  return rows;
}

/** What the databases and the WAL take; the configuration, logs and temporary files of the server are not seen by SQL. */
function diskUsed(sizes: Awaited<ReturnType<typeof oneRow>> | null): number | null {
  const databases = sizes?.all_database_bytes;
  return typeof databases === 'number' ? databases + (sizes?.wal_directory_bytes ?? 0) : null;
}

/** Days until the certificate that the server has shown expires; null without TLS. */
function certificateDays(client: pg.Client): number | null {
  const { stream } = (client as unknown as { connection: { stream: Partial<TLSSocket> } }).connection;
  const validTo = stream.getPeerCertificate?.()?.valid_to;
  const expires = validTo === undefined ? Number.NaN : Date.parse(validTo);
  return Number.isNaN(expires) ? null : (expires - Date.now()) / DAY_MS;
}
