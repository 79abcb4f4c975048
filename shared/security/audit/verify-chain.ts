import type { KeyObject } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import type { ObjectStore } from '../../backup/objects/object-store.ts';
import type { Verification } from '../../contract/schemas/audit-trail.ts';
import { OperationError } from '../../errors.ts';
import { DAY_MS } from '../../time.ts';
import { listArchive, readArchive } from './archive.ts';
import { LEAST_KEPT_DAYS } from './auditor.ts';
import { type AuditTable, readHead } from './chain.ts';
import { type Broken, type ChainCheck, createChainCheck } from './check-chain.ts';
import { readDigests } from './digest.ts';
import type { ArchivedRange } from './layout.ts';
import { keyRange } from './list-records.ts';
import { readChain } from './read-chain.ts';

export interface VerifyDependencies {
  table: AuditTable;
  store: ObjectStore;
  /** Whose signatures the digests have. */
  publicKey: KeyObject;
  /** Ends the reading; what was read by then is the answer. */
  timeIsOver: AbortSignal;
  signal: AbortSignal;
  now?: Date;
}

/** An item of the table, or what would be one. */
type Item = Readonly<Record<string, unknown>>;

/** Appends go on meanwhile: so often it is looked whether more has come. */
const LOOKS = 5;

/**
 * Proves a chain: every record against its hash, the one before it and the signed digests, what the table has against the archive,
 * and the end against the head.
 */
export async function verifyChain(
  chain: string,
  { from, to }: { from?: string | undefined; to?: string | undefined },
  { table, store, publicKey, timeIsOver, signal, now = new Date() }: VerifyDependencies,
): Promise<Verification> {
  const range = keyRange({ from, to });
  const objects = (await listArchive(store, chain, signal)).filter(({ lastKey }) => lastKey >= range.first);
  const digests = await readDigests(store, publicKey, chain, from, signal);
  const check = createChainCheck(chain, from === undefined, digests);
  let archived = 0;

  const answer = (broken: Broken | null, complete: boolean): Verification => ({
    chain,
    intact: broken === null,
    complete: complete || broken !== null,
    next_from: complete || broken !== null ? null : (check.last?.at ?? from ?? null),
    records: check.records,
    archived,
    digests: check.digests,
    first: placeOf(check.first),
    last: placeOf(check.last),
    broken,
  });

  const inTable = readChain(table, chain, range);
  const nextItem = async (): Promise<Item | undefined> => (await inTable.next()).value ?? undefined;
  let item = await nextItem();
  for (const object of objects) {
    try {
      for await (const stored of readArchive(store, chain, object, signal)) {
        if (String(stored.sk) < range.first) continue;
        if (String(stored.sk) > range.last) return answer(null, true);
        if (timeIsOver.aborted) return answer(null, false);
        // Two runs that archive at the same time store the same records twice.
        if (check.last && Number(stored.sequence) <= check.last.sequence) continue;
        const broken = check.next(stored, 'archive') ?? differs(stored, item, now);
        if (broken) return answer(broken, true);
        archived += 1;
        if (item?.sk === stored.sk) item = await nextItem();
      }
    } catch (error) {
      const damaged = damageOf(object, error);
      if (damaged) return answer(damaged, true);
      throw error;
    }
  }
  for (; item; item = await nextItem()) {
    if (timeIsOver.aborted) return answer(null, false);
    const broken = check.next(item, 'table');
    if (broken) return answer(broken, true);
  }
  return to === undefined ? answer(await checkEnd(table, chain, check, range), true) : answer(null, true);
}

/** Looks at what was appended meanwhile, and then at the head. */
async function checkEnd(
  table: AuditTable,
  chain: string,
  check: ChainCheck,
  range: ReturnType<typeof keyRange>,
): Promise<Broken | null> {
  for (let look = 1; ; look++) {
    const head = await readHead(table, chain);
    // Nothing was recorded in that time.
    if (check.records === 0 && (head?.at ?? '') < range.first) return null;
    if (look > LOOKS || (head?.sequence ?? 0) <= (check.last?.sequence ?? 0)) return check.end(head);
    const before = check.records;
    const after = check.last ? `${check.last.at}#${String(check.last.sequence).padStart(12, '0')}` : undefined;
    for await (const item of readChain(table, chain, { ...range, after })) {
      const broken = check.next(item, 'table');
      if (broken) return broken;
    }
    if (check.records === before) return check.end(head);
  }
}

/** Whether the table has another record than the archive, or lacks one that it must have still. */
function differs(stored: Item, item: Item | undefined, now: Date): Broken | null {
  const sequence = Number(stored.sequence);
  const broken = (problem: Broken['problem'], message: string): Broken => ({
    sequence,
    problem,
    where: 'table',
    message,
  });
  if (item && item.sk === stored.sk) {
    const { pk: _pk, sk: _sk, expires_at_epoch: _expires, ...record } = item;
    const { pk: _storedPk, sk: _storedSk, ...archived } = stored;
    const isSame = sameFields(record, archived);
    return isSame ? null : broken('altered', `Record ${sequence} is not the one that was archived`);
  }
  if (item && String(item.sk) < String(stored.sk)) {
    return { ...broken('added', `Before record ${sequence} there is one that the archive does not have`) };
  }
  // Time to live removes in no order; what is archived may be gone from then on.
  const mustBeThere = Date.parse(String(stored.at)) > now.getTime() - LEAST_KEPT_DAYS * DAY_MS;
  return mustBeThere ? broken('removed', `Record ${sequence} is in the archive alone`) : null;
}

function sameFields(one: Item, other: Item): boolean {
  const names = new Set([...Object.keys(one), ...Object.keys(other)]);
  return [...names].every((name) => isDeepStrictEqual(one[name], other[name]));
}

function damageOf({ first }: ArchivedRange, error: unknown): Broken | null {
  const { code, message } = error as Error & { code?: unknown };
  const isDamage =
    error instanceof SyntaxError || (error instanceof OperationError && /^object_(?!missing)/.test(String(code)));
  return isDamage ? { sequence: first, problem: 'altered', where: 'archive', message } : null;
}

const placeOf = (head: { sequence: number; at: string } | null) => head && { sequence: head.sequence, at: head.at };
