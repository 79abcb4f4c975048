import { createHash } from 'node:crypto';
import canonicalize from 'canonicalize';
import { type AuditEntry, type AuditRecord, auditRecordSchema } from '../../contract/schemas/audit.ts';
import { stateKeys } from '../../state/table.ts';

/** The last record of a chain, as far as the next one must know it. */
export type ChainHead = Pick<AuditRecord, 'sequence' | 'hash' | 'at'>;

/**
 * SHA-256 over the canonical JSON (RFC 8785, JSON Canonicalization Scheme) of a record without its own hash; hexadecimal.
 */
export function hashOf(record: Omit<AuditRecord, 'hash'>): string {
  return createHash('sha256')
    .update(canonicalize(record) ?? '')
    .digest('hex');
}

/** The chain itself (undefined), or one of its shards: records that follow each other. */
export type Shard = AuditRecord['shard'];

/** How far the time of a head may be ahead of the clock, and the next record still takes it: clocks differ a little. */
export const MAX_LEAD_MS = 5_000;

/**
 * The records that follow a head, each bound to the one before.
 *
 * @param now - by the table's clock. No record is earlier than the one before it, unless that one's time is far ahead: a clock was wrong
 * then, and what follows must not have its time.
 */
export function linkRecords(
  chain: string,
  shard: Shard,
  head: ChainHead | null,
  entries: readonly AuditEntry[],
  now: Date,
): AuditRecord[] {
  const records: AuditRecord[] = [];
  let previous = head;
  for (const entry of entries) {
    const unsigned = {
      ...entry,
      chain,
      ...(shard === undefined ? {} : { shard }),
      sequence: (previous?.sequence ?? 0) + 1,
      at: timeAfter(previous, now),
      previous_hash: previous?.hash ?? null,
    };
    const record = { ...unsigned, hash: hashOf(unsigned) };
    records.push(record);
    previous = record;
  }
  return records;
}

function timeAfter(previous: ChainHead | null, now: Date): string {
  const lead = previous ? Date.parse(previous.at) - now.getTime() : 0;
  return previous && lead > 0 && lead <= MAX_LEAD_MS ? previous.at : now.toISOString();
}

const digits = (number: number, length: number): string => String(number).padStart(length, '0');

/** Where a record lies: a chain and its shards are one partition, in the order of the times. */
export function recordKey({ chain, at, sequence, shard }: Pick<AuditRecord, 'chain' | 'at' | 'sequence' | 'shard'>) {
  const place = `${at}#${digits(sequence, 12)}`;
  return { pk: chainPartition(chain), sk: shard === undefined ? place : `${place}.${digits(shard, 2)}` };
}

export const chainPartition = (chain: string): string => `CHAIN#${chain}`;
/** The heads of a chain and of its shards are one partition. */
export const headsPartition = (chain: string): string => `HEAD#${chain}`;
export const headKey = (chain: string, shard?: Shard) => ({
  pk: headsPartition(chain),
  sk: shard === undefined ? 'HEAD' : `HEAD#${digits(shard, 2)}`,
});
/** The shard that a head is of; null for what is no head. */
export function shardOfHead(sk: unknown): { shard: Shard } | null {
  const [found, shard] = /^HEAD(?:#(\d{2}))?$/.exec(String(sk)) ?? [];
  if (found === undefined) return null;
  return { shard: shard === undefined ? undefined : Number(shard) };
}

/** All chains that have a record: what is archived does not depend on the configuration. */
export const CHAINS_PARTITION = 'CHAINS';

/** A record as it is stored. @param expires - seconds since the epoch */
export function recordItem(record: AuditRecord, expires: number): Record<string, unknown> {
  return { ...recordKey(record), ...record, [stateKeys.timeToLive]: expires };
}

/**
 * A stored record. Fields that no record has are kept, so that its hash tells of them.
 *
 * @returns null when it is none at all
 */
export function recordOf(item: Readonly<Record<string, unknown>>): AuditRecord | null {
  const { pk: _pk, sk: _sk, [stateKeys.timeToLive]: _expires, ...record } = item;
  return auditRecordSchema.loose().safeParse(record).data ?? null;
}
