import type pg from 'pg';
import * as z from 'zod';
import type { ObjectStore } from '../../backup/objects/object-store.ts';
import type { CatalogSeen } from '../../postgres/definitions/catalog-seen.ts';
import type { DefinitionsSeen } from '../../postgres/table-definitions.ts';
import { compareLsn, type Lsn, lsnToBytes } from '../lsn.ts';
import type { DefinitionChange, SegmentDescription, SlotRecord } from '../segments/description.ts';
import { type ChangesOf, listSegments, readDescription, writeDescription } from '../segments/stored-segments.ts';
import { coveredUntil } from '../window/coverage.ts';
import { describeSegments } from './describe.ts';
import { noticeDrift, untoldSince } from './drift.ts';
import { type EndOfLog, readEnd } from './end-of-log.ts';
import type { LineSource } from './line-source.ts';
import { type ReadOptions, type ReadResult, readChanges } from './read-changes.ts';
import { countingSink, holdingSink, streamingSink } from './segment-sink.ts';
import { advanceSlot, type SlotFacts } from './session.ts';
import type { CaptureSettings } from './settings.ts';
import { nextXidSql } from './slot.sql.ts';
import { type ClaimedCommand, type DefinitionCommand, MOST_CLAIMS, type TallyOptions } from './tally.ts';
import { noticeUntold, tellsOfDefinitions } from './untold.ts';

/** A change of definitions that ends the window. */
export type ObstacleChange = DefinitionChange & { obstacle: string };

export interface CaptureSummary {
  /** `busy`: another run has the slot. */
  status: 'captured' | 'busy';
  segments: number;
  transactions: number;
  changes: number;
  bytes: number;
  /** Messages that claimed to be of the event triggers and were not, which are ignored. */
  unauthenticated: number;
  /** What changes of definitions are captured the worse for. */
  warning: string | null;
  /** Changes until here are stored. */
  position: Lsn;
  /** Whether everything is stored that there was when the run began. */
  caughtUp: boolean;
  /** Until when, by the server's clock, nothing was committed but what is stored up to `position`; null unless it has caught up. */
  coveredUntil: string | null;
  /** As the catalog says them by now; null where nobody asked. */
  definitions: DefinitionsSeen | null;
  /** As the catalogs say all definitions by now, where event triggers tell of changes; null where nobody asked. */
  catalog: CatalogSeen | null;
}

/** Messages of one read that claim to be of the event triggers, which did not write them. */
export interface UnauthenticatedMessages {
  count: number;
  /** What the first of them claim. */
  claims: readonly ClaimedCommand[];
}

/** One run of a capture. */
export interface Run {
  of: ChangesOf;
  store: ObjectStore;
  settings: CaptureSettings;
  signal: AbortSignal;
  onDefinitions: ((commands: readonly DefinitionCommand[]) => Promise<void>) | undefined;
  onUnauthenticated: ((messages: UnauthenticatedMessages) => Promise<void>) | undefined;
  tally: TallyOptions;
  /** Why and since when it is not known that every change of definitions is told; null: it is known. */
  untold: SlotRecord['untold'];
  facts: SlotFacts;
  summary: CaptureSummary;
  /** Of the log, when the run began; a server that is kept busy would never let it end otherwise. */
  end: EndOfLog;
  source: LineSource;
  looksForDrift: boolean;
  /** Whether the catalogs are held against what event triggers tell. */
  looksAtCatalogs: boolean;
  onObstacle: (change: ObstacleChange) => Promise<void>;
  onRead: ReadOptions['onRead'];
}

/** Tells of what a segment holds and cannot be repeated. */
export async function tellObstacles(
  { definition_changes: changes }: SegmentDescription,
  onObstacle: Run['onObstacle'],
): Promise<void> {
  for (const change of changes) {
    const { obstacle } = change;
    if (obstacle !== null) await onObstacle({ ...change, obstacle });
  }
}

const nextSchema = z.object({ next_xid: z.string() });

/** Reads once, stores what was read, and moves the slot past it. */
export async function captureOnce(client: pg.Client, run: Run): Promise<void> {
  const { of, store, settings, signal, onDefinitions, onUnauthenticated, onObstacle, facts, summary, end } = run;
  if (compareLsn(end.lsn, summary.position) <= 0 && run.untold === null) return catchUp(run);

  const { segments, reachedEnd } = await readBounded(run);
  const last = segments.at(-1);
  if (!last) throw new Error('The server decoded lines without a commit');
  if (reachedEnd) catchUp(run);
  const capturedAt = reachedEnd ? end.captured_at : (last.tally.lastCommitAt ?? end.captured_at);
  const drift = await untoldChange(client, run, { capturedAt, segments, reachedEnd, until: last.range.lastLsn });
  const isEmpty = segments.every(({ object }) => object === null);
  const passed = lsnToBytes(last.range.lastLsn) - lsnToBytes(summary.position);
  if (isEmpty && reachedEnd && !drift && passed < settings.emptyAfterBytes) return;

  // Whoever committed in what was read, which a stream may end a little behind the end, has its number by now; and so has the drift:
  // no base that has not seen its transaction can do without the read.
  const { next_xid: nextXid } = nextSchema.parse((await client.query(nextXidSql)).rows[0]);
  // A segment exists once it is described: what is not heard now, the next run reads again.
  const commands = segments.flatMap(({ tally }) => tally.commands);
  if (commands.length > 0) await onDefinitions?.(commands);
  const unauthenticated = segments.reduce((total, { tally }) => total + tally.unauthenticated, 0);
  if (unauthenticated > 0) {
    const claims = segments.flatMap(({ tally }) => tally.claims).slice(0, MOST_CLAIMS);
    await onUnauthenticated?.({ count: unauthenticated, claims });
    summary.unauthenticated += unauthenticated;
  }
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
  run.untold = null;
}

function catchUp({ summary, end }: Run): void {
  summary.caughtUp = true;
  summary.coveredUntil = coveredUntil(end);
}

/** What was read, as far as it matters to what it does not tell. */
interface WasRead extends Pick<ReadResult, 'segments' | 'reachedEnd'> {
  /** As the last segment of the read will say. */
  capturedAt: string;
  until: Lsn;
}

/** A change of definitions, or the possibility of one, that the lines do not tell of. */
async function untoldChange(client: pg.Client, run: Run, read: WasRead): Promise<DefinitionChange | null> {
  const { summary, untold } = run;
  const { capturedAt, until, reachedEnd } = read;
  const at = coveredUntil({ captured_at: capturedAt });
  const from = summary.position;
  const noticed =
    run.looksAtCatalogs && reachedEnd
      ? await noticeUntold(client, summary.catalog, {
          ...{ from, until, at },
          isTold: (known, ofEventTriggers) => isTold(run, read, known, ofEventTriggers),
          isToldLater: () => isToldLater(client, run, until),
        })
      : null;
  if (noticed) summary.catalog = noticed.seen;
  if (untold !== null) return untoldSince(client, summary.position, untold);
  if (!run.looksForDrift) return noticed?.change ?? null;
  const { seen, change } = await noticeDrift(client, summary.definitions, { from, at });
  summary.definitions = seen;
  return change;
}

/** Whether changes of definitions were told since the catalogs were looked at. */
async function isTold(
  { of, store, signal, summary }: Run,
  { segments }: WasRead,
  known: CatalogSeen,
  ofEventTriggers: boolean,
): Promise<boolean> {
  if (segments.some(({ tally }) => tellsOfDefinitions(tally.definitionChanges, ofEventTriggers))) return true;
  // Stored by a run that did not come to note what it saw.
  for (const range of await listSegments(store, of, known.lsn)) {
    if (compareLsn(range.lastLsn, summary.position) > 0) break;
    const { definition_changes: changes } = await readDescription(store, of, range, signal);
    if (tellsOfDefinitions(changes, ofEventTriggers)) return true;
  }
  return false;
}

/** Whether what was committed since the read tells of changes of definitions: the catalogs may show them already. */
async function isToldLater(client: pg.Client, run: Run, from: Lsn): Promise<boolean> {
  const { of, settings, signal, tally, facts, source } = run;
  const { lsn: upto } = await readEnd(client, null);
  if (compareLsn(upto, from) <= 0) return false;
  const { segments } = await readChanges(
    source,
    {
      ...{ slot: of.slot, encoding: facts.encoding, from, upto },
      ...{ segmentBytes: Number.POSITIVE_INFINITY, mostLines: settings.linesPerRead, mostHeld: settings.mostHeldBytes },
    },
    countingSink,
    { signal, tally },
  );
  // What is of the first read is read again, and told nothing.
  return segments.some((each) => tellsOfDefinitions(each.tally.definitionChanges));
}

/** Reads and stores with bounded memory: a large transaction alone, after what is before it in its segment. */
async function readBounded({
  of,
  store,
  settings,
  signal,
  tally,
  facts,
  summary,
  source,
  onRead,
  end: { lsn: upto },
}: Run): Promise<ReadResult> {
  const { compressionLevel, segmentBytes, linesPerRead, mostHeldBytes } = settings;
  const sink = { store, of, compressionLevel, signal };
  const request = { slot: of.slot, encoding: facts.encoding, from: summary.position, segmentBytes };
  const bounded = { ...request, upto, mostLines: linesPerRead, mostHeld: mostHeldBytes };
  const reading = { signal, tally, onRead };
  const found = await readChanges(source, bounded, () => holdingSink(sink), reading);
  if (!found.tooLarge || found.segments.length > 0) return found;
  const { before, end } = found.tooLarge;
  const unbounded = { ...request, mostLines: null, segmentBytes: Number.POSITIVE_INFINITY, mostHeld: mostHeldBytes };
  const again =
    before === null
      ? await readChanges(
          source,
          { ...unbounded, upto: end },
          () => streamingSink(sink, { firstLsn: request.from, lastLsn: end }),
          reading,
        )
      : await readChanges(source, { ...unbounded, upto: before }, () => holdingSink(sink), reading);
  return { ...again, reachedEnd: false };
}
