import type { AuditRecord } from '../../contract/schemas/audit.ts';
import { HOUR_MS } from '../../time.ts';
import type { AuditTable } from './chain.ts';
import { arrange, type Broken, behindHeads, createChainCheck, type Item, noRecord } from './check-chain.ts';
import { type Heads, readHeads } from './heads.ts';
import { readChain } from './read-chain.ts';
import { type ChainHead, recordOf, type Shard } from './record.ts';

/** Where the last seal ended. */
export interface Start {
  heads: Heads;
  /** null: nobody knows when it was made. */
  sealedAt: string | null;
}

/** What was appended after a seal is not much older than that: an append waits for its turn, and clocks differ a little. */
export const MARGIN_MS = HOUR_MS;

/** Sort key from which on the table is read for what a seal does not cover. */
export const unsealedFrom = (sealedAt: string | null): string =>
  sealedAt === null ? FIRST_KEY : new Date(Date.parse(sealedAt) - MARGIN_MS).toISOString();

export const FIRST_KEY = '0';
export const LAST_KEY = '9';

export interface Unsealed {
  /** Those of each shard in their order. */
  records: AuditRecord[];
  /** Where the chain and its shards end with them. */
  ends: Heads;
  broken: Broken | null;
}

/**
 * The records of a chain that no seal covers, up to its heads.
 *
 * @param heads - as they were before this
 * @param limit - how many records of the chain, and of each shard, at most
 * @throws the SDK's errors
 */
export async function findUnsealed(
  table: AuditTable,
  chain: string,
  start: Start,
  heads: Heads,
  signal: AbortSignal,
  limit: { chain: number; shard: number },
): Promise<Unsealed> {
  const upTo = limited(start.heads, heads, limit);
  const from = unsealedFrom(start.sealedAt);
  const found = await follow(table, chain, start.heads, upTo, from, signal);
  if (!found.broken || from === FIRST_KEY) return found;
  // Their times may be of a clock that was wrong: only what the whole table does not have is missing.
  return follow(table, chain, start.heads, upTo, FIRST_KEY, signal);
}

/** Hash of the record that a limit falls on. */
const UNKNOWN = '';

function limited(start: Heads, heads: Heads, limit: { chain: number; shard: number }): Heads {
  return new Map(
    [...heads].map(([shard, head]): [Shard, ChainHead] => {
      const most = (start.get(shard)?.sequence ?? 0) + (shard === undefined ? limit.chain : limit.shard);
      return [shard, head.sequence <= most ? head : { ...head, sequence: most, hash: UNKNOWN }];
    }),
  );
}

async function follow(
  table: AuditTable,
  chain: string,
  start: Heads,
  upTo: Heads,
  from: string,
  signal: AbortSignal,
): Promise<Unsealed> {
  const items: Item[] = [];
  // Of what was appended meanwhile, or is left for the next seal, the last is enough.
  const latest = new Map<unknown, Item>();
  for await (const item of readChain(table, chain, { first: from, last: LAST_KEY })) {
    signal.throwIfAborted();
    const { waiting, later, strange } = arrange([item], start, upTo);
    items.push(...waiting, ...strange);
    for (const one of later) {
      if (Number(one.sequence) > Number(latest.get(one.shard)?.sequence ?? 0)) latest.set(one.shard, one);
    }
  }
  const { waiting, strange } = arrange(items, start, upTo);
  const check = createChainCheck(chain, start, true);
  const records: AuditRecord[] = [];
  const result = (broken: Broken | null): Unsealed => ({ records, ends: check.ends, broken });
  const [stranger] = strange;
  if (stranger) return result(noRecord(stranger, 'table'));
  for (const item of waiting) {
    const broken = check.next(item, 'table');
    if (broken) return result(broken);
    const record = recordOf(item);
    if (record) records.push(record);
  }
  for (const [shard, { sequence, hash }] of upTo) {
    const last = check.ends.get(shard);
    const reached = last?.sequence ?? 0;
    if (reached < sequence) {
      const message = `Record ${reached + 1} is missing: the head tells of later ones`;
      return result({ sequence: reached + 1, problem: 'removed', where: 'table', message });
    }
    if (hash !== UNKNOWN && last?.hash !== hash) {
      const message = `Record ${sequence} is not the one that the head names`;
      return result({ sequence, problem: 'altered', where: 'table', message });
    }
  }
  return result(behindHeads([...latest.values()], await readHeads(table, chain)));
}
