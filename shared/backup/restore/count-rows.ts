import { OperationError } from '../../errors.ts';
import type { ConnectionTarget } from '../../postgres/connect.ts';
import { quoteQualified } from '../../postgres/identifiers.ts';
import { runLanes } from '../export/lanes.ts';
import type { Manifest } from '../manifest.ts';
import { findLoadTargets } from './load-targets.ts';
import { openRestoreSession } from './session.ts';

/**
 * Counts the rows of a restored database again, table by table, against the manifest. Partitions whose rows may have been
 * sent to others are counted together.
 *
 * @returns a warning for each table that the login may no longer read, as it belongs to another role
 * @throws OperationError `rows_differ` naming every table that differs
 */
export async function verifyRowCounts(
  target: ConnectionTarget,
  database: string,
  manifest: Manifest,
  { connections, signal }: { connections: number; signal: AbortSignal },
): Promise<string[]> {
  const open = () => openRestoreSession(target, database, 'UTF8');
  const first = await open();
  const loadTarget = await findLoadTargets(first).finally(() => first.end().catch(() => undefined));
  const expected = new Map<string, { only: boolean; rows: number }>();
  for (const table of manifest.tables) {
    const into = loadTarget(table);
    const name = quoteQualified(into.schema, into.name);
    const only = into.schema === table.schema && into.name === table.name;
    expected.set(name, { only, rows: (expected.get(name)?.rows ?? 0) + table.rows });
  }
  const warnings: string[] = [];
  const different: string[] = [];
  await runLanes(expected, connections, {
    open,
    work: async (client, [name, { only, rows }]) => {
      try {
        const counted = await client.query<{ count: string }>(`SELECT count(*) FROM ${only ? 'ONLY ' : ''}${name}`);
        const found = Number(counted.rows[0]?.count);
        if (found !== rows) different.push(`${name} has ${found} rows, the manifest says ${rows}`);
      } catch (error) {
        if ((error as { code?: string }).code !== '42501') throw error;
        warnings.push(`${name} was counted when it was loaded, but not once more: ${(error as Error).message}`);
      }
    },
    close: (client) => client.end(),
    signal,
  });
  if (different.length === 0) return warnings;
  throw new OperationError(
    'rows_differ',
    `The restored database differs from the backup: ${different.slice(0, 20).join('; ')}`,
    'Use another backup, and report this.',
  );
}
