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

/**
 * The records that follow a head, each bound to the one before.
 *
 * @param now - no record is earlier than the one before it, whatever the clocks of two machines say
 */
export function linkRecords(
  chain: string,
  head: ChainHead | null,
  entries: readonly AuditEntry[],
  now: Date,
): AuditRecord[] {
  const records: AuditRecord[] = [];
  let previous = head;
  for (const entry of entries) {
    const time = now.toISOString();
    const unsigned = {
      ...entry,
      chain,
      sequence: (previous?.sequence ?? 0) + 1,
      at: previous && previous.at > time ? previous.at : time,
      previous_hash: previous?.hash ?? null,
    };
    const record = { ...unsigned, hash: hashOf(unsigned) };
    records.push(record);
    previous = record;
  }
  return records;
}

/** Where a record lies: a chain is one partition, in the order of its times and numbers. */
export function recordKey({ chain, at, sequence }: Pick<AuditRecord, 'chain' | 'at' | 'sequence'>) {
  return { pk: chainPartition(chain), sk: `${at}#${String(sequence).padStart(12, '0')}` };
}

export const chainPartition = (chain: string): string => `CHAIN#${chain}`;
export const headKey = (chain: string) => ({ pk: `HEAD#${chain}`, sk: 'HEAD' });

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
