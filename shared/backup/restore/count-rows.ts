import type pg from 'pg';
import { OperationError } from '../../errors.ts';
import { listed } from '../../listed.ts';
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
  {
    connections,
    signal,
    isOwner = false,
  }: {
    connections: number;
    signal: AbortSignal;
    /** Whether all tables belong to the login: policies that owners are bound to as well are then lifted for the count. */
    isOwner?: boolean;
  },
): Promise<string[]> {
  const open = () => openRestoreSession(target, database, 'UTF8');
  const first = await open();
  const loadTarget = await findLoadTargets(first).finally(() => first.end().catch(() => undefined));
  const expected = new Map<string, { only: boolean; rows: number }>();
  const ofExtensions = new Set(
    (manifest.extensions ?? []).flatMap(({ relations }) =>
      relations.map((each) => quoteQualified(each.schema, each.name)),
    ),
  );
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
        const sql = `SELECT pg_catalog.count(*) FROM ${only ? 'ONLY ' : ''}${name}`;
        const found = await countWith(client, sql).catch((error: { code?: string }) => {
          if (error.code !== INSUFFICIENT_PRIVILEGE || !isOwner) throw error;
          return countUnforced(client, sql, name);
        });
        // Of an extension's table a backup has the rows that people have added: its own come with the extension.
        const isSame = ofExtensions.has(name) ? found >= rows : found === rows;
        if (!isSame) different.push(`${name} has ${found} rows, the manifest says ${rows}`);
      } catch (error) {
        if ((error as { code?: string }).code !== INSUFFICIENT_PRIVILEGE) throw error;
        warnings.push(`${name} was counted when it was loaded, but not once more: ${(error as Error).message}`);
      }
    },
    close: (client) => client.end(),
    signal,
  });
  if (different.length === 0) return warnings;
  throw new OperationError(
    'rows_differ',
    `The restored database differs from the backup: ${listed(different, { separator: '; ' })}`,
    'Use another backup, and report this.',
  );
}

const INSUFFICIENT_PRIVILEGE = '42501';

async function countWith(client: pg.Client, sql: string): Promise<number> {
  const { rows } = await client.query<{ count: string }>(sql);
  return Number(rows[0]?.count);
}

/** In a transaction that changes nothing in the end. */
async function countUnforced(client: pg.Client, sql: string, table: string): Promise<number> {
  await client.query(`BEGIN; ALTER TABLE ${table} NO FORCE ROW LEVEL SECURITY`);
  try {
    return await countWith(client, sql);
  } finally {
    await client.query('ROLLBACK');
  }
}
