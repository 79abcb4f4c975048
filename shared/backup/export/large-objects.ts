import type pg from 'pg';
import * as z from 'zod';
import { OperationError } from '../../errors.ts';
import { listed } from '../../listed.ts';
import { largeObjectSchema } from '../manifest.ts';
import { largeObjectsSql } from '../plan/relations.sql.ts';

/** Large objects of one stored object, at most. */
const OBJECTS_PER_CHUNK = 10_000;
/** Bytes of large object in one row: what the server and any reader hold in memory at a time. */
const PIECE_BYTES = 1_048_576;

export type LargeObject = z.output<typeof largeObjectSchema>;

/**
 * @param leavesOut - those that the login may not read are left out and counted; otherwise they are refused
 * @throws OperationError `large_objects_not_readable`
 */
export async function listLargeObjects(
  client: pg.Client,
  { leavesOut }: { leavesOut: boolean },
): Promise<{ objects: LargeObject[]; unreadable: number }> {
  const { rows } = await client.query<{ oid: string; owner: string; readable: boolean }>(largeObjectsSql);
  const refused = rows.filter(({ readable }) => !readable);
  if (refused.length > 0 && !leavesOut) {
    const owners = [...new Set(refused.map(({ owner }) => owner))];
    throw new OperationError(
      'large_objects_not_readable',
      `Nothing was exported: the login may not read ${refused.length} large objects of ${listed(owners)}`,
      'GRANT it these roles, or SELECT ON LARGE OBJECT for each. GET doctor shows the statements; "unreadable" in the configuration says whether they are left out instead.',
    );
  }
  return {
    objects: z.array(largeObjectSchema).parse(rows.filter(({ readable }) => readable)),
    unreadable: refused.length,
  };
}

/** Bytes that all large objects take together; what each of them takes is known only by opening it. */
export async function measureLargeObjects(client: pg.Client): Promise<number> {
  const { rows } = await client.query<{ bytes: string }>(
    "SELECT pg_catalog.pg_table_size('pg_catalog.pg_largeobject')::text AS bytes",
  );
  return Number(rows[0]?.bytes ?? 0);
}

/** Groups the objects' numbers (sorted) into ranges of one stored object each, of about `chunkBytes` if all are of one size. */
export function largeObjectRanges(
  objects: readonly LargeObject[],
  { bytes, chunkBytes }: { bytes: number; chunkBytes: number },
): { from: number; to: number; count: number }[] {
  const ranges = [];
  const fitting = Math.floor((chunkBytes * objects.length) / Math.max(1, bytes));
  const size = Math.max(1, Math.min(OBJECTS_PER_CHUNK, fitting));
  for (let start = 0; start < objects.length; start += size) {
    const group = objects.slice(start, start + size);
    ranges.push({ from: group[0]?.oid ?? 0, to: group.at(-1)?.oid ?? 0, count: group.length });
  }
  return ranges;
}

/**
 * The COPY statement that reads large objects as rows (number, offset, bytes). It uses the functions any reader may call
 * (`pg_largeobject` itself is for superusers); each descriptor is closed once its length is known.
 */
export function copyLargeObjectsSql({ from, to }: { from: number; to: number }): string {
  return `COPY (
SELECT m.oid, piece.start, pg_catalog.lo_get(m.oid, piece.start, ${PIECE_BYTES})
  FROM pg_catalog.pg_largeobject_metadata m
  CROSS JOIN LATERAL (SELECT pg_catalog.lo_open(m.oid, 262144) AS fd OFFSET 0) opened
  CROSS JOIN LATERAL (SELECT pg_catalog.lo_lseek64(opened.fd, 0, 2) AS length OFFSET 0) measured
  CROSS JOIN LATERAL (SELECT measured.length AS length, pg_catalog.lo_close(opened.fd) AS closed OFFSET 0) closed
  CROSS JOIN LATERAL pg_catalog.generate_series(0::int8, greatest(closed.length - 1, 0), ${PIECE_BYTES}::int8) AS piece(start)
 WHERE m.oid BETWEEN ${from} AND ${to}
 ORDER BY m.oid, piece.start
) TO STDOUT`;
}
