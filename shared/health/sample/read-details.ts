import type { TLSSocket } from 'node:tls';
import type pg from 'pg';
import { DAY_MS } from '../../time.ts';
import type { MetricValues } from '../metrics.ts';
import { sessionGroupsSql } from './activity.sql.ts';
import {
  invalidIndexesSql,
  largestTablesSql,
  SEQUENCES_AT_ONCE,
  sequenceCountSql,
  sequencesSql,
  sizesSql,
  tableNumbersSql,
  walDirectorySql,
} from './tables.sql.ts';
import { createParts, oneRow, type Reading } from './take-reading.ts';

/** A name of the database with a number: bytes of a table, share of a sequence. */
export interface NamedNumber {
  name: string;
  number: number;
}

/** What is read one after the other, each as rarely as the others. */
const parts = ['sizes', 'tables', 'indexes', 'sequences'] as const;
type Part = (typeof parts)[number];

/** What grows with the number of tables, and is read less often for that. */
export interface Details {
  /** When each part was read; milliseconds since the epoch. */
  readAt: Partial<Record<Part, number>>;
  values: MetricValues;
  largestTables: NamedNumber[];
  sequences: (NamedNumber & { id: number })[];
  /** The slice of the sequences that was read last. */
  sequenceSlice: number;
  invalidIndexes: string[];
  failures: Reading['failures'];
}

export const noDetails: Details = {
  readAt: {},
  values: {},
  largestTables: [],
  sequences: [],
  sequenceSlice: -1,
  invalidIndexes: [],
  failures: [],
};

export interface DetailsOptions {
  /** The disk that the configuration says a self-managed server has; null elsewhere or when it is not said. */
  storageBytes: number | null;
  /** How old a part may become. Milliseconds. */
  everyMs: number;
  /** No part is begun in this sample once so much time has passed: the others wait for the next one. */
  budgetMs: number;
}

/** The age of the oldest part: milliseconds since the epoch; null before all have been read. */
export function detailsReadAt({ readAt }: Details): number | null {
  const times = parts.flatMap((part) => readAt[part] ?? []);
  return times.length === parts.length ? Math.min(...times) : null;
}

/** Reads the parts that are due, the one that has waited longest first. */
export async function readDetails(
  client: pg.Client,
  before: Details,
  { storageBytes, everyMs, budgetMs }: DetailsOptions,
): Promise<Details> {
  const began = Date.now();
  const age = (part: Part): number => began - (before.readAt[part] ?? Number.NEGATIVE_INFINITY);
  const due = parts.filter((part) => age(part) >= everyMs).sort((one, other) => age(other) - age(one));
  let details: Details = { ...before, values: { ...before.values, certificate_days: certificateDays(client) } };
  for (const part of due) {
    if (Date.now() - began >= budgetMs) break;
    const failures = details.failures.filter((failure) => failure.part !== part);
    const { read } = createParts(failures);
    const found = await read(part, () => readers[part](client, details, storageBytes));
    const readAt = { ...details.readAt, [part]: Date.now() };
    details = {
      ...details,
      ...found,
      readAt,
      failures,
      values: { ...details.values, ...(found?.values ?? unknown[part]) },
    };
  }
  return details;
}

/** The values of a part that cannot be read. */
const unknown: Readonly<Record<Part, MetricValues>> = {
  sizes: { database_bytes: null, disk_free_bytes: null, disk_usage: null },
  tables: {
    largest_table_bytes: null,
    dead_rows: null,
    dead_row_ratio: null,
    oldest_vacuum_seconds: null,
    oldest_analyze_seconds: null,
  },
  indexes: { invalid_indexes: null },
  sequences: { sequence_usage: null },
};

type Reader = (client: pg.Client, before: Details, storageBytes: number | null) => Promise<Partial<Details>>;

const readers: Readonly<Record<Part, Reader>> = {
  async sizes(client, _before, storageBytes) {
    const sizes = await oneRow(client, sizesSql);
    let disk: MetricValues = {};
    if (storageBytes !== null) {
      // The configuration, logs and temporary files of the server are not seen by SQL.
      const { wal_directory_bytes: log } = await oneRow(client, walDirectorySql);
      const used = (sizes.all_database_bytes ?? 0) + (log ?? 0);
      disk = { disk_free_bytes: Math.max(0, storageBytes - used), disk_usage: used / storageBytes };
    }
    return { values: { database_bytes: sizes.database_bytes ?? null, ...disk } };
  },
  async tables(client) {
    const tables = await oneRow(client, tableNumbersSql);
    const { rows } = await client.query<{ name: string; bytes: number }>(largestTablesSql);
    return {
      values: {
        largest_table_bytes: tables.largest_table_bytes,
        dead_rows: tables.dead_rows,
        dead_row_ratio: tables.dead_rows / Math.max(1, tables.dead_rows + tables.live_rows),
        oldest_vacuum_seconds: tables.oldest_vacuum_seconds ?? 0,
        oldest_analyze_seconds: tables.oldest_analyze_seconds ?? 0,
      },
      largestTables: rows.map(({ name, bytes }) => ({ name, number: bytes })),
    };
  },
  async indexes(client) {
    const { rows } = await client.query<{ all: number; name: string }>(invalidIndexesSql);
    return { values: { invalid_indexes: rows[0]?.all ?? 0 }, invalidIndexes: rows.map(({ name }) => name) };
  },
  /** Of very many sequences, a slice each time: what the other slices held before is kept. */
  async sequences(client, before) {
    const { sequences: count } = await oneRow(client, sequenceCountSql);
    const slices = Math.max(1, Math.ceil(count / SEQUENCES_AT_ONCE));
    const slice = (before.sequenceSlice + 1) % slices;
    const { rows } = await client.query<{ name: string; id: number; usage: number | null }>(sequencesSql, [
      slices,
      slice,
    ]);
    const read = rows.flatMap(({ name, id, usage }) => (usage === null ? [] : [{ name, id, number: usage }]));
    const kept = before.sequences.filter(({ id }) => id % slices !== slice);
    const sequences = [...read, ...kept].sort((one, other) => other.number - one.number).slice(0, MOST_SEQUENCES);
    return { sequences, sequenceSlice: slice, values: { sequence_usage: sequences[0]?.number ?? 0 } };
  },
};

const MOST_SEQUENCES = 10;

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

/** Days until the certificate that the server has shown expires; null without TLS. */
function certificateDays(client: pg.Client): number | null {
  const { stream } = (client as unknown as { connection: { stream: Partial<TLSSocket> } }).connection;
  const validTo = stream.getPeerCertificate?.()?.valid_to;
  const expires = validTo === undefined ? Number.NaN : Date.parse(validTo);
  return Number.isNaN(expires) ? null : (expires - Date.now()) / DAY_MS;
}
