import type { KeyObject } from 'node:crypto';
import type { ObjectStore } from '../../backup/objects/object-store.ts';
import { DAY_MS, HOUR_MS } from '../../time.ts';
import type { Broken, Statement } from './check-chain.ts';
import { readDigests } from './digest.ts';
import { hashOfSeal, type ListedSeal, listSeals, readSeals, type Seal } from './seal.ts';

/** All seals are read when there are no more; otherwise of each day the last, and all of the last two days. A seal covers all that came before. */
const ALL_READ = 200;
/** A chain is sealed once a day at least. */
const GAP_MS = DAY_MS + 2 * HOUR_MS;

export interface SealsOfChain {
  /** The last seal that is not of the span: it says what comes before. */
  before: Seal | null;
  last: Seal | null;
  statements: Statement[];
  gaps: { from: string; to: string }[];
  broken: Broken | null;
}

/**
 * What is signed about a chain: its seals, and the digests of former times.
 *
 * @param from - only about what was recorded from this time on
 * @throws the SDK's errors
 */
export async function readSealsOf(
  store: Pick<ObjectStore, 's3' | 'bucket'>,
  key: KeyObject,
  chain: string,
  from: string | undefined,
  signal: AbortSignal,
): Promise<SealsOfChain> {
  const listed = await listSeals(store, chain, signal);
  const time = from === undefined ? Number.NEGATIVE_INFINITY : Date.parse(from);
  const baseline = listed.findLast(({ sealed_at }) => Date.parse(sealed_at) <= time);
  const inSpan = listed.filter(({ number }) => number > (baseline?.number ?? 0));
  const asked = [...(baseline ? [baseline] : []), ...chosen(inSpan)];
  const seals = await readSeals(store, key, chain, asked, signal);
  const digests = baseline ? [] : await readDigests(store, key, chain, { from }, signal);
  const result = (broken: Broken | null): SealsOfChain => ({
    before: (baseline && seals[0]) ?? null,
    last: seals.at(-1) ?? null,
    statements: [
      ...digests.flatMap(({ name, digest }) => (digest ? [{ ...digest, shard: undefined, name }] : [])),
      ...seals.flatMap((seal, index) =>
        (seal?.heads ?? []).map((head) => ({ ...head, shard: head.shard, name: asked[index]?.name ?? '' })),
      ),
    ],
    gaps: gapsOf(listed),
    broken,
  });
  const forged = digests.find(({ digest }) => digest === null);
  if (forged) {
    const { sequence } = forged;
    return result(wrong('digest_invalid', sequence, `The digest about record ${sequence} is not signed by the key`));
  }
  for (const [index, seal] of seals.entries()) {
    const { number = 0 } = asked[index] ?? {};
    // The first record that only this seal and later ones are about.
    const from = (seals[index - 1]?.heads.find(({ shard }) => shard === undefined)?.sequence ?? 0) + 1;
    if (!seal) return result(wrong('digest_invalid', from, `Seal ${number} is not signed by the key`));
    const earlier = seals.slice(0, index).filter((each) => each?.number === number - 1);
    if (earlier.length > 0 && !earlier.some((each) => each && hashOfSeal(each) === seal.previous)) {
      return result(wrong('digest_invalid', from, `Seal ${number} was not made after seal ${number - 1}`));
    }
  }
  const missing = missingNumber(listed);
  return result(missing === null ? null : wrong('seal_missing', 1, `Seal ${missing} is missing`));
}

const wrong = (problem: 'digest_invalid' | 'seal_missing', sequence: number, message: string): Broken => ({
  sequence,
  problem,
  where: 'digest',
  message,
});

/** The last seal of each day, and all of the last two days; all where there are few. */
function chosen(seals: readonly ListedSeal[]): ListedSeal[] {
  if (seals.length <= ALL_READ) return [...seals];
  const recent = Date.parse(seals.at(-1)?.sealed_at ?? '') - 2 * DAY_MS;
  const dayOf = ({ sealed_at }: ListedSeal): string => sealed_at.slice(0, 10);
  return seals.filter((seal, index) => {
    const next = seals[index + 1];
    return !next || dayOf(next) !== dayOf(seal) || Date.parse(seal.sealed_at) >= recent;
  });
}

/** Two runs may have made the same seal at the same time. */
function missingNumber(seals: readonly ListedSeal[]): number | null {
  let expected = 1;
  for (const { number } of seals) {
    if (number > expected) return expected;
    expected = number + 1;
  }
  return null;
}

function gapsOf(seals: readonly ListedSeal[]): { from: string; to: string }[] {
  return seals.slice(1).flatMap(({ sealed_at: to }, index) => {
    const from = seals[index]?.sealed_at ?? to;
    return Date.parse(to) - Date.parse(from) > GAP_MS ? [{ from, to }] : [];
  });
}

/** Whether a chain should have been sealed by now. @param waitingSince - time of the first record that waits for that */
export function isOverdue(last: Seal | null, waitingSince: string | null, now: Date): boolean {
  const lastAt = last ? Date.parse(last.sealed_at) : Number.NEGATIVE_INFINITY;
  const since = (time: number): number => now.getTime() - time;
  if (waitingSince !== null && since(Math.max(lastAt, Date.parse(waitingSince))) > HOUR_MS) return true;
  return last !== null && since(lastAt) > GAP_MS;
}
