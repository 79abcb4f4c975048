import type pg from 'pg';
import { splitQualified } from '../decoding/names.ts';
import { type DefinitionChange, type SegmentDescription, segmentDescriptionSchema } from '../segments/description.ts';
import { CHANGES_FORMAT } from '../segments/layout.ts';
import type { ChangesOf } from '../segments/stored-segments.ts';
import { fullTransactionId } from '../transaction-ids.ts';
import type { StoredLines } from './read-changes.ts';
import type { SlotFacts } from './session.ts';
import { sequencePositionsSql, withoutIdentitySql } from './slot.sql.ts';

/** What is the same for all segments of one read. */
export interface ReadFacts {
  of: ChangesOf;
  facts: SlotFacts;
  segments: readonly StoredLines[];
  /** The server's time before the end of the log was looked up. */
  capturedAt: string;
  /** Whether the last of the segments goes to that end. */
  reachedEnd: boolean;
  nextXid: string;
  /** A change of definitions that the catalog alone tells of, somewhere in the read or after it. */
  drift: DefinitionChange | null;
}

/** Describes the segments of one read. Looks up what is not in the lines: positions of sequences, tables without an identity. */
export async function describeSegments(
  client: pg.Client,
  { of, facts, segments, capturedAt, reachedEnd, nextXid, drift }: ReadFacts,
): Promise<SegmentDescription[]> {
  const hasChanges = segments.some(({ object }) => object !== null);
  const { rows: sequences } = hasChanges ? await client.query(sequencePositionsSql) : { rows: [] };
  const names = new Set<string>();
  for (const { tally } of segments) {
    for (const { table, updates, deletes } of tally.tables.values()) if (updates + deletes > 0) names.add(table);
  }
  const without = await findWithoutIdentity(client, [...names]);
  return segments.map(({ range, tally, bytes, object }, index) => {
    // A run may end before it has stored what follows: until then nothing later than the segment's own commits is known to be whole.
    const isEnd = reachedEnd && index === segments.length - 1;
    const tables = [...tally.tables.values()];
    return segmentDescriptionSchema.parse({
      format: CHANGES_FORMAT,
      ...of,
      first_lsn: range.firstLsn,
      last_lsn: range.lastLsn,
      next_xid: nextXid,
      captured_at: isEnd ? capturedAt : (tally.lastCommitAt ?? capturedAt),
      first_commit_at: tally.firstCommitAt,
      last_commit_at: tally.lastCommitAt,
      transactions: tally.transactions,
      changes: tally.changes,
      bytes,
      object,
      tables,
      without_identity: tables
        .filter(({ table, updates, deletes }) => updates + deletes > 0 && without.has(table))
        .map(({ table }) => table),
      definition_changes: [
        ...(drift && index === 0 ? [drift] : []),
        ...tally.definitionChanges.map((change) => ({
          ...change,
          xid: String(fullTransactionId(change.xid, BigInt(nextXid))),
        })),
      ],
      begun: tally.begun,
      unauthenticated: tally.unauthenticated,
      sequences: object === null ? [] : sequences,
      encoding: facts.encoding,
      server_version: facts.serverVersion,
    });
  });
}

/** Of the tables, named as the server writes them, those that have no replica identity now. */
async function findWithoutIdentity(client: pg.Client, tables: readonly string[]): Promise<ReadonlySet<string>> {
  if (tables.length === 0) return new Set();
  // Names are bytes of the database's encoding here; those that are not ASCII are found at the replay instead.
  const asked = tables.map((table) => ({ table, ...splitQualified(table) }));
  const { rows } = await client.query<{ schema: string; name: string }>(withoutIdentitySql, [
    asked.map(({ schema }) => schema),
    asked.map(({ name }) => name),
  ]);
  const found = new Set(rows.map(({ schema, name }) => JSON.stringify([schema, name])));
  return new Set(
    asked.filter(({ schema, name }) => found.has(JSON.stringify([schema, name]))).map(({ table }) => table),
  );
}
