import type pg from 'pg';
import type { ObjectStore } from '../../backup/objects/object-store.ts';
import type { ConnectionTarget } from '../../postgres/connect.ts';
import type { CatalogSeen } from '../../postgres/definitions/catalog-seen.ts';
import type { DefinitionsSeen } from '../../postgres/table-definitions.ts';
import { compareLsn, type Lsn } from '../lsn.ts';
import { type SlotRecord, verifierOf } from '../segments/description.ts';
import {
  type ChangesOf,
  listSegments,
  readDescription,
  readSlotRecord,
  writeSlotRecord,
} from '../segments/stored-segments.ts';
import { followDefinitions } from '../setup/definition-triggers.ts';
import { coveredUntil } from '../window/coverage.ts';
import {
  type CaptureSummary,
  captureOnce,
  type ObstacleChange,
  type Run,
  tellObstacles,
  type UnauthenticatedMessages,
} from './capture-once.ts';
import { readEnd } from './end-of-log.ts';
import { explainCaptureFailure } from './failure.ts';
import { isSlotInUse, openLineSource } from './line-source.ts';
import type { LinesRead } from './read-changes.ts';
import { advanceSlot, lockSlot, openCaptureSession, readSlot } from './session.ts';
import type { CaptureSettings } from './settings.ts';
import type { DefinitionCommand } from './tally.ts';

export interface CaptureDependencies {
  target: ConnectionTarget;
  store: ObjectStore;
  settings: CaptureSettings;
  signal: AbortSignal;
  /** Where changes of definitions are not in the stream: as they were last seen, null before the first time. */
  definitions?: DefinitionsSeen | null | undefined;
  /** Where they are in the stream: as the catalogs were last seen, null before the first time. */
  catalog?: CatalogSeen | null | undefined;
  /** Hears of changes of definitions before they are stored; again, when the run ends before they are. */
  onDefinitions?: ((commands: readonly DefinitionCommand[]) => Promise<void>) | undefined;
  /** Hears of messages that claim to be of the event triggers, which did not write them, before they are stored; again as above. */
  onUnauthenticated?: ((messages: UnauthenticatedMessages) => Promise<void>) | undefined;
  /** Told of each change of definitions that cannot be repeated before the slot is moved past it; more than once after a run that was ended. */
  onObstacle?: (change: ObstacleChange) => Promise<void>;
  /** Told once when lines cannot be streamed, and why; they are read by the SQL function then. */
  onStreamRefused?: ((cause: Error) => void) | undefined;
  /** Told of lines as they are read; what is given up, to be read again, is taken off by numbers below zero. */
  onRead?: ((read: LinesRead) => void) | undefined;
}

/**
 * Stores what has been committed since the slot's position: reads without moving the slot, writes segments and their
 * descriptions, and only then moves the slot. Whatever ends it in between, the next run does the rest again, with the same names.
 *
 * @throws OperationError `slot_missing`, `slot_lost`, `capture_failed`, or one of the connection or the store
 */
export async function captureChanges(of: ChangesOf, dependencies: CaptureDependencies): Promise<CaptureSummary> {
  const { target, store, settings, signal, definitions, catalog, onDefinitions, onUnauthenticated } = dependencies;
  const { onObstacle = async () => undefined, onStreamRefused = () => undefined, onRead } = dependencies;
  const deadline = performance.now() + settings.timeMs;
  signal.throwIfAborted();
  const client = await openCaptureSession(target);
  try {
    const facts = await readSlot(client, of.slot);
    const summary: CaptureSummary = {
      status: 'captured',
      segments: 0,
      transactions: 0,
      changes: 0,
      bytes: 0,
      unauthenticated: 0,
      warning: null,
      position: facts.position,
      caughtUp: false,
      coveredUntil: null,
      definitions: definitions ?? null,
      catalog: catalog ?? null,
    };
    if (!(await lockSlot(client, of.slot))) return { ...summary, status: 'busy' };
    summary.position = await passStored(client, { of, store, from: facts.position, signal, onObstacle });
    const { record, warning } = await openRecord(client, of, store, signal);
    summary.warning = warning;
    const mustReach = settings.emptyAfterBytes === 0 || record.untold !== null;
    const end = await readEnd(client, mustReach ? summary.position : null);
    const source = openLineSource(client, {
      ...{ target, onStreamRefused },
      streamAfterBytes: settings.streamAfterBytes,
    });
    const run: Run = {
      ...{ of, store, settings, signal, onDefinitions, onUnauthenticated, onObstacle, onRead },
      tally: { verify: verifierOf(record), xid: BigInt(facts.nextXid) },
      untold: record.untold,
      ...{
        source,
        facts,
        summary,
        end,
        looksForDrift: definitions !== undefined,
        looksAtCatalogs: catalog !== undefined,
      },
    };
    while (!summary.caughtUp && performance.now() < deadline) {
      signal.throwIfAborted();
      await captureOnce(client, run);
      if (record.untold !== null && run.untold === null) {
        record.untold = null;
        await writeSlotRecord(store, record, signal);
      }
    }
    return summary;
  } catch (error) {
    if (isSlotInUse(error)) return { ...emptySummary, position: '0/0' };
    throw explainCaptureFailure(signal.aborted ? (signal.reason ?? error) : error, of.slot);
  } finally {
    await client.end().catch(() => undefined);
  }
}

const emptySummary = {
  status: 'busy',
  segments: 0,
  transactions: 0,
  changes: 0,
  bytes: 0,
  unauthenticated: 0,
  warning: null,
  caughtUp: false,
  coveredUntil: null,
  definitions: null,
  catalog: null,
} as const;

/** Reads the slot's record, and sees to it that changes of definitions are told, and by what they are known, from now on. */
async function openRecord(
  client: pg.Client,
  of: ChangesOf,
  store: ObjectStore,
  signal: AbortSignal,
): Promise<{ record: SlotRecord; warning: string | null }> {
  const record = await readSlotRecord(store, of, signal);
  if (!record.follows_definitions) return { record, warning: null };
  const { signing, isNew, untold, warning } = await followDefinitions(client, record.signing);
  if (!isNew) return { record, warning };
  const reason = untold && `${untold}: a change of definitions may not have been noted`;
  const renewed = {
    ...record,
    signing,
    untold: record.untold ?? (reason === null ? null : { at: await lastCovered(store, of, record, signal), reason }),
  };
  // Before anything is stored that is signed so.
  await writeSlotRecord(store, renewed, signal);
  return { record: renewed, warning };
}

/** Until when all that was committed is stored. */
async function lastCovered(
  store: ObjectStore,
  of: ChangesOf,
  { created_at: created }: SlotRecord,
  signal: AbortSignal,
): Promise<string> {
  const last = (await listSegments(store, of)).at(-1);
  return last ? coveredUntil(await readDescription(store, of, last, signal)) : created;
}

/** Moves the slot past segments that exist: an earlier run ended between writing them and moving it, or the server forgot. */
async function passStored(
  client: pg.Client,
  { of, store, from, signal, onObstacle }: Pick<Run, 'of' | 'store' | 'signal' | 'onObstacle'> & { from: Lsn },
): Promise<Lsn> {
  let position = from;
  for (const range of await listSegments(store, of, from)) {
    const { firstLsn, lastLsn } = range;
    if (compareLsn(firstLsn, position) > 0) break;
    await tellObstacles(await readDescription(store, of, range, signal), onObstacle);
    if (compareLsn(lastLsn, position) > 0) position = lastLsn;
  }
  if (compareLsn(position, from) > 0) await advanceSlot(client, of.slot, position);
  return position;
}
