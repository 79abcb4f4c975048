import type pg from 'pg';
import type { ObjectStore } from '../../backup/objects/object-store.ts';
import { openRestoreSession } from '../../backup/restore/session.ts';
import { OperationError } from '../../errors.ts';
import type { ConnectionTarget } from '../../postgres/connect.ts';
import { muteEventTriggers, muteNewEventTriggers, readUnmuting } from '../../postgres/event-triggers/muting.ts';
import type { ParseStatements } from '../../postgres/parse-statements.ts';
import { dropEventTriggersSql, MESSAGE_PREFIX } from '../definitions/event-triggers.sql.ts';
import { notRepeated } from '../definitions/judge.ts';
import type { DefinitionMessage } from '../definitions/message.ts';
import type { Verifier } from '../definitions/signature.ts';
import type { Lsn } from '../lsn.ts';
import type { SegmentDescription } from '../segments/description.ts';
import { isSeen, type TransactionSnapshot } from '../transaction-ids.ts';
import { type DefinitionReplay, definitionReplay, windowEnds } from './definitions.ts';
import { openMemory, type ReplayMemory } from './memory.ts';
import { Diverged } from './net-changes.ts';
import { ownPathSql } from './sandbox.sql.ts';
import { openSandbox, type SandboxOptions } from './sandbox.ts';
import { advanceSequences } from './sequences.ts';
import { becomeReplica, type Silence, silenceTriggers } from './silence.ts';
import { type TableChanges, tableChanges } from './table-changes.ts';
import { replayTables } from './tables.ts';
import { textDecoder } from './text-decoder.ts';
import { type ReplayItem, readTransactions } from './transactions.ts';
import { truncateTables } from './truncate.ts';
import { dropStaging, type ReplayWriter, WRITER_SETTINGS, writeChanges } from './write-changes.ts';

export interface ReplayRequest {
  /** From the one that has the first transaction the base did not see, each beginning where the one before ends. */
  segments: readonly SegmentDescription[];
  /** Where the first of them begins to be needed. */
  from: Lsn;
  /** What the base saw. */
  snapshot: TransactionSnapshot;
  /** The commit of the last transaction to be replayed; null for none. */
  lastCommit: Lsn | null;
  /** Judges the messages that tell of changes of definitions. */
  verify: Verifier;
  /** With chosen tables: whether a table was restored without its rows. Tables that are not there are passed over. */
  selection?: { isLeftOut: (table: { schema: string; name: string }) => boolean } | undefined;
  /** Tables that were left out of the restore: their changes, and commands about them, are passed over. */
  missing?: readonly { schema: string; name: string }[] | undefined;
}

export interface ReplayDependencies {
  target: ConnectionTarget;
  /** The database that the base was restored into. Nobody else is in it. */
  database: string;
  store: ObjectStore;
  signal: AbortSignal;
  /** Reads the text of commands. */
  parse: ParseStatements;
  /** How owners were restored; by default as they were. */
  owners?: Partial<Pick<SandboxOptions, 'ownersLeftOut' | 'roleOf'>> | undefined;
  /** Called in the transaction that ends the replay. */
  finish?: (client: pg.Client) => Promise<void>;
  onProgress?: (done: { transactions: number; changes: number }) => void;
}

export interface ReplaySummary {
  transactions: number;
  changes: number;
  warnings: string[];
}

/** Changes that wait to be written together: fewer cost more for each, more cost memory. */
const MOST_PENDING = 20_000;
const MOST_PENDING_CHARACTERS = 16_777_216;

/**
 * Applies, in commit order, exactly the transactions that the base did not see, up to a commit.
 *
 * Many small transactions are written together, as what they come to, and are committed at the end of one of them: nobody sees
 * the database before. How far it is, is in it, so that a further attempt goes on from there.
 *
 * @throws OperationError `window_ends`, `no_replica_identity`, `definitions_differ`, `replay_diverged`, or one of the store or server
 */
export async function replayChanges(
  { segments, from, snapshot, lastCommit, verify, selection, missing = [] }: ReplayRequest,
  { target, database, store, signal, parse, owners = {}, finish, onProgress }: ReplayDependencies,
): Promise<ReplaySummary> {
  const encoding = segments[0]?.encoding ?? 'UTF8';
  const client = await openRestoreSession(target, database, 'UTF8');
  const summary: ReplaySummary = { transactions: 0, changes: 0, warnings: [] };
  try {
    await client.query(WRITER_SETTINGS);
    await client.query(ownPathSql);
    await client.query('BEGIN');
    await muteEventTriggers(client);
    await client.query('COMMIT');
    await client.query(dropEventTriggersSql).catch((error: unknown) => {
      if ((error as { code?: string }).code !== '42501') throw error;
    });
    const isReplica = await becomeReplica(client);
    await client.query('BEGIN');
    const memory = await openMemory(client, from);
    const silence = await silenceTriggers(client, isReplica, memory);
    const after = await memory.position();
    await client.query('COMMIT');
    const writer: ReplayWriter = { client, encoding, signal, staged: new Set() };
    const { ownersLeftOut = false, roleOf = (role) => role } = owners;
    const definitions = definitionReplay({
      client,
      parse,
      sandbox: openSandbox({ client, roleOf, ownersLeftOut }),
      decodeText: textDecoder(client, encoding),
      mayBeMissing: selection !== undefined || missing.length > 0,
      ...{ roleOf, ownersLeftOut },
    });
    const seen = (xid: bigint): boolean => isSeen(snapshot, xid);
    const run = replayRun({ writer, verify, definitions, silence, memory, selection, missing, summary, onProgress });
    for await (const items of readTransactions(store, { segments, after, lastCommit, isSeen: seen }, signal)) {
      await run.take(items);
    }
    await run.end();
    await advanceSequences(client, segments.at(-1)?.sequences ?? []);
    summary.warnings.push(...definitions.warnings, ...(await refreshViews(client, definitions.views)));
    await client.query('BEGIN');
    await silence.end();
    const unmuting = await readUnmuting(client);
    await memory.drop();
    await finish?.(client);
    for (const statement of unmuting) await client.query(statement);
    await client.query('COMMIT');
    return summary;
  } catch (error) {
    if (signal.aborted) throw signal.reason ?? error;
    throw error instanceof Diverged ? diverged(error) : error;
  } finally {
    await client.end().catch(() => undefined);
  }
}

interface RunOptions {
  writer: ReplayWriter;
  verify: Verifier;
  definitions: DefinitionReplay;
  silence: Silence;
  memory: ReplayMemory;
  selection: ReplayRequest['selection'];
  missing: NonNullable<ReplayRequest['missing']>;
  summary: ReplaySummary;
  onProgress: ReplayDependencies['onProgress'];
}

function replayRun({
  writer,
  verify,
  definitions,
  silence,
  memory,
  selection,
  missing,
  summary,
  onProgress,
}: RunOptions) {
  const { client } = writer;
  const tables = replayTables(client, {
    isLeftOut: selection?.isLeftOut ?? (() => false),
    mayBeMissing: selection !== undefined || missing,
  });
  const pending = new Map<string, TableChanges | null>();
  let count = 0;
  let characters = 0;
  let open = false;
  /** Definitions were changed in the transaction: what follows may need them committed. */
  let mustCommit = false;
  let position: Lsn | null = null;
  /** Of the transaction. */
  const heard = new Set<string>();
  let ignored = 0;

  const begin = async (): Promise<void> => {
    if (open) return;
    await client.query('BEGIN');
    await client.query('SET CONSTRAINTS ALL DEFERRED');
    open = true;
  };
  const flush = async (): Promise<void> => {
    if (count === 0) return;
    await begin();
    for (const changes of pending.values()) if (changes) await writeChanges(writer, changes);
    pending.clear();
    count = 0;
    characters = 0;
  };
  const commit = async (): Promise<void> => {
    await flush();
    if (position === null) return;
    await begin();
    await memory.rememberPosition(position);
    await client.query('COMMIT');
    open = false;
    mustCommit = false;
    position = null;
    onProgress?.(summary);
  };
  const changesOf = async (name: string): Promise<TableChanges | null> => {
    const table = await tables.find(name);
    const changes = table && tableChanges(table);
    pending.set(name, changes);
    return changes;
  };
  const isOfExtension = async (name: string): Promise<boolean> => (await tables.find(name))?.inExtension ?? true;
  const repeat = async (message: DefinitionMessage, begun: boolean | null): Promise<void> => {
    await flush();
    await begin();
    await dropStaging(writer);
    await silence.suspend();
    const fill = await definitions.repeat(message, begun);
    await silence.renew();
    await muteNewEventTriggers(client);
    await fill?.();
    tables.forget();
    pending.clear();
    mustCommit = true;
  };

  return {
    async take(items: readonly ReplayItem[]): Promise<void> {
      for (const item of items) {
        switch (item.kind) {
          case 'commit':
            heard.clear();
            summary.transactions += 1;
            position = item.lsn;
            if (open || mustCommit || count >= MOST_PENDING / 2 || characters >= MOST_PENDING_CHARACTERS / 2) {
              await commit();
            }
            break;
          case 'message': {
            if (item.prefix !== MESSAGE_PREFIX || !item.transactional) break;
            const verdict = verify(item.content, { xid: item.xid, heard });
            if (verdict.kind === 'authentic') await repeat(verdict.message, item.begun?.includes(verdict.id) ?? null);
            else if (verdict.kind === 'unauthenticated') ignored += 1;
            // Of temporary tables nothing but the start is told.
            else if (verdict.kind === 'unknown_version' || verdict.message.event !== 'start') {
              throw windowEnds(notRepeated(verdict));
            }
            break;
          }
          case 'truncate':
            if (definitions.makesRows) break;
            await begin();
            // Tables do not act on each other here, so that the others' changes can wait.
            for (const name of item.tables) {
              const changes = pending.get(name);
              if (changes) await writeChanges(writer, changes);
              pending.delete(name);
            }
            await truncateTables(client, tables, item);
            summary.changes += 1;
            break;
          default: {
            // Others are of event triggers, which a replay does not run.
            if (definitions.makesRows && (await isOfExtension(item.table))) break;
            const known = pending.get(item.table);
            const changes = known === undefined ? await changesOf(item.table) : known;
            if (!changes) break;
            changes.add(item);
            count += 1;
            summary.changes += 1;
            if (item.kind !== 'delete') for (const value of item.row.values) characters += value.length;
            if (count >= MOST_PENDING || characters >= MOST_PENDING_CHARACTERS) await flush();
          }
        }
      }
    },
    async end(): Promise<void> {
      await commit();
      if (ignored === 0) return;
      summary.warnings.push(
        `${ignored} messages were ignored: they claimed to tell of changes of definitions, and were not written by the event triggers`,
      );
    },
  };
}

/** Content follows from the query; it is as of the end, where the original had it as of its last refresh. */
async function refreshViews(client: pg.Client, made: ReadonlySet<string>): Promise<string[]> {
  const { rows } = await client.query<{ name: string }>(
    `SELECT c.oid::regclass::text AS name
       FROM pg_catalog.pg_class c
       JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
      WHERE c.relkind = 'm' AND (c.relispopulated OR pg_catalog.format('%I.%I', n.nspname, c.relname) = ANY ($1))
      ORDER BY c.oid`,
    [[...made]],
  );
  const warnings: string[] = [];
  for (const { name } of rows) {
    await client.query(`REFRESH MATERIALIZED VIEW ${name}`).catch((error: Error & { code?: string }) => {
      if (error.code === undefined) throw error;
      warnings.push(`Materialized view ${name} could not be refreshed: ${error.message}`);
    });
  }
  return warnings;
}

function diverged(error: Diverged): OperationError {
  return new OperationError(
    'replay_diverged',
    `The changes do not fit the rows that were restored: ${error.message}`,
    'Restore from another full backup, and report this.',
    { cause: error },
  );
}
