import { setTimeout } from 'node:timers/promises';
import type pg from 'pg';
import type { BackupSettings } from '../../configuration/runtime.ts';
import type { ConnectionTarget } from '../../postgres/connect.ts';
import { quoteIdentifier } from '../../postgres/identifiers.ts';
import type { RunLogin } from '../../postgres/run-login/run-login.ts';
import { type ReportProgress, startProgress } from '../../progress/progress.ts';
import type { ObjectStore } from '../objects/object-store.ts';
import { besideOf, lookBeside } from './beside/places.ts';
import { putBeside } from './beside/put-beside.ts';
import { verifyRowCounts } from './count-rows.ts';
import { assertAllTables } from './drill/complete.ts';
import { openToRunLogin, prepareDatabase } from './drill/prepare-database.ts';
import { canGoOn, explainRestoreFailure, UnfinishedRestore } from './failure.ts';
import { fillDatabase } from './fill-database.ts';
import { assertNoProblems } from './findings.ts';
import type { ReadFreeSpace } from './free-space.ts';
import { avoidedDatabases, type PrepareDependencies, prepareRestore } from './prepare.ts';
import type { PlannedMode } from './restore-mode.ts';
import {
  awaitEarlierSessions,
  dropExpiredDatabases,
  dropRecord,
  markUnfinished,
  type RestoreRecord,
  readRecord,
} from './restore-record.ts';
import { createMissingRoles } from './roles.ts';
import { restoreRows } from './rows/restore-rows.ts';
import { isForgivable } from './schema-entry.ts';
import { openServerSession } from './server-session.ts';
import { openRestoreSession } from './session.ts';
import { datedName, presentDatabases, swapDatabases } from './swap.ts';
import type { RestoreOptions } from './tailor.ts';
import {
  createStagingDatabase,
  dropStagingDatabase,
  offerDatabase,
  propertyStatements,
  stagingName,
} from './target-database.ts';
import { verifyBuilt } from './verify-built.ts';

export interface RestoreRequest extends RestoreOptions {
  jobId: string;
  backupId: string;
  /** The configured database that the backup is of. */
  database: string;
  /** The new database's name; with `mode: 'swap'`, of the one whose place it takes, with `'data'`, of the one with the tables. */
  targetDatabase: string;
  /**
   * `swap`: the new database takes the place of `targetDatabase`, which is kept under a dated name. `data`: the rows go into tables
   * of `targetDatabase`. `beside`: its tables are copied into `targetDatabase` under other names, and it is dropped. `drill`: it is built as `targetDatabase`, looked over and dropped. By default `new`.
   */
  mode?: PlannedMode | undefined;
  /** By default they are created, without login. */
  missingRoles?: 'create' | 'skip' | undefined;
  /** With `beside`: what the new names of the tables end in. */
  suffix?: string | undefined;
  /** Sessions that load at a time, in place of the settings'. */
  connections?: number | undefined;
  /** Whether to gather the planner's statistics; by default, yes. */
  analyze?: boolean | undefined;
  /** The job whose unfinished database this one goes on with; by default its own. */
  resumes?: string | undefined;
  /** Keeps an unfinished database when the cause is a passing one, and then throws {@link UnfinishedRestore}. */
  resumable?: boolean | undefined;
}

export interface RestoreDependencies {
  /** The server to restore to; its database is the one that CREATE DATABASE is sent from. */
  target: ConnectionTarget;
  store: ObjectStore;
  settings: BackupSettings;
  report: ReportProgress;
  /** Ends the restore early; the unfinished database is removed. */
  signal: AbortSignal;
  /**
   * Brings the filled database to a later moment. An attempt after one that was ended goes on where that one was.
   *
   * @param finish - to be called in the last of its transactions
   * @param leftOut - tables that the database does not have, as an extension is left out; changes of them are passed over
   * @param filling - the target with the login that fills the database
   * @returns what there is to say of it
   */
  replay?:
    | ((
        database: string,
        finish: (client: pg.Client) => Promise<void>,
        leftOut: readonly { schema: string; name: string }[],
        filling?: ConnectionTarget,
      ) => Promise<string[]>)
    | undefined;
  /** Fills the database of a drill, so that code of the backup runs with no other rights; absent: the login of `target` does. */
  runLogin?: RunLogin | undefined;
  /** Looks before, whether changes can be repeated; see `prepareRestore`. */
  checkReplay?: PrepareDependencies['checkReplay'];
  /** Asks how much disk is free on the server; by default, nobody knows. */
  readFreeSpace?: ReadFreeSpace | undefined;
}

export interface RestoreSummary {
  tables: number;
  rows: number;
  bytes: number;
  warnings: string[];
  /** The name under which a swap keeps the database that was replaced; null without one. */
  keptDatabase: string | null;
}

/**
 * Restores a backup into a new database, or its rows into tables that are there ({@link restoreRows}). A new database is built under another name and gets its own only when every row is loaded and
 * counted, so a restore that fails offers nothing, and one that succeeds never removes anything: a swap keeps what it replaces.
 *
 * @throws OperationError with the cause; the unfinished database is dropped
 */
export async function runRestore(request: RestoreRequest, dependencies: RestoreDependencies): Promise<RestoreSummary> {
  const { target, signal, runLogin } = dependencies;
  const filler = runLogin?.target ?? target;
  const { jobId, targetDatabase, mode = 'new', missingRoles = 'create' } = request;
  if (mode === 'data') return restoreRows(request, dependencies);
  const connections = request.connections ?? dependencies.settings.connections;
  const settings = { ...dependencies.settings, connections };
  const planned = { mode, targetDatabase, missingRoles, connections };
  const keptDatabase = mode === 'swap' ? datedName(targetDatabase, 'replaced', jobId) : null;
  const progress = startProgress(dependencies.report);
  const staging = mode === 'drill' ? targetDatabase : stagingName(request.resumes ?? jobId);
  let control: pg.Client | undefined;
  let created = false;
  try {
    signal.throwIfAborted();
    progress.phase('checking');
    const avoided = [...avoidedDatabases(planned), ...(request.expect ? [request.expect.template] : [])];
    control = await openServerSession(target, avoided);
    // What an earlier attempt has left is kept, or removed, as what this one has begun.
    created = (await presentDatabases(control, [staging])).has(staging);
    const prepared = await prepareRestore(
      control,
      { database: request.database, backupId: request.backupId, options: request, planned },
      dependencies,
    );
    const { source, checked, masking } = prepared;
    const { manifest, schema } = prepared.backup;
    const { tables, rows, bytes } = manifest.totals;
    const summary = { tables, rows, bytes, keptDatabase };
    // An attempt before this one ended between the swap and the record of it.
    if (keptDatabase !== null && (await presentDatabases(control, [keptDatabase])).has(keptDatabase)) {
      return { ...summary, warnings: ['An earlier attempt of this job had swapped the databases already'] };
    }
    const beside = mode === 'beside' ? besideOf(request, jobId) : null;
    if (beside && checked.problems.length === 0) {
      checked.problems.push(...(await lookBeside(target, targetDatabase, beside)).problems);
    }
    assertNoProblems(checked.problems);

    progress.phase('schema');
    await dropExpiredDatabases(control);
    const found = await findUnfinished(control, filler, staging, signal);
    created = true;
    const before = [...prepared.backup.warnings];
    if (!found) {
      if (missingRoles === 'create') before.push(...(await createMissingRoles(control, manifest.roles)));
      const { database_properties: properties } = manifest;
      const template = request.expect?.template;
      before.push(...(await createStagingDatabase(control, staging, properties, checked.version, template)));
      if (runLogin) {
        await openToRunLogin(control, staging, runLogin);
        await prepareDatabase(target, staging, runLogin, schema.entries);
      }
    }
    await markUnfinished(control, staging);
    const { replay } = dependencies;
    const keepsRecord = replay !== undefined;
    const filling = { target: filler, settings, signal, source, progress, record: found, masking, keepsRecord };
    const filled = await fillDatabase(staging, { manifest, schema, warnings: before }, request, filling);
    const warnings = [...filled.warnings];
    if (replay) {
      progress.phase('changes');
      warnings.push(...(await replay(staging, dropRecord, prepared.backup.leftOut ?? [], filler)));
    }
    if (mode === 'drill') {
      // Changes make other rows and definitions of them than the manifest has; the replay counts the rows that it meets.
      if (!replay) {
        progress.phase('counting');
        warnings.push(
          ...(await verifyRowCounts(filler, staging, filled.manifest, { connections, signal, isOwner: true })),
        );
        await verifyBuilt(filler, staging, filled.schema);
      }
      assertAllTables(prepared.asked.manifest, filled.manifest, warnings);
      // It is dropped below, on every path.
      return { ...summary, warnings };
    }
    if (beside) {
      progress.phase('copying');
      await putBeside(beside, { from: staging, into: targetDatabase }, { target, signal });
      return { ...summary, warnings };
    }
    await control.query(`COMMENT ON DATABASE ${quoteIdentifier(staging)} IS NULL`);
    for (const statement of propertyStatements(staging, manifest.database_properties, request)) {
      await control.query(statement).catch((error: unknown) => {
        if (!isForgivable(statement, error) && !/^ALTER (DATABASE|ROLE) .* SET /.test(statement)) throw error;
        // Without the value of a setting, which may be a secret.
        const [what = ''] = statement.split(/ (?:TO|=) /, 1);
        const where = what.replaceAll(quoteIdentifier(staging), quoteIdentifier(targetDatabase));
        warnings.push(`Database property: ${(error as Error).message}: ${where}`);
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
    const failure = explainRestoreFailure(signal.aborted ? (signal.reason ?? error) : error);
    if (created && request.resumable && canGoOn(failure)) {
      created = false;
      throw new UnfinishedRestore(failure, staging);
    }
    throw failure;
  } finally {
    if (created) await removeStaging(target, staging);
    if (control)
      await Promise.race([control.end().catch(() => undefined), setTimeout(1000, undefined, { ref: false })]);
    await progress.close();
  }
}

/** What an earlier attempt has done in the database that this one goes on with; null when there is none. */
async function findUnfinished(
  control: pg.Client,
  target: ConnectionTarget,
  staging: string,
  signal: AbortSignal,
): Promise<RestoreRecord | null> {
  if (!(await presentDatabases(control, [staging])).has(staging)) return null;
  const client = await openRestoreSession(target, staging, 'UTF8');
  try {
    await awaitEarlierSessions(client, signal);
    return await readRecord(client);
  } finally {
    await client.end().catch(() => undefined);
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
