import type { AuditRecord } from '../../contract/schemas/audit.ts';
import type { Verification } from '../../contract/schemas/audit-trail.ts';
import type { Heads } from './heads.ts';
import { type ChainHead, hashOf, recordKey, recordOf, type Shard } from './record.ts';

export type Broken = NonNullable<Verification['broken']>;
export type Place = Broken['where'];
/** An item of the table, or what would be one. */
export type Item = Readonly<Record<string, unknown>>;

/** What was signed about a record. */
export interface Statement {
  shard: Shard;
  sequence: number;
  hash: string;
  at: string;
  /** Of the seal or digest. */
  name: string;
}

export interface ChainCheck {
  /** Holds the next item of its shard against the record before it. @returns what is wrong with it; null for nothing */
  next(item: Item, where: Place): Broken | null;
  /** Whether the chain and its shards end where they should. @param isExpected - of a head that no record was seen of */
  end(heads: Heads, isExpected: (shard: Shard, head: ChainHead) => boolean): Broken | null;
  /** The last record of each shard. */
  readonly ends: Heads;
  /** Seals and digests that agree with a record. */
  readonly agreeing: number;
}

const nameOf = (shard: Shard): string => (shard === undefined ? '' : ` of shard ${shard}`);
const inShard = (shard: Shard) => (shard === undefined ? {} : { shard });

/**
 * Follows one chain and its shards, record by record: those of each shard in their order, whatever their times.
 *
 * @param chain - its name, which every record has
 * @param start - the record that the first item of each shard should follow
 * @param isFromBeginning - whether the first item of all other shards should be their first record
 * @param statements - what was signed about the records
 */
export function createChainCheck(
  chain: string,
  start: Heads,
  isFromBeginning: boolean,
  statements: readonly Statement[] = [],
): ChainCheck {
  const ends = new Map<Shard, ChainHead>(start);
  const agreeing = new Set<string>();
  const signed = new Map<string, Statement[]>();
  const keyOf = (shard: Shard, sequence: number): string => `${shard ?? ''}#${sequence}`;
  for (const statement of statements) {
    const key = keyOf(statement.shard, statement.sequence);
    signed.set(key, [...(signed.get(key) ?? []), statement]);
  }

  const next = (item: Item, where: Place): Broken | null => {
    const record = recordOf(item);
    if (!record) return noRecord(item, where);
    const { sequence, hash, at, shard } = record;
    const last = ends.get(shard) ?? null;
    const expected = last ? last.sequence + 1 : null;
    const broken = (problem: Broken['problem'], message: string, about = sequence): Broken => ({
      sequence: about,
      ...inShard(shard),
      problem,
      where,
      message,
    });
    const of = nameOf(shard);
    const { pk, sk } = recordKey(record);
    if (item.pk !== pk || item.sk !== sk || record.chain !== chain) {
      return broken('reordered', `Record ${sequence}${of} lies in the place of another`);
    }
    const { hash: _hash, ...unsigned } = record;
    if (hashOf(unsigned) !== hash) return broken('altered', `Record ${sequence}${of} is not what its hash was made of`);
    if (expected === null && isFromBeginning && sequence !== 1) {
      return broken(
        'removed',
        `The ${shard === undefined ? 'chain' : `shard ${shard}`} begins with record ${sequence}`,
        1,
      );
    }
    if (expected !== null && sequence > expected) {
      return broken('removed', `Record ${expected}${of} is missing`, expected);
    }
    if (expected !== null && sequence < expected) return broken('added', `There is a second record ${sequence}${of}`);
    if (last && record.previous_hash !== last.hash) {
      const message = `Record ${last.sequence}${of} is not the one that record ${sequence} was written after`;
      return broken('altered', message, last.sequence);
    }
    if (!last && sequence === 1 && record.previous_hash !== null) {
      return broken('altered', `The first record${of} was written after another`);
    }
    for (const statement of signed.get(keyOf(shard, sequence)) ?? []) {
      if (statement.hash !== hash) return broken('altered', `Record ${sequence}${of} is not the one that was signed`);
      agreeing.add(statement.name);
    }
    ends.set(shard, { sequence, hash, at });
    return null;
  };

  const end = (heads: Heads, isExpected: (shard: Shard, head: ChainHead) => boolean): Broken | null => {
    for (const shard of new Set([...heads.keys(), ...ends.keys(), ...statements.map((each) => each.shard)])) {
      const last = ends.get(shard);
      const head = heads.get(shard);
      const of = nameOf(shard);
      const broken = (sequence: number, problem: Broken['problem'], message: string): Broken => ({
        sequence,
        ...inShard(shard),
        problem,
        where: 'table',
        message,
      });
      const reached = last?.sequence ?? 0;
      const isOpen = last !== undefined || (head !== undefined && isExpected(shard, head));
      const beyond = statements.some((each) => each.shard === shard && each.sequence > reached);
      if (beyond || (isOpen && (head?.sequence ?? 0) > reached)) {
        const named = beyond ? 'a signature' : 'the head';
        return broken(reached + 1, 'removed', `Record ${reached + 1}${of} is missing: ${named} tells of later ones`);
      }
      if (last && (head?.sequence ?? 0) < reached) {
        return broken(reached, 'added', `Record ${reached}${of} comes after the head`);
      }
      if (last && head?.hash !== last.hash) {
        return broken(reached, 'altered', `Record ${reached}${of} is not the one that the head names`);
      }
    }
    return null;
  };

  return {
    next,
    end,
    ends,
    get agreeing() {
      return agreeing.size;
    },
  };
}

/** Of an item that is no record at all. */
export function noRecord(item: Item, where: Place): Broken {
  const sequence = Number.isInteger(item.sequence) ? Number(item.sequence) : 0;
  const what = sequence === 0 ? `The item ${String(item.sk)}` : `Record ${sequence}`;
  return { sequence, problem: 'altered', where, message: `${what} has not the form of a record` };
}

/** Items of the table that no seal covers, as far as they can be told apart by their numbers. */
export interface Arranged {
  /** By shard, in their order. */
  waiting: Item[];
  /** With numbers of records that come before. */
  known: Item[];
  /** Appended since the heads were read, as it seems. */
  later: Item[];
  /** Those that have no number. */
  strange: Item[];
}

/**
 * Tells items apart by their numbers.
 *
 * @param reached - the last record of each shard that need not be looked at any more
 * @param upTo - the last one of each shard that is to be looked at
 */
export function arrange(items: readonly Item[], reached: Heads, upTo: Heads): Arranged {
  const arranged: Arranged = { waiting: [], known: [], later: [], strange: [] };
  for (const item of items) {
    const { shard, sequence } = item as Partial<AuditRecord>;
    if (!Number.isInteger(sequence) || sequence === undefined) arranged.strange.push(item);
    else if (sequence <= (reached.get(shard)?.sequence ?? 0)) arranged.known.push(item);
    else if (sequence <= (upTo.get(shard)?.sequence ?? 0)) arranged.waiting.push(item);
    else arranged.later.push(item);
  }
  const numberOf = ({ shard, sequence }: Item): [number, number] => [Number(shard ?? -1), Number(sequence)];
  arranged.waiting.sort((one, other) => {
    const [[shard, sequence], [otherShard, otherSequence]] = [numberOf(one), numberOf(other)];
    return shard - otherShard || sequence - otherSequence || (String(one.sk) < String(other.sk) ? -1 : 1);
  });
  return arranged;
}

/** Of items behind the heads: the first that is behind what they are now, too. */
export function behindHeads(later: readonly Item[], heads: Heads): Broken | null {
  const item = later.find(({ shard, sequence }) => Number(sequence) > (heads.get(shard as Shard)?.sequence ?? 0));
  if (!item) return null;
  const shard = item.shard as Shard;
  const message = `Record ${Number(item.sequence)}${nameOf(shard)} comes after the head`;
  return { sequence: Number(item.sequence), ...inShard(shard), problem: 'added', where: 'table', message };
}
