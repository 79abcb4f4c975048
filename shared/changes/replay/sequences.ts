import type pg from 'pg';
import { quoteQualified } from '../../postgres/identifiers.ts';
import type { SequencePosition } from '../segments/description.ts';
import { moveSequenceSql, ownedColumnsSql } from './sequences.sql.ts';

/**
 * Makes sequences safe: positions are not among the changes, so each is moved to where it was found when the last segment was stored,
 * which is not behind any number that was taken before, and past every number in the columns that it counts for.
 *
 * @param positions - of the last segment that was replayed
 */
export async function advanceSequences(client: pg.Client, positions: readonly SequencePosition[]): Promise<void> {
  for (const { schema, name, last_value: value } of positions) {
    if (value !== null) await client.query(moveSequenceSql, [quoteQualified(schema, name), value]);
  }
  const { rows } = await client.query<{ sequence: string; down: boolean; table: string; column: string }>(
    ownedColumnsSql,
  );
  for (const { sequence, down, table, column } of rows) {
    const { rows: found } = await client.query<{ furthest: string | null }>(
      `SELECT pg_catalog.${down ? 'min' : 'max'}(${column})::text AS furthest FROM ${table}`,
    );
    const furthest = found[0]?.furthest;
    if (furthest) await client.query(moveSequenceSql, [sequence, furthest]);
  }
}
