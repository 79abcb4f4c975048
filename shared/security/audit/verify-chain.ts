import type { KeyObject } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import type { ObjectStore } from '../../backup/objects/object-store.ts';
import type { Verification } from '../../contract/schemas/audit-trail.ts';
import { OperationError } from '../../errors.ts';
import { stateKeys } from '../../state/table.ts';
import { DAY_MS } from '../../time.ts';
import { type ArchivedObject, listArchive, readArchive } from './archive.ts';
import { LEAST_KEPT_DAYS } from './auditor.ts';
import type { AuditTable } from './chain.ts';
import { arrange, type Broken, behindHeads, createChainCheck, type Item, noRecord } from './check-chain.ts';
import { FIRST_KEY, LAST_KEY, unsealedFrom } from './find-unsealed.ts';
import { type Heads, readHeads } from './heads.ts';
import { keyRange } from './list-records.ts';
import { readChain } from './read-chain.ts';
import { isOverdue, readSealsOf, type SealsOfChain } from './read-seals.ts';
import type { Shard } from './record.ts';
import { headsOfSeal } from './seal.ts';
import { createCount, createWindow, earliest } from './verified-span.ts';

export interface VerifyDependencies {
  table: AuditTable;
  store: ObjectStore;
  /** Whose signatures seals and digests have. */
  publicKey: KeyObject;
  /** Ends the reading; what was read by then is the answer. */
  timeIsOver: AbortSignal;
  signal: AbortSignal;
  /** By the table's clock. */
  now?: Date;
}

interface Span {
  from?: string | undefined;
  to?: string | undefined;
}

/**
 * Verifies a chain with its shards: every record against its hash, the one before it, and what was signed; what the table has against the
 * archive, and the ends against the heads. The order is that of the numbers: times, which clocks may have wrong, only say what is looked at.
 */
export async function verifyChain(chain: string, span: Span, dependencies: VerifyDependencies): Promise<Verification> {
  const found = await verifySpan(chain, span, dependencies, span.from);
  if (span.from === undefined || found.broken?.where !== 'table' || found.broken.problem === 'altered') return found;
  // Records of a clock that was wrong may lie outside of the span by their times: what is missing or too many, the whole chain tells.
  const whole = await verifySpan(chain, span, dependencies, undefined);
  return whole.complete ? whole : found;
}

/** @param start - only what was recorded from this time on is read */
async function verifySpan(
  chain: string,
  { from, to }: Span,
  { table, store, publicKey, timeIsOver, signal, now = new Date() }: VerifyDependencies,
  start: string | undefined,
): Promise<Verification> {
  const range = keyRange({ from, to });
  // Before anything else is read: what was appended by then must be there.
  const heads = await readHeads(table, chain);
  const seals = await readSealsOf(store, publicKey, chain, start, signal);
  const { before, last } = seals;
  const startKey = start === undefined ? FIRST_KEY : keyRange({ from: start }).first;
  const objects = (await listArchive(store, chain, signal)).filter((object) => isAsked(object, before, startKey));
  const check = createChainCheck(
    chain,
    before ? headsOfSeal(before) : new Map(),
    start === undefined || before !== null,
    relevant(seals, startKey),
  );
  const counted = createCount(range);
  const sealed: Heads = last ? headsOfSeal(last) : new Map();
  const isUnsealed = (shard: Shard, sequence: number): boolean => sequence > (sealed.get(shard)?.sequence ?? 0);
  /** Where it is not looked at, it comes after the last seal at least. */
  let unsealedSince = last?.sealed_at ?? null;
  let goOn: string | null = from ?? null;

  const answer = (broken: Broken | null, complete: boolean): Verification => {
    const unsealed = [...heads].reduce(
      (sum, [shard, { sequence }]) => sum + Math.max(0, sequence - (sealed.get(shard)?.sequence ?? 0)),
      0,
    );
    return {
      chain,
      intact: broken === null,
      complete: complete || broken !== null,
      next_from: complete || broken !== null ? null : goOn,
      records: counted.records,
      archived: counted.archived,
      digests: check.agreeing,
      first: counted.first,
      last: counted.last,
      broken,
      sealing: {
        last_seal_at: last?.sealed_at ?? null,
        unsealed_records: unsealed,
        unsealed_from: unsealed === 0 ? null : unsealedSince,
        overdue: isOverdue(last, unsealed === 0 ? null : unsealedSince, now),
        gaps: seals.gaps,
      },
    };
  };
  if (seals.broken) return answer(seals.broken, true);

  const tableFrom = earliest([startKey, ...(last ? [unsealedFrom(last.sealed_at)] : [])]) ?? startKey;
  const inTable = createWindow(readChain(table, chain, { first: tableFrom, last: LAST_KEY }));
  for (const object of objects) {
    let isOfSpan = false;
    try {
      for await (const stored of readArchive(store, chain, object, signal)) {
        if (timeIsOver.aborted) return answer(null, false);
        const key = String(stored.sk);
        isOfSpan ||= key <= range.last;
        // Two runs that archive at the same time store the same records twice.
        const reached = check.ends.get(stored.shard as Shard);
        if (reached && Number(stored.sequence) <= reached.sequence) continue;
        // Of former times, when a span began somewhere within an object.
        if (!reached && before === null && key < startKey) continue;
        const item = key < tableFrom ? null : await inTable.take(key);
        const broken = check.next(stored, 'archive') ?? (item === null ? null : differs(stored, item, object, now));
        if (broken) return answer(broken, true);
        counted.add(stored, true);
      }
    } catch (error) {
      const damaged = damageOf(check.ends, error);
      if (damaged) return answer(damaged, true);
      throw error;
    }
    goOn = object.seal?.sealed_at ?? check.ends.get(undefined)?.at ?? goOn;
    const writtenBy = object.seal?.sealed_at ?? object.last?.key ?? '';
    if (to !== undefined && !isOfSpan && writtenBy > range.last) return answer(null, true);
  }

  const items = await inTable.rest(timeIsOver);
  if (items === null) return answer(null, false);
  const { waiting, known, later, strange } = arrange(items, check.ends, heads);
  const [stranger] = strange;
  if (stranger) return answer(noRecord(stranger, 'table'), true);
  const notSealed = waiting.filter(({ shard, sequence }) => isUnsealed(shard as Shard, Number(sequence)));
  unsealedSince = earliest(notSealed.map(({ at }) => String(at))) ?? unsealedSince;
  for (const item of waiting) {
    const broken = check.next(item, 'table');
    if (broken) return answer(broken, true);
    counted.add(item, false);
  }
  // What lies before the span was sealed before it.
  const second = known.find(({ sk }) => String(sk) >= startKey);
  if (second) {
    const broken = check.next(second, 'table');
    if (broken) return answer(broken, true);
  }
  const isExpected = (_shard: Shard, { at }: { at: string }): boolean => start === undefined || at >= startKey;
  const headsNow = await readHeads(table, chain);
  return answer(check.end(grown(heads, check.ends, headsNow), isExpected) ?? behindHeads(later, headsNow), true);
}

/** The heads as they were, but where a seal that was made meanwhile has covered more. */
function grown(heads: Heads, ends: Heads, now: Heads): Heads {
  return new Map(
    [...heads].map(([shard, head]) => {
      const end = ends.get(shard);
      const later = now.get(shard);
      const hasGrown = end && later && end.sequence > head.sequence && later.sequence >= end.sequence;
      return [shard, hasGrown ? (later.sequence === end.sequence ? later : end) : head];
    }),
  );
}

/** Whether an object of the archive may have records of the span. */
function isAsked({ seal, last }: ArchivedObject, before: SealsOfChain['before'], startKey: string): boolean {
  if (seal) return seal.number > (before?.number ?? 0);
  return before === null && (last?.key ?? '') >= startKey;
}

/** What is signed about records of the span: of what did not change in it, nothing is looked at. */
function relevant({ statements, before }: SealsOfChain, startKey: string): SealsOfChain['statements'] {
  const known = before ? headsOfSeal(before) : null;
  return statements.filter(({ shard, sequence, at }) =>
    known ? sequence > (known.get(shard)?.sequence ?? 0) : at >= startKey,
  );
}

/** Whether the table has another record than the archive, or lacks one that it must have still. */
function differs(stored: Item, item: Item | undefined, { storedAt }: ArchivedObject, now: Date): Broken | null {
  const sequence = Number(stored.sequence);
  const broken = (problem: Broken['problem'], message: string): Broken => ({
    sequence,
    ...(stored.shard === undefined ? {} : { shard: Number(stored.shard) }),
    problem,
    where: 'table',
    message,
  });
  if (item) {
    const { pk: _pk, sk: _sk, [stateKeys.timeToLive]: _expires, ...record } = item;
    const { pk: _storedPk, sk: _storedSk, ...archived } = stored;
    return sameFields(record, archived)
      ? null
      : broken('altered', `Record ${sequence} is not the one that was archived`);
  }
  // Time to live removes in no order; what is archived may be gone from then on. A record is no younger than the object that has it, whatever
  // its own time says.
  const keptSince = now.getTime() - LEAST_KEPT_DAYS * DAY_MS;
  const mustBeThere = Date.parse(String(stored.at)) > keptSince && storedAt.getTime() > keptSince;
  return mustBeThere ? broken('removed', `Record ${sequence} is in the archive alone`) : null;
}

function sameFields(one: Item, other: Item): boolean {
  const names = new Set([...Object.keys(one), ...Object.keys(other)]);
  return [...names].every((name) => isDeepStrictEqual(one[name], other[name]));
}

function damageOf(ends: Heads, error: unknown): Broken | null {
  const { code, message } = error as Error & { code?: unknown };
  const isDamage =
    error instanceof SyntaxError || (error instanceof OperationError && /^object_(?!missing)/.test(String(code)));
  const sequence = (ends.get(undefined)?.sequence ?? 0) + 1;
  return isDamage ? { sequence, problem: 'altered', where: 'archive', message } : null;
}
