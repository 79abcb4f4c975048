import type pg from 'pg';
import type { DecodedLine } from '../decoding/decoder.ts';
import type { ReplayTables } from './tables.ts';

/**
 * Repeats a TRUNCATE. The log names every table that it emptied, so none is followed further, but for tables that are not in the log,
 * as unlogged ones, which a cascade emptied as well. A partitioned table's name stands for its partitions, which are named too.
 */
export async function truncateTables(
  client: pg.Client,
  tables: ReplayTables,
  { tables: names, cascade, restartSequences }: Extract<DecodedLine, { kind: 'truncate' }>,
): Promise<void> {
  const targets: string[] = [];
  for (const name of names) {
    const table = await tables.find(name);
    if (table) targets.push(table.kind === 'p' ? table.target : table.from);
  }
  if (targets.length === 0) return;
  await client.query(
    `TRUNCATE ${[...new Set(targets)].join(', ')}${restartSequences ? ' RESTART IDENTITY' : ''}${cascade ? ' CASCADE' : ''}`,
  );
}
