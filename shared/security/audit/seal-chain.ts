import type { ObjectStore } from '../../backup/objects/object-store.ts';
import type { AuditRecord } from '../../contract/schemas/audit.ts';
import { OperationError } from '../../errors.ts';
import { listArchive, listKeys, RECORDS_PER_OBJECT, writeArchive } from './archive.ts';
import { type AuditTable, readHead } from './chain.ts';
import { createChainCheck } from './check-chain.ts';
import { type Signing, signHead } from './digest.ts';
import { digestsPrefix, placeOfDigest } from './layout.ts';
import { keyRange } from './list-records.ts';
import { readChain } from './read-chain.ts';
import { recordOf } from './record.ts';

export interface SealReport {
  archived: number;
  /** The record that was signed; null when it had been before, or there is none. */
  signed: number | null;
}

/**
 * Archives what a chain has grown by, and signs its new end. A chain that is broken is not signed.
 *
 * @throws OperationError `audit_broken`; or the SDK's and the store's errors
 */
export async function sealChain(
  chain: string,
  { table, store, signing, signal }: { table: AuditTable; store: ObjectStore; signing: Signing; signal: AbortSignal },
  now: Date = new Date(),
): Promise<SealReport> {
  const head = await readHead(table, chain);
  if (!head) return { archived: 0, signed: null };
  const known = (await listArchive(store, chain, signal)).at(-1);
  const check = createChainCheck(chain, known === undefined);
  let records: AuditRecord[] = [];
  let archived = 0;
  const storeRecords = async (): Promise<void> => {
    await writeArchive(store, chain, records, signal);
    archived += records.length;
    records = [];
  };
  const { last } = keyRange({});
  // With the last archived record, where it is there still: what follows must have been written after it.
  for await (const item of readChain(table, chain, { first: known?.lastKey ?? '0', last })) {
    signal.throwIfAborted();
    const broken = check.next(item, 'table');
    if (broken) throw brokenChain(chain, broken.message);
    const record = recordOf(item);
    if (check.records === 1 && record && record.sequence > (known?.last ?? 0) + 1) {
      throw brokenChain(chain, `Record ${(known?.last ?? 0) + 1} is missing, and was not archived`);
    }
    if (record && record.sequence > (known?.last ?? 0) && record.sequence <= head.sequence) records.push(record);
    if (records.length === RECORDS_PER_OBJECT) await storeRecords();
  }
  if ((check.last?.sequence ?? known?.last ?? 0) < head.sequence) {
    throw brokenChain(chain, `Record ${head.sequence} is missing: the head of the chain names it`);
  }
  // What was appended meanwhile is left for the next time; what comes after the head of then was not appended.
  const reached = check.last?.sequence ?? 0;
  if (reached > ((await readHead(table, chain))?.sequence ?? 0)) {
    throw brokenChain(chain, `Record ${reached} comes after the head of the chain`);
  }
  await storeRecords();
  const digests = await listKeys(store, digestsPrefix(chain), signal);
  if (digests.some((key) => placeOfDigest(key)?.sequence === head.sequence)) return { archived, signed: null };
  await signHead(store, signing, chain, head, now);
  return { archived, signed: head.sequence };
}

function brokenChain(chain: string, what: string): OperationError {
  return new OperationError(
    'audit_broken',
    `The audit trail ${chain} was changed by another hand: ${what}`,
    'Prove it with GET security/audit/verify; find out who can write to the Audit table.',
  );
}
