import type pg from 'pg';
import { OperationError } from '../../../errors.ts';
import type { ProgressMeter } from '../../../progress/progress.ts';
import { startProgress } from '../../../progress/progress.ts';
import { runLanes } from '../../export/lanes.ts';
import { canGoOn, explainRestoreFailure, UnfinishedRestore } from '../failure.ts';
import { assertNoProblems } from '../findings.ts';
import { refreshMaterializedViews } from '../finish-schema.ts';
import { loadLargeObjects } from '../load-rows.ts';
import { createRecord, dropRecord, type RestoreRecord, readRecord, recordItem } from '../restore-record.ts';
import type { RestoreDependencies, RestoreRequest, RestoreSummary } from '../run-restore.ts';
import { analyzeTable } from '../statistics.ts';
import { stagingName } from '../target-database.ts';
import { loadRows } from './load.ts';
import { placeItem } from './places.ts';
import { advanceSequences } from './positions.ts';
import { type PreparedRows, prepareRows } from './prepare-rows.ts';
import { endEarlierSessions, openRowsSession, type RowsPlace, unlessAborted } from './session.ts';
import { takeBackRows } from './take-back.ts';
import { verifyKeys } from './verify-keys.ts';

/**
 * Restores the rows of a backup into the tables of an existing database, which must be empty. What is loaded is recorded in that
 * database, in the transaction of the rows, so that an interrupted restore goes on, and one that fails takes back its own rows
 * and no others.
 *
 * @throws OperationError with the cause, once the rows are taken back; `rows_left` when not all of them could be
 */
export async function restoreRows(request: RestoreRequest, dependencies: RestoreDependencies): Promise<RestoreSummary> {
  const { target, settings, signal, store } = dependencies;
  const { jobId, targetDatabase, missingRoles = 'create', connections = settings.connections } = request;
  const place: RowsPlace = { target, database: targetDatabase, record: stagingName(request.resumes ?? jobId) };
  const progress = startProgress(dependencies.report);
  let main: pg.Client | undefined;
  let begun = false;
  const loading = { underWay: false, advanced: false };
  try {
    signal.throwIfAborted();
    progress.phase('checking');
    main = await openRowsSession(place);
    // Known before the wait for earlier sessions, which may take longer than this attempt.
    begun = (await readRecord(main, place.record)) !== null;
    await endEarlierSessions(main, place, signal, { awaitWork: true });
    const found = await readRecord(main, place.record);
    begun = found !== null;
    const prepared = await prepareRows(
      main,
      {
        database: request.database,
        backupId: request.backupId,
        options: request,
        planned: { mode: 'data', targetDatabase, missingRoles, connections },
        record: found,
      },
      dependencies,
    );
    assertNoProblems(prepared.checked.problems);
    const first = found ?? (await beginRecord(main, place, prepared, request));
    begun = true;
    const record: RestoreRecord = {
      ...first,
      add: async (...items) => {
        await first.add(...items);
        loading.advanced = true;
      },
    };
    const warnings = await fillTables(main, place, prepared, request, {
      record,
      connections,
      progress,
      signal,
      loading,
    });
    const { tables, rows, bytes } = prepared.manifest.totals;
    return { tables, rows, bytes, warnings, keptDatabase: null };
  } catch (error) {
    const failure = explainRestoreFailure(signal.aborted ? (signal.reason ?? error) : error);
    if (!begun) throw failure;
    // A table that must be loaded at once and does not fit an invocation would be begun again for ever.
    const isFutile = (failure as Error | null)?.name === 'TimeoutError' && loading.underWay && !loading.advanced;
    if (request.resumable && canGoOn(failure) && !isFutile) throw new UnfinishedRestore(failure, targetDatabase);
    await main?.end().catch(() => undefined);
    // Out of reach, the rows stay for now: the job tries again, and says so if that fails as well.
    const left = await takeBackRows(place, { store, database: request.database, backupId: request.backupId }).catch(
      (): string[] => [],
    );
    if (left.length === 0) throw failure;
    throw rowsLeft(left, (failure as Error).message);
  } finally {
    await main?.end().catch(() => undefined);
    await progress.close();
  }
}

/** The failure of a restore whose rows could not all be taken back. */
export function rowsLeft(left: readonly string[], cause: string): OperationError {
  return new OperationError(
    'rows_left',
    `${cause}. Not all rows that were loaded are taken back: ${left.join('; ')}`,
    'Remove what stands in the way, then discard the restore (POST restore/{id}/discard), which takes the rest back.',
  );
}

/** The record begins with where all rows go, so that they can be taken back without the backup. */
async function beginRecord(
  client: pg.Client,
  { record: schema }: RowsPlace,
  { destinations, checked }: PreparedRows,
  { masking }: Pick<RestoreRequest, 'masking'>,
): Promise<RestoreRecord> {
  await client.query('BEGIN');
  const record = await createRecord(client, schema);
  // That the disk is unknown is of no use once it has sufficed.
  const warnings = checked.warnings.filter(({ code }) => code !== 'free_space_unknown');
  await record.add(
    client,
    [recordItem.definitions, ...(masking ? [recordItem.masked(masking.version)] : []), ...destinations.map(placeItem)],
    warnings.map(({ message }) => message),
  );
  await client.query('COMMIT');
  return record;
}

async function fillTables(
  main: pg.Client,
  place: RowsPlace,
  { source, manifest, destinations, masking, way, positions }: PreparedRows,
  { analyze = true, withoutOwners }: RestoreRequest,
  {
    record,
    connections,
    progress,
    signal,
    loading,
  }: {
    record: RestoreRecord;
    connections: number;
    progress: ProgressMeter;
    signal: AbortSignal;
    /** Told whether rows are being loaded. */
    loading: { underWay: boolean };
  },
): Promise<string[]> {
  const { tables, rows, bytes } = manifest.totals;
  progress.total({ tables, rows, bytes });
  progress.phase('data');
  const open = () => openRowsSession(place, { replica: way.replica });
  loading.underWay = true;
  await loadRows(manifest, way, {
    source,
    encoding: manifest.encoding,
    record,
    masking,
    progress,
    open,
    lanes: connections,
    signal,
  });
  const onBytes = (loaded: number): void => progress.add({ bytes: loaded });
  const warnings = await loadLargeObjects(main, source, manifest.large_objects, {
    record,
    withoutOwners,
    onBytes,
    signal,
  });

  loading.underWay = false;

  // Before the keys are checked: the planner then knows what it joins.
  if (analyze) {
    progress.phase('statistics');
    const relations = new Map(destinations.map(({ into }) => [into.oid, into]));
    await runLanes(relations.values(), connections, {
      open: () => openRowsSession(place),
      work: async (client, relation, laneSignal) => {
        warnings.push(...(await unlessAborted(laneSignal, analyzeTable(client, relation))));
      },
      close: (client) => client.end(),
      signal,
    });
  }
  if (way.replica) {
    progress.phase('checking keys');
    await verifyKeys(way.keys, way.members, { place, lanes: connections, record, signal });
  }
  progress.phase('materialized views');
  warnings.push(...(await unlessAborted(signal, refreshMaterializedViews(main, manifest, [], signal))));
  signal.throwIfAborted();
  await advanceSequences(main, positions);
  // Until here the rows may be lost with their record; from here on they are there to stay.
  await main.query('SET synchronous_commit = on');
  await dropRecord(main, place.record);
  return [...record.warnings, ...warnings];
}
