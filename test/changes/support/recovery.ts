import { randomBytes } from 'node:crypto';
import type pg from 'pg';
import type { Manifest } from '../../../shared/backup/manifest.ts';
import { type CaptureDependencies, captureChanges } from '../../../shared/changes/capture/capture.ts';
import type { CaptureSummary } from '../../../shared/changes/capture/capture-once.ts';
import { type CaptureSettings, captureDefaults } from '../../../shared/changes/capture/settings.ts';
import { createEventTriggersSql } from '../../../shared/changes/definitions/event-triggers.sql.ts';
import {
  type ReplayDependencies,
  type ReplayRequest,
  type ReplaySummary,
  replayChanges,
} from '../../../shared/changes/replay/replay.ts';
import type { ChangesOf } from '../../../shared/changes/segments/stored-segments.ts';
import { createSlot, dropSlot } from '../../../shared/changes/setup/slot.ts';
import type { BaseSnapshot } from '../../../shared/changes/window/plan-replay.ts';
import type { RecoveryTarget } from '../../../shared/changes/window/recovery-target.ts';
import type { ConnectionTarget } from '../../../shared/postgres/connect.ts';
import { quoteIdentifier } from '../../../shared/postgres/identifiers.ts';
import { withConnection } from '../../../shared/postgres/with-connection.ts';
import { definersCheck } from '../../../shared/recovery/check-definers.ts';
import type { BackupHarness } from '../../backup/support/harness.ts';
import { DATABASE_ID } from '../../backup/support/harness.ts';
import { checksumSql, exactText, rowsOfSql } from '../../support/compare/content.sql.ts';
import {
  connectTo,
  dropDatabase,
  type ScratchDatabase,
  type TestServer,
  targetFor,
  withClient,
} from '../../support/servers.ts';
import { parseStatements } from '../../support/sql-parser.ts';
import { planAlike } from './agreement.ts';

const signal = new AbortController().signal;

/** A database whose changes are captured. */
export interface Protected {
  of: ChangesOf;
  capture(settings?: Partial<CaptureSettings>, changes?: Partial<CaptureDependencies>): Promise<CaptureSummary>;
  /** Leaves the database, so that it can be copied. */
  release(): Promise<void>;
  /** Drops the slot: the database can go then. */
  end(): Promise<void>;
}

export async function protect(
  harness: BackupHarness,
  database: ScratchDatabase,
  { followsDefinitions = true }: { followsDefinitions?: boolean } = {},
): Promise<Protected> {
  const of = { database: DATABASE_ID, slot: `slot_${randomBytes(8).toString('hex')}` };
  const client = await database.connect();
  if (followsDefinitions) await client.query(createEventTriggersSql);
  // As a session of this system's own.
  await client.query("SET search_path = ''");
  let { catalog } = await createSlot(client, harness.store, { ...of, followsDefinitions }, signal);
  return {
    of,
    async capture(settings = {}, changes = {}) {
      const summary = await captureChanges(of, {
        target: database.target(),
        store: harness.store,
        settings: { ...captureDefaults, emptyAfterBytes: 0, ...settings },
        signal,
        catalog: followsDefinitions ? catalog : undefined,
        ...changes,
      });
      catalog = summary.catalog;
      return summary;
    },
    release: () => client.end(),
    end: () => withClient(database.server, 'postgres', (on) => dropSlot(on, of.slot)),
  };
}

/** A database that changes were replayed into. */
export type ReplayedDatabase = ScratchDatabase & { summary: ReplaySummary };

/** A base that is kept as it is: many moments can be replayed on copies of it. */
export interface KeptBase {
  server: TestServer;
  /** The database that is copied. Nobody may be in it. */
  name: string;
  snapshot: BaseSnapshot;
}

export async function restoreBase(harness: BackupHarness, manifest: Manifest, server: TestServer): Promise<KeptBase> {
  const { name } = await harness.restore(manifest, server);
  return { server, name, snapshot: manifest.snapshot };
}

/** Makes a base by copying a database in which nobody is. It is dropped with the returned function. */
export async function copyBase(source: ScratchDatabase): Promise<KeptBase & { drop(): Promise<void> }> {
  const { server } = source;
  const name = `base_${randomBytes(6).toString('hex')}`;
  return await withClient(server, 'postgres', async (client) => {
    await client.query(`CREATE DATABASE ${quoteIdentifier(name)} TEMPLATE ${quoteIdentifier(source.name)}`);
    const { rows } = await client.query<BaseSnapshot>(
      `SELECT pg_current_snapshot()::text AS transactions,
              to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS taken_at`,
    );
    const snapshot = rows[0] ?? { transactions: '', taken_at: '' };
    return { server, name, snapshot, drop: () => dropDatabase(server, name) };
  });
}

export interface ReplayOptions {
  /** As whom, by default the superuser. */
  as?: Partial<ConnectionTarget>;
  selection?: ReplayRequest['selection'];
  signal?: AbortSignal;
  onProgress?: () => void;
  owners?: ReplayDependencies['owners'];
  /** A database of an earlier attempt, to go on with. */
  into?: string;
}

/** Replays changes on a copy of the base. The caller drops it. */
export async function replayTo(
  harness: BackupHarness,
  of: ChangesOf,
  { server, name: base, snapshot }: KeptBase,
  target: RecoveryTarget,
  { as = {}, selection, signal: ended = signal, onProgress = () => undefined, into, owners }: ReplayOptions = {},
): Promise<ReplayedDatabase> {
  const name = into ?? `replayed_${randomBytes(6).toString('hex')}`;
  const isLeftOut = selection?.isLeftOut;
  const plan = await planAlike({
    store: harness.store,
    of,
    base: snapshot,
    target,
    ...(isLeftOut ? { isLeftOut } : {}),
  });
  if (into === undefined) {
    const owner = as.credentials ? ` OWNER ${quoteIdentifier((await as.credentials()).user)}` : '';
    const sql = `CREATE DATABASE ${quoteIdentifier(name)} TEMPLATE ${quoteIdentifier(base)}${owner}`;
    await withClient(server, 'postgres', (client) => client.query(sql));
  }
  const drop = (): Promise<void> => dropDatabase(server, name);
  try {
    const dependencies = {
      target: targetFor(server, name, as),
      database: name,
      store: harness.store,
      signal: ended,
      parse: parseStatements,
      owners,
      onProgress,
    };
    const summary = await replayChanges({ ...plan, selection }, dependencies);
    const connection = { connect: () => connectTo(server, name), target: () => targetFor(server, name) };
    return { name, server, ...connection, drop, summary };
  } catch (error) {
    // The check asks the server for the roles as well.
    const named = await withConnection(targetFor(server, name, as), {}, (client) =>
      definersCheck(plan.definers, owners)(client, new Set()),
    );
    if (into === undefined) await drop();
    if (ended.aborted || named.problems.length > 0) throw error;
    throw new Error(`The check and the window accepted what the restore refuses: ${error}`, { cause: error });
  }
}

/** Rows and checksum of every table, in the transaction that `client` is in. Materialized views are as of their last refresh. */
export async function contentOf(client: pg.Client): Promise<Record<string, string>> {
  await client.query(exactText);
  const { rows } = await client.query<{ name: string; only: boolean }>(rowsOfSql);
  const content: Record<string, string> = {};
  for (const { name, only } of rows) {
    // What writes definitions into the log is not restored.
    if (name === 'public.moods' || name.startsWith('dbms_changes.')) continue;
    const { rows: sums } = await client.query(checksumSql(`${only ? 'ONLY ' : ''}${name}`));
    content[name] = `${sums[0]?.rows} rows, ${sums[0]?.sum}`;
  }
  return content;
}

export async function contentOfDatabase(database: ScratchDatabase): Promise<Record<string, string>> {
  const client = await database.connect();
  await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ');
  const content = await contentOf(client);
  await client.end();
  return content;
}

/** With a connection as superuser, which is ended. */
export async function using<Result>(
  database: ScratchDatabase,
  use: (client: pg.Client) => Promise<Result>,
): Promise<Result> {
  const client = await database.connect();
  try {
    return await use(client);
  } finally {
    await client.end();
  }
}
