import type pg from 'pg';
import { type DefinitionsSeen, listChangedTables, readTableDefinitions } from '../../postgres/table-definitions.ts';
import { bytesToLsn, type Lsn, lsnToBytes } from '../lsn.ts';
import type { DefinitionChange } from '../segments/description.ts';

/** What the catalog says after a read. */
export interface DriftFound {
  seen: DefinitionsSeen;
  /** Ends the window before the read; null when all is as before, or nothing was known. */
  change: (DefinitionChange & { obstacle: string }) | null;
}

/** Tables that are named. */
const MOST_NAMED = 10;

/**
 * Notices, where no event trigger tells of them, that definitions were changed. To be called after a read: what it has was committed
 * before. When in the read, or since, the change was made is not known, so nothing of the read is to be repeated on a base without it.
 * A base has it when it saw a transaction that takes its number only now.
 *
 * @param known - as they were last seen; null before the first time
 * @param from - where the read began
 * @param at - until when all that was committed is in the read, or in what was stored before
 */
export async function noticeDrift(
  client: pg.Client,
  known: DefinitionsSeen | null,
  { from, at }: { from: Lsn; at: string },
): Promise<DriftFound> {
  const seen = { ...(await readTableDefinitions(client)), at };
  if (known === null || known.hash === seen.hash) return { seen, change: null };
  const names = await listChangedTables(client, known, MOST_NAMED + 1);
  const reason = `The definitions ${ofTables(names)} were changed, and without event triggers the log does not tell how`;
  return { seen, change: await untoldSince(client, from, { at: known.at, reason }) };
}

/**
 * A change of definitions that may be anywhere from a position on, so that no base has it which did not see a transaction that takes its
 * number only now.
 *
 * @param at - when it is known that there was none before
 */
export async function untoldSince(
  client: pg.Client,
  from: Lsn,
  { at, reason }: { at: string; reason: string },
): Promise<DefinitionChange & { obstacle: string }> {
  const { rows } = await client.query<{ xid: string }>('SELECT pg_catalog.pg_current_xact_id()::text AS xid');
  return {
    // A commit that ended where the read began is not of it.
    lsn: bytesToLsn(lsnToBytes(from) + 1n),
    committed_at: at,
    xid: String(rows[0]?.xid),
    tag: null,
    definer: null,
    obstacle: reason,
  };
}

function ofTables(names: readonly string[]): string {
  if (names.length === 0) return 'of tables or types';
  const named = names.slice(0, MOST_NAMED).join(', ');
  return names.length > MOST_NAMED ? `of ${named} and others` : `of ${named}`;
}
