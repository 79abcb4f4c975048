import type { Verification } from '../../contract/schemas/audit-trail.ts';
import type { ReadDigest } from './digest.ts';
import { type ChainHead, hashOf, recordKey, recordOf } from './record.ts';

export type Broken = NonNullable<Verification['broken']>;
type Place = Broken['where'];

export interface ChainCheck {
  /** Holds the next item against the record before it. @returns what is wrong with it; null for nothing */
  next(item: Readonly<Record<string, unknown>>, where: Place): Broken | null;
  /** Whether the chain ends where it should. */
  end(head: ChainHead | null): Broken | null;
  readonly last: ChainHead | null;
  readonly first: ChainHead | null;
  readonly records: number;
  readonly digests: number;
}

/**
 * Follows one chain, record by record.
 *
 * @param chain - its name, which every record has
 * @param fromBeginning - whether the first item should be the chain's first record
 * @param digests - what was signed about its records
 */
export function createChainCheck(
  chain: string,
  fromBeginning: boolean,
  digests: readonly ReadDigest[] = [],
): ChainCheck {
  let first: ChainHead | null = null;
  let last: ChainHead | null = null;
  let records = 0;
  let agreeing = 0;
  const signed = new Map<number, ReadDigest[]>();
  for (const digest of digests) signed.set(digest.sequence, [...(signed.get(digest.sequence) ?? []), digest]);

  const next = (item: Readonly<Record<string, unknown>>, where: Place): Broken | null => {
    const expected = last ? last.sequence + 1 : null;
    const record = recordOf(item);
    if (!record) {
      const sequence = typeof item.sequence === 'number' ? item.sequence : (expected ?? 1);
      return { sequence, problem: 'altered', where, message: `Record ${sequence} has not the form of a record` };
    }
    const { sequence, hash, at } = record;
    const broken = (problem: Broken['problem'], message: string, about = sequence): Broken => ({
      sequence: about,
      problem,
      where,
      message,
    });
    const { pk, sk } = recordKey(record);
    if (item.pk !== pk || item.sk !== sk || record.chain !== chain) {
      return broken('reordered', `Record ${sequence} lies in the place of another`);
    }
    const { hash: _hash, ...unsigned } = record;
    if (hashOf(unsigned) !== hash) return broken('altered', `Record ${sequence} is not what its hash was made of`);
    if (expected === null && fromBeginning && sequence !== 1) {
      return broken('removed', `The chain begins with record ${sequence}`, 1);
    }
    if (expected !== null && sequence > expected) return broken('removed', `Record ${expected} is missing`, expected);
    if (expected !== null && sequence < expected) return broken('added', `There is a second record ${sequence}`);
    if (last && record.previous_hash !== last.hash) {
      const message = `Record ${last.sequence} is not the one that record ${sequence} was written after`;
      return broken('altered', message, last.sequence);
    }
    if (!last && sequence === 1 && record.previous_hash !== null) {
      return broken('altered', 'The first record was written after another');
    }
    for (const digest of signed.get(sequence) ?? []) {
      if (digest.hash === null) {
        const message = `The digest about record ${sequence} is not signed by the key`;
        return { sequence, problem: 'digest_invalid', where: 'digest', message };
      }
      if (digest.hash !== hash) return broken('altered', `Record ${sequence} is not the one that was signed`);
      agreeing += 1;
    }
    first ??= { sequence, hash, at };
    last = { sequence, hash, at };
    records += 1;
    return null;
  };

  const end = (head: ChainHead | null): Broken | null => {
    const reached = last?.sequence ?? 0;
    const beyond = digests.find(({ sequence }) => sequence > reached);
    if (beyond || (head?.sequence ?? 0) > reached) {
      const named = beyond ? 'a signed digest' : 'the head of the chain';
      const message = `Record ${reached + 1} is missing: ${named} tells of later ones`;
      return { sequence: reached + 1, problem: 'removed', where: 'table', message };
    }
    if (last && (head?.sequence ?? 0) < last.sequence) {
      const message = `Record ${last.sequence} comes after the head of the chain`;
      return { sequence: last.sequence, problem: 'added', where: 'table', message };
    }
    if (last && head?.hash !== last.hash) {
      const message = `Record ${last.sequence} is not the one that the head of the chain names`;
      return { sequence: last.sequence, problem: 'altered', where: 'table', message };
    }
    return null;
  };

  return {
    next,
    end,
    get first() {
      return first;
    },
    get last() {
      return last;
    },
    get records() {
      return records;
    },
    get digests() {
      return agreeing;
    },
  };
}
