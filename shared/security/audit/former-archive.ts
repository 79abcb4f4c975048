import type { KeyObject } from 'node:crypto';
import type { ObjectStore } from '../../backup/objects/object-store.ts';
import { OperationError } from '../../errors.ts';
import { readDigests } from './digest.ts';
import type { Start } from './find-unsealed.ts';

/**
 * Where the archive of former times ends, which had one signed digest a day: the first seal goes on from there.
 *
 * @throws OperationError `audit_broken`, when the last digest is not signed by the key; the SDK's errors
 */
export async function formerEnd(
  store: Pick<ObjectStore, 's3' | 'bucket'>,
  publicKey: KeyObject,
  chain: string,
  signal: AbortSignal,
): Promise<Start> {
  const [last] = await readDigests(store, publicKey, chain, { last: 1 }, signal);
  if (!last) return { heads: new Map(), sealedAt: null };
  if (!last.digest) {
    throw new OperationError(
      'audit_broken',
      `The last digest of the audit trail ${chain} is not signed by the key`,
      'Call GET security/audit/verify; find out who can write to the bucket of the archive.',
    );
  }
  const { sequence, hash, at } = last.digest;
  return { heads: new Map([[undefined, { sequence, hash, at }]]), sealedAt: null };
}
