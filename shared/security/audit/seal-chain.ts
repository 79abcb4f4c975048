import type { KeyObject } from 'node:crypto';
import type { ObjectStore } from '../../backup/objects/object-store.ts';
import type { AuditRecord } from '../../contract/schemas/audit.ts';
import { OperationError } from '../../errors.ts';
import { DAY_MS } from '../../time.ts';
import { writeArchive } from './archive.ts';
import type { AuditTable } from './chain.ts';
import { findUnsealed, type Start } from './find-unsealed.ts';
import { formerEnd } from './former-archive.ts';
import { type Heads, readHeads } from './heads.ts';
import { headsOfSeal, putSeal, readLastSeal, type Seal } from './seal.ts';
import type { Signing } from './signature.ts';

const MINUTE_MS = 60_000;
/** A chain that has grown is sealed when its last seal is so old, or when so many records wait. */
export const SEALED_EVERY_MS = 15 * MINUTE_MS;
export const SEALED_AFTER_RECORDS = 250;
/** And one that has not, once a day, so that a missing seal tells of a failure: a little sooner, as the function comes at its own times. */
const SEALED_ALWAYS_AFTER_MS = DAY_MS - 30 * MINUTE_MS;
/** Records of one seal, of the chain and of each shard: what waits beyond it, after days of failures, has seals of its own. */
const MAX_PER_SEAL = { chain: 20_000, shard: 1000 };
/** Seals that one run makes of a chain at most. */
const MAX_SEALS = 100;

export interface SealReport {
  archived: number;
  /** Number of the seal that was made last; null when none was due. */
  sealed: number | null;
}

export interface SealDependencies {
  table: AuditTable;
  store: ObjectStore;
  signing: Signing;
  /** Whose signature the last seal has. */
  publicKey: KeyObject;
  signal: AbortSignal;
  /** The last seal as this process knows it: when none is due after it, the archive is not asked. */
  known?: Seal | null;
  /** Hears of each seal. */
  onSeal?: (seal: Seal) => void;
}

/**
 * Seals a chain when that is due: archives what it has grown by, with its shards merged, and signs where it ends now. A chain that is broken is
 * not sealed.
 *
 * @param now - by the table's clock
 * @param isDue - whether a chain whose last seal was made then is sealed, when so many records wait
 * @throws OperationError `audit_broken`; or the SDK's and the store's errors
 */
export async function sealChain(
  chain: string,
  { table, store, signing, publicKey, signal, known = null, onSeal = () => undefined }: SealDependencies,
  now: Date = new Date(),
  isDue: typeof isSealDue = isSealDue,
): Promise<SealReport> {
  const heads = await readHeads(table, chain);
  const isLeftForLater = (seal: Seal): boolean => !isDue(seal, unsealed(chain, heads, headsOfSeal(seal)), now);
  if (known && isLeftForLater(known)) return { archived: 0, sealed: null };
  let last = await readLastSeal(store, publicKey, chain, now, signal);
  if (last === 'unsigned') throw brokenChain(chain, 'Its last seal is not signed by the key');
  if (last) onSeal(last);
  if (last && isLeftForLater(last)) return { archived: 0, sealed: null };
  let start: Start = last
    ? { heads: headsOfSeal(last), sealedAt: last.sealed_at }
    : await formerEnd(store, publicKey, chain, signal);
  unsealed(chain, heads, start.heads);
  let archived = 0;
  for (let seals = 0; seals < MAX_SEALS; seals++) {
    const { records, ends, broken } = await findUnsealed(table, chain, start, heads, signal, MAX_PER_SEAL);
    if (broken) throw brokenChain(chain, broken.message);
    const place = { number: (last?.number ?? 0) + 1, sealed_at: now.toISOString() };
    const objects = await writeArchive(store, chain, place, inOrder(records), signal);
    last = await putSeal(store, signing, chain, {
      place,
      previous: last,
      heads: ends,
      records: records.length,
      objects,
    });
    onSeal(last);
    archived += records.length;
    start = { heads: ends, sealedAt: start.sealedAt };
    if (unsealed(chain, heads, ends) === 0) break;
  }
  return { archived, sealed: last?.number ?? null };
}

export function isSealDue({ sealed_at }: Pick<Seal, 'sealed_at'>, waiting: number, now: Date): boolean {
  // Also when it is in the future: a clock was wrong.
  const age = Math.abs(now.getTime() - Date.parse(sealed_at));
  if (waiting === 0) return age >= SEALED_ALWAYS_AFTER_MS;
  return age >= SEALED_EVERY_MS || waiting >= SEALED_AFTER_RECORDS;
}

/** How many records wait for a seal. @throws OperationError `audit_broken` when the heads are not what was sealed, or behind that */
function unsealed(chain: string, heads: Heads, sealed: Heads): number {
  for (const [shard, { sequence, hash }] of sealed) {
    const head = heads.get(shard);
    if ((head?.sequence ?? 0) < sequence || (head?.sequence === sequence && hash !== '' && head.hash !== hash)) {
      throw brokenChain(chain, `The head ${shard === undefined ? 'of the chain' : `of shard ${shard}`} was put back`);
    }
  }
  return [...heads].reduce((sum, [shard, { sequence }]) => sum + sequence - (sealed.get(shard)?.sequence ?? 0), 0);
}

/** By time, but those of each shard in their order, which their times need not have. */
function inOrder(records: readonly AuditRecord[]): AuditRecord[] {
  const latest = new Map<AuditRecord['shard'], string>();
  const timed = records.map((record) => {
    const time = [latest.get(record.shard) ?? '', record.at].sort().at(-1) ?? record.at;
    latest.set(record.shard, time);
    return { record, time };
  });
  return timed
    .sort((one, other) => (one.time < other.time ? -1 : one.time > other.time ? 1 : 0))
    .map(({ record }) => record);
}

function brokenChain(chain: string, what: string): OperationError {
  return new OperationError(
    'audit_broken',
    `The audit trail ${chain} was changed by another hand: ${what}`,
    'Call GET security/audit/verify; find out who can write to the Audit table.',
  );
}
