import { setTimeout } from 'node:timers/promises';
import type pg from 'pg';
import type { BackupSettings } from '../../configuration/runtime.ts';
import { OperationError } from '../../errors.ts';
import type { ConnectionTarget } from '../../postgres/connect.ts';
import { quoteQualified } from '../../postgres/identifiers.ts';
import type { SchemaDump } from '../../postgres/pg-dump/schema-dump.ts';
import { DISK_FULL, isSessionLost } from '../../postgres/session-errors.ts';
import { type ProgressMeter, type ReportProgress, startProgress } from '../../progress/progress.ts';
import { runLanes } from '../export/lanes.ts';
import type { Manifest } from '../manifest.ts';
import type { ObjectStore } from '../objects/object-store.ts';
import { verifyRowCounts } from './count-rows.ts';
import { assertNoProblems } from './findings.ts';
import { createEntriesInOrder, createEntriesInParallel, refreshMaterializedViews } from './finish-schema.ts';
import { loadOrder } from './load-order.ts';
import { type BackupSource, loadLargeObjects, loadTableChunks, setSequences } from './load-rows.ts';
import { findLoadTargets } from './load-targets.ts';
import { planLoads } from './plan-loads.ts';
import { avoidedDatabases, prepareRestore } from './prepare.ts';
import { createMissingRoles } from './roles.ts';
import { scheduleEntries } from './schedule-entries.ts';
import { isForgivable } from './schema-entry.ts';
import { openServerSession } from './server-session.ts';
import { allowBuildMemory, openRestoreSession } from './session.ts';
import { analyzeTables, listAnalyzable, scheduleAnalyze } from './statistics.ts';
import { datedName, presentDatabases, swapDatabases } from './swap.ts';
import type { RestoreOptions } from './tailor.ts';
import {
  createStagingDatabase,
  dropStagingDatabase,
  offerDatabase,
  propertyStatements,
  stagingName,
} from './target-database.ts';

export interface RestoreRequest extends RestoreOptions {
  jobId: string;
  backupId: string;
  /** The configured database that the backup is of. */
  database: string;
  /** The new database's name; with `mode: 'swap'`, of the one whose place it takes. */
  targetDatabase: string;
  /** `swap`: the new database takes the place of `targetDatabase`, which is kept under a dated name. By default `new`. */
  mode?: 'new' | 'swap' | undefined;
  /** By default they are created, without login. */
  missingRoles?: 'create' | 'skip' | undefined;
  /** Sessions that load at a time, in place of the settings'. */
  connections?: number | undefined;
  /** Whether to gather the planner's statistics; by default, yes. */
  analyze?: boolean | undefined;
}

export interface RestoreDependencies {
  /** The server to restore to; its database is the one that CREATE DATABASE is sent from. */
  target: ConnectionTarget;
  store: ObjectStore;
  settings: BackupSettings;
  report: ReportProgress;
  /** Ends the restore early; the unfinished database is removed. */
  signal: AbortSignal;
}

export interface RestoreSummary {
  tables: number;
  rows: number;
  bytes: number;
  warnings: string[];
  /** The name under which a swap keeps the database that was replaced; null without one. */
  keptDatabase: string | null;
}

/** Below it, emptying the table costs more than what frozen rows save. */
const WORTH_FREEZING_BYTES = 1_048_576;

/**
 * Restores a backup into a new database. It is built under another name and gets its own only when every row is loaded and
 * counted, so a restore that fails offers nothing, and one that succeeds never removes anything: a swap keeps what it replaces.
 *
 * @throws OperationError with the cause; the unfinished database is dropped
 */
export async function runRestore(request: RestoreRequest, dependencies: RestoreDependencies): Promise<RestoreSummary> {
  const { target, signal } = dependencies;
  const { jobId, targetDatabase, mode = 'new', missingRoles = 'create' } = request;
  const connections = request.connections ?? dependencies.settings.connections;
  const settings = { ...dependencies.settings, connections };
  const planned = { mode, targetDatabase, missingRoles, connections };
  const keptDatabase = mode === 'swap' ? datedName(targetDatabase, 'replaced', jobId) : null;
  const progress = startProgress(dependencies.report);
  const staging = stagingName(jobId);
  let control: pg.Client | undefined;
  let created = false;
  try {
    signal.throwIfAborted();
    progress.phase('checking');
    control = await openServerSession(target, avoidedDatabases(planned));
    const prepared = await prepareRestore(
      control,
      { database: request.database, backupId: request.backupId, options: request, planned },
      dependencies,
    );
    const { source, checked } = prepared;
    const { manifest, schema } = prepared.backup;
    const { tables, rows, bytes } = manifest.totals;
    const summary = { tables, rows, bytes, keptDatabase };
    // An attempt before this one ended between the swap and the record of it.
    if (keptDatabase !== null && (await presentDatabases(control, [keptDatabase])).has(keptDatabase)) {
      return { ...summary, warnings: ['An earlier attempt of this job had swapped the databases already'] };
    }
    assertNoProblems(checked.problems);

    progress.phase('schema');
    const warnings = [...prepared.backup.warnings];
    if (missingRoles === 'create') warnings.push(...(await createMissingRoles(control, manifest.roles)));
    created = true;
    warnings.push(...(await createStagingDatabase(control, staging, manifest.database_properties, checked.version)));
    warnings.push(
      ...(await fillDatabase(staging, manifest, schema, {
        ...dependencies,
        settings,
        source,
        progress,
        withoutOwners: request.withoutOwners,
        analyze: request.analyze ?? true,
      })),
    );
    for (const statement of propertyStatements(staging, manifest.database_properties, request)) {
      await control.query(statement).catch((error: unknown) => {
        if (!isForgivable(statement, error) && !/^ALTER (DATABASE|ROLE) .* SET /.test(statement)) throw error;
        warnings.push(`Database property: ${(error as Error).message}`);
      });
    }
    signal.throwIfAborted();
    if (keptDatabase === null) await offerDatabase(control, staging, targetDatabase);
    else {
      progress.phase('counting');
      warnings.push(...(await verifyRowCounts(target, staging, manifest, { connections, signal })));
      progress.phase('swapping');
      const ending = await openServerSession(target, avoidedDatabases(planned));
      const swap = { live: targetDatabase, away: keptDatabase, replacement: staging };
      await swapDatabases(control, ending, swap).finally(() => ending.end().catch(() => undefined));
    }
    created = false;
    return { ...summary, warnings };
  } catch (error) {
    throw explainRestoreFailure(signal.aborted ? (signal.reason ?? error) : error);
  } finally {
    if (created) await removeStaging(target, staging);
    if (control)
      await Promise.race([control.end().catch(() => undefined), setTimeout(1000, undefined, { ref: false })]);
    await progress.close();
  }
}

/** Fills the new database: definitions, rows, positions, then all that is faster or only right once the rows are there. */
async function fillDatabase(
  database: string,
  manifest: Manifest,
  schema: SchemaDump,
  {
    target,
    settings,
    signal,
    source,
    progress,
    withoutOwners,
    analyze,
  }: RestoreDependencies & {
    source: BackupSource;
    progress: ProgressMeter;
    withoutOwners: boolean | undefined;
    analyze: boolean;
  },
): Promise<string[]> {
  const warnings: string[] = [];
  const preData = schema.entries.filter(({ section }) => section === 'pre-data');
  const postData = schema.entries.filter(({ section }) => section === 'post-data');
  const { tables, rows, bytes } = manifest.totals;
  progress.total({ tables, rows, bytes });

  const main = await openRestoreSession(target, database, 'UTF8');
  try {
    warnings.push(...(await createEntriesInOrder(main, preData, signal)));

    progress.phase('data');
    const loadTarget = await findLoadTargets(main);
    const created = new Set(
      preData.filter(({ type }) => type === 'TABLE').map((entry) => quoteQualified(entry.schema ?? '', entry.name)),
    );
    const order = loadOrder(planLoads(manifest.tables, settings.connections));
    const left = new Map(manifest.tables.map((table) => [table, table.chunks.length]));
    const addBytes = (loaded: number): void => progress.add({ bytes: loaded });
    await runLanes(order, settings.connections, {
      open: () => openRestoreSession(target, database, manifest.encoding),
      work: async (client, task, laneSignal) => {
        const { table, chunks, whole, bytes } = task;
        const into = loadTarget(table);
        const isOwn = into.schema === table.schema && into.name === table.name;
        // Tables of extensions may have rows already, which the extension put there.
        const isNew = isOwn && created.has(quoteQualified(into.schema, into.name));
        await loadTableChunks(client, source, {
          table,
          into: { ...into, frozen: whole && isNew && bytes >= WORTH_FREEZING_BYTES },
          chunks,
          onBytes: addBytes,
          onChunk: ({ rows }) => {
            const remaining = (left.get(table) ?? 0) - 1;
            left.set(table, remaining);
            progress.add({ rows, tables: remaining === 0 ? 1 : 0 });
          },
          signal: laneSignal,
        });
        order.done(task);
      },
      close: (client) => client.end(),
      signal,
    });
    warnings.push(
      ...(await loadLargeObjects(main, source, manifest.large_objects, { withoutOwners, onBytes: addBytes, signal })),
    );
    await setSequences(main, manifest.sequences);

    const tableBytes = new Map(manifest.tables.map((table) => [table.oid, table.bytes]));
    const { parallel, privileges, last } = scheduleEntries(preData, postData, (oid) => tableBytes.get(oid) ?? 0);
    const others: pg.Client[] = [];
    try {
      while (others.length < settings.connections - 1) others.push(await openRestoreSession(target, database, 'UTF8'));
      const clients = [main, ...others];
      for (const client of clients) await allowBuildMemory(client, clients.length);
      progress.phase('indexes and keys');
      const analyses = scheduleAnalyze(analyze ? await listAnalyzable(main) : [], preData, parallel);
      warnings.push(...(await createEntriesInParallel(clients, [...parallel, ...analyses.entries], signal)));
      warnings.push(...(await createEntriesInOrder(main, privileges, signal)));
      progress.phase('materialized views');
      warnings.push(...(await refreshMaterializedViews(main, manifest, preData, signal)));
      if (analyze) progress.phase('statistics');
      warnings.push(...(await analyzeTables(clients, analyses.later, signal)));
      warnings.push(...(await createEntriesInOrder(main, last, signal)));
    } finally {
      await Promise.all(others.map((client) => client.end().catch(() => undefined)));
    }
    return warnings;
  } finally {
    await main.end().catch(() => undefined);
  }
}

/** A new connection, as the old one may be what failed. What cannot be dropped now is dropped by the next attempt. */
async function removeStaging(target: ConnectionTarget, staging: string): Promise<void> {
  try {
    const client = await openServerSession(target, []);
    await dropStagingDatabase(client, staging).finally(() => client.end());
  } catch {
    // The server is out of reach; the name says what the database is, and it was never offered.
  }
}

function explainRestoreFailure(error: unknown): unknown {
  if (error instanceof OperationError || !(error instanceof Error)) return error;
  const code = (error as { code?: string }).code ?? '';
  if (isSessionLost(error)) {
    return new OperationError(
      'connection_lost',
      `The server ended a connection of the restore: ${error.message}`,
      'Try again; if it persists, look in the server log for a restart or a terminated session.',
      { cause: error },
    );
  }
  if (code === DISK_FULL) {
    return new OperationError(
      'disk_full',
      `The target server has no disk space left: ${error.message}`,
      'Free or add disk space, then restore again.',
      { cause: error },
    );
  }
  if (/^[0-9A-Z]{5}$/.test(code)) {
    return new OperationError(
      'restore_failed',
      `The server refused a statement of the restore (SQLSTATE ${code}): ${error.message}`,
      'Mend the cause that the server names, then restore again.',
      { cause: error },
    );
  }
  return error;
}
