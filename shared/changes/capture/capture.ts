import type pg from 'pg';
import { z } from 'zod';
import type { ObjectStore } from '../../backup/objects/object-store.ts';
import { OperationError } from '../../errors.ts';
import type { ConnectionTarget } from '../../postgres/connect.ts';
import { isSessionLost } from '../../postgres/session-errors.ts';
import type { DefinitionsSeen } from '../../postgres/table-definitions.ts';
import { compareLsn, type Lsn, lsnToBytes } from '../lsn.ts';
import type { DefinitionChange, SegmentDescription } from '../segments/description.ts';
import { type ChangesOf, listSegments, readDescription, writeDescription } from '../segments/stored-segments.ts';
import { coveredUntil } from '../window/plan-replay.ts';
import { describeSegments } from './describe.ts';
import { noticeDrift } from './drift.ts';
import { isSlotInUse, type LineSource, openLineSource } from './line-source.ts';
import { type ReadResult, readChanges } from './read-changes.ts';
import { holdingSink, streamingSink } from './segment-sink.ts';
import { advanceSlot, lockSlot, openCaptureSession, readSlot, type SlotFacts } from './session.ts';
import { endOfLogSql, nextXidSql } from './slot.sql.ts';
import type { DefinitionCommand } from './tally.ts';

/** Bounds of one run. */
export interface CaptureSettings {
  compressionLevel: number;
  /** A segment ends with the first commit after this many bytes of lines. */
  segmentBytes: number;
  /** Lines that the server decodes at a time: unless they are streamed, it keeps them, on disk where they are many. A transaction is never cut. */
  linesPerRead: number;
  /** With more log than this to decode, lines are streamed over the replication protocol, and the server keeps none. */
  streamAfterBytes: number;
  /** Compressed bytes of a segment that are held in memory; a transaction that needs more is decoded again and streamed. */
  mostHeldBytes: number;
  /** The run begins no further read after this time, in milliseconds. */
  timeMs: number;
  /**
   * Log without any change of this database is passed over, with an empty segment, when it is at least this much. With 0, a
   * segment is written also where the server has written no log at all.
   */
  emptyAfterBytes: number;
}

export const captureDefaults: CaptureSettings = {
  compressionLevel: 1,
  segmentBytes: 67_108_864,
  linesPerRead: 1_000_000,
  streamAfterBytes: 67_108_864,
  mostHeldBytes: 67_108_864,
  timeMs: 45_000,
  emptyAfterBytes: 16_777_216,
};

export interface CaptureDependencies {
  target: ConnectionTarget;
  store: ObjectStore;
  settings: CaptureSettings;
  signal: AbortSignal;
  /** Where changes of definitions are not in the stream: as they were last seen, null before the first time. */
  definitions?: DefinitionsSeen | null | undefined;
  /** Hears of changes of definitions before they are stored; again, when the run ends before they are. */
  onDefinitions?: ((commands: readonly DefinitionCommand[]) => Promise<void>) | undefined;
  /** Told of each change of definitions that cannot be repeated before the slot is moved past it; more than once after a run that was ended. */
  onObstacle?: (change: ObstacleChange) => Promise<void>;
  /** Told once when lines cannot be streamed, and why; they are read by the SQL function then. */
  onStreamRefused?: ((cause: Error) => void) | undefined;
}

/** A change of definitions that ends the window. */
export type ObstacleChange = DefinitionChange & { obstacle: string };

export interface CaptureSummary {
  /** `busy`: another run has the slot. */
  status: 'captured' | 'busy';
  segments: number;
  transactions: number;
  changes: number;
  bytes: number;
  /** Changes until here are stored. */
  position: Lsn;
  /** Whether everything is stored that there was when the run began. */
  caughtUp: boolean;
  /** As the catalog says them by now; null where nobody asked. */
  definitions: DefinitionsSeen | null;
}

/**
 * Stores what has been committed since the slot's position: reads without moving the slot, writes segments and their
 * descriptions, and only then moves the slot. Whatever ends it in between, the next run does the rest again, with the same names.
 *
 * @throws OperationError `slot_missing`, `slot_lost`, `capture_failed`, or one of the connection or the store
 */
export async function captureChanges(of: ChangesOf, dependencies: CaptureDependencies): Promise<CaptureSummary> {
  const { target, store, settings, signal, definitions, onDefinitions } = dependencies;
  const { onObstacle = async () => undefined, onStreamRefused = () => undefined } = dependencies;
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
      position: facts.position,
      caughtUp: false,
      definitions: definitions ?? null,
    };
    if (!(await lockSlot(client, of.slot))) return { ...summary, status: 'busy' };
    summary.position = await passStored(client, { of, store, from: facts.position, signal, onObstacle });
    const end = await readEnd(client, settings.emptyAfterBytes === 0 ? summary.position : null);
    const source = openLineSource(client, {
      ...{ target, onStreamRefused },
      streamAfterBytes: settings.streamAfterBytes,
    });
    const run: Run = {
      ...{ of, store, settings, signal, onDefinitions, onObstacle },
      ...{ source, facts, summary, end, looksForDrift: definitions !== undefined },
    };
    while (!summary.caughtUp && performance.now() < deadline) {
      signal.throwIfAborted();
      await captureOnce(client, run);
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
  caughtUp: false,
  definitions: null,
} as const;

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

interface Run {
  of: ChangesOf;
  store: ObjectStore;
  settings: CaptureSettings;
  signal: AbortSignal;
  onDefinitions: CaptureDependencies['onDefinitions'];
  facts: SlotFacts;
  summary: CaptureSummary;
  /** Of the log, when the run began; a server that is kept busy would never let it end otherwise. */
  end: z.output<typeof endSchema>;
  source: LineSource;
  looksForDrift: boolean;
  onObstacle: NonNullable<CaptureDependencies['onObstacle']>;
}

async function tellObstacles(
  { definition_changes: changes }: SegmentDescription,
  onObstacle: Run['onObstacle'],
): Promise<void> {
  for (const change of changes) {
    const { obstacle } = change;
    if (obstacle !== null) await onObstacle({ ...change, obstacle });
  }
}

const endSchema = z.object({ captured_at: z.string(), lsn: z.string() });
const nextSchema = z.object({ next_xid: z.string() });

/** Until a number that was given is on disk, at most. A server whose log is written later has log for the next run. */
const FLUSH_LOOKS = 20;

/**
 * Looks up the end of the log. A segment is named by where it begins and ends, so one that says no more than that nothing has happened
 * needs log as well: on an idle server this session takes a transaction number, which writes a few bytes.
 *
 * @param beyond - the end is to be behind this position; null for wherever it is
 */
async function readEnd(client: pg.Client, beyond: Lsn | null): Promise<z.output<typeof endSchema>> {
  const read = async () => endSchema.parse((await client.query(endOfLogSql)).rows[0]);
  let end = await read();
  if (beyond === null || compareLsn(end.lsn, beyond) > 0) return end;
  await client.query('SELECT pg_catalog.pg_current_xact_id()');
  for (let look = 0; look < FLUSH_LOOKS && compareLsn(end.lsn, beyond) <= 0; look += 1) {
    await client.query('SELECT pg_catalog.pg_sleep(0.1)');
    end = await read();
  }
  return end;
}

async function captureOnce(client: pg.Client, run: Run): Promise<void> {
  const { of, store, settings, signal, onDefinitions, onObstacle, facts, summary, end } = run;
  if (compareLsn(end.lsn, summary.position) <= 0) {
    summary.caughtUp = true;
    return;
  }
  const { segments, reachedEnd } = await readBounded(run);
  const last = segments.at(-1);
  if (!last) throw new Error('The server decoded lines without a commit');
  summary.caughtUp = reachedEnd;
  const capturedAt = reachedEnd ? end.captured_at : (last.tally.lastCommitAt ?? end.captured_at);
  const drift = run.looksForDrift ? await lookForDrift(client, run, capturedAt) : null;
  const isEmpty = segments.every(({ object }) => object === null);
  const passed = lsnToBytes(last.range.lastLsn) - lsnToBytes(summary.position);
  if (isEmpty && reachedEnd && !drift && passed < settings.emptyAfterBytes) return;

  // Whoever committed in what was read, which a stream may end a little behind the end, has its number by now; and so has the drift:
  // no base that has not seen its transaction can do without the read.
  const { next_xid: nextXid } = nextSchema.parse((await client.query(nextXidSql)).rows[0]);
  // A segment exists once it is described: what is not heard now, the next run reads again.
  const commands = segments.flatMap(({ tally }) => tally.commands);
  if (commands.length > 0) await onDefinitions?.(commands);
  for (const description of await describeSegments(client, {
    of,
    facts,
    segments,
    capturedAt: end.captured_at,
    reachedEnd,
    nextXid,
    drift,
  })) {
    await writeDescription(store, description, signal);
    await tellObstacles(description, onObstacle);
    summary.segments += 1;
    summary.transactions += description.transactions;
    summary.changes += description.changes;
    summary.bytes += description.bytes;
  }
  signal.throwIfAborted();
  await advanceSlot(client, of.slot, last.range.lastLsn);
  summary.position = last.range.lastLsn;
}

/** @param capturedAt - as the last segment of the read will say */
async function lookForDrift(client: pg.Client, run: Run, capturedAt: string): Promise<DefinitionChange | null> {
  const { summary } = run;
  const at = coveredUntil({ captured_at: capturedAt });
  const { seen, change } = await noticeDrift(client, summary.definitions, { from: summary.position, at });
  summary.definitions = seen;
  return change;
}

/** Reads and stores with bounded memory: a large transaction alone, after what is before it in its segment. */
async function readBounded({
  of,
  store,
  settings,
  signal,
  facts,
  summary,
  source,
  end: { lsn: upto },
}: Run): Promise<ReadResult> {
  const { compressionLevel, segmentBytes, linesPerRead, mostHeldBytes } = settings;
  const sink = { store, of, compressionLevel, signal };
  const request = { slot: of.slot, encoding: facts.encoding, from: summary.position, segmentBytes };
  const bounded = { ...request, upto, mostLines: linesPerRead, mostHeld: mostHeldBytes };
  const found = await readChanges(source, bounded, () => holdingSink(sink), signal);
  if (!found.tooLarge || found.segments.length > 0) return found;
  const { before, end } = found.tooLarge;
  const unbounded = { ...request, mostLines: null, segmentBytes: Number.POSITIVE_INFINITY, mostHeld: mostHeldBytes };
  const again =
    before === null
      ? await readChanges(
          source,
          { ...unbounded, upto: end },
          () => streamingSink(sink, { firstLsn: request.from, lastLsn: end }),
          signal,
        )
      : await readChanges(source, { ...unbounded, upto: before }, () => holdingSink(sink), signal);
  return { ...again, reachedEnd: false };
}

/** configuration_limit_exceeded: of those there are, reading changes meets temp_file_limit alone. */
const CONFIGURATION_LIMIT = '53400';

function explainCaptureFailure(error: unknown, slot: string): unknown {
  if (error instanceof OperationError || !(error instanceof Error)) return error;
  const code = (error as { code?: string }).code ?? '';
  if (isSessionLost(error)) {
    return new OperationError(
      'connection_lost',
      `The server ended the connection that reads changes: ${error.message}`,
      'Nothing is lost: the next run reads them again.',
      { cause: error },
    );
  }
  if (!/^[0-9A-Z]{5}$/.test(code)) return error;
  return new OperationError(
    'capture_failed',
    `The server could not give the changes of slot ${slot} (SQLSTATE ${code}): ${error.message}`,
    code === CONFIGURATION_LIMIT
      ? 'Nothing is lost yet: the server spools a transaction in temporary files. Raise temp_file_limit for the login (ALTER ROLE ... SET temp_file_limit) above the decoded size of the largest transaction.'
      : 'Nothing is lost yet: mend the cause that the server names before its log fills the disk.',
    { cause: error },
  );
}
