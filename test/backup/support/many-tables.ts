import type { PreparedExport } from '../../../shared/backup/export/prepare.ts';
import { tableChunk } from '../../../shared/backup/layout.ts';
import type { Manifest } from '../../../shared/backup/manifest.ts';

/** What a backup of a database of many tables, most of them small, finds and writes. */
export function manyTables(count: number): { prepared: PreparedExport; manifest: Manifest } {
  const properties = {
    name: 'many',
    owner: 'owner',
    encoding: 'UTF8',
    collate: 'C',
    ctype: 'C',
    locale_provider: 'c',
    locale: null,
    icu_rules: null,
    connection_limit: -1,
    comment: null,
    settings: [],
    has_privileges: false,
    privileges: [],
  };
  const tables = Array.from({ length: count }, (_, number) => ({
    number,
    oid: 16_384 + number,
    schema: 'public',
    name: `table ${number}`,
    columns: ['id', 'customer', 'made_at', 'text'],
    hasColumns: true,
    condition: null,
    heapBytes: 8192 * (1 + (number % 1000)),
    tableBytes: 8192 * (2 + (number % 1000)),
    estimatedRows: 100,
  }));
  const prepared: PreparedExport = {
    snapshot: {
      transactions: '1:1:',
      lsn: null,
      takenAt: '2026-01-01T00:00:00Z',
      serverVersion: 180_000,
      blockSize: 8192,
    },
    chunkBytes: 134_217_728,
    wholeBytes: Number.POSITIVE_INFINITY,
    tables,
    rangeable: tables.map(({ number }) => number),
    properties,
    largeObjects: [],
    largeObjectBytes: 0,
    sequences: [],
    materializedViews: [],
    extensions: [],
    roles: [],
    types: null,
    warnings: [],
  };
  const object = { stored_bytes: 500, sha256: 'a'.repeat(64) };
  const manifest: Manifest = {
    format: 1,
    id: `bkp-${'0'.repeat(26)}`,
    database: 'tested',
    backup_type: 'full',
    custom_name: null,
    requested_by: 'test',
    created_at: '2026-01-01T00:00:00Z',
    ended_at: '2026-01-01T00:00:00Z',
    snapshot: { taken_at: '2026-01-01T00:00:00Z', transactions: '1:1:', lsn: null },
    server_version: 180_000,
    pg_dump_version: '18.3',
    encoding: 'UTF8',
    database_properties: properties,
    schema: { ...object, path: 'schema.json.zst.enc' },
    tables: tables.map(({ number, oid, schema, name, columns, heapBytes: bytes }) => ({
      oid,
      schema,
      name,
      columns,
      rows: 100,
      bytes,
      chunks: [{ ...object, path: tableChunk({ number, schema, name }, 0), rows: 100, bytes }],
    })),
    extensions: [],
    roles: [],
    sequences: [],
    materialized_views: [],
    large_objects: { objects: [], chunks: [] },
    totals: { tables: count, rows: 100 * count, bytes: 0, stored_bytes: 500 * count, objects: count + 2 },
    warnings: [],
  };
  return { prepared, manifest };
}
