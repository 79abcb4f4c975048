import type { KeyObject } from 'node:crypto';
import type { ObjectStore } from '../../backup/objects/object-store.ts';
import { HOUR_MS } from '../../time.ts';
import { listArchivedChains } from './archive.ts';
import type { AuditTable } from './chain.ts';
import { chainOf } from './chain-names.ts';
import { listChains } from './heads.ts';
import type { Seal } from './seal.ts';
import { type SealReport, sealChain } from './seal-chain.ts';
import { readPublicKey, type Signing } from './signature.ts';

export interface Sealer {
  /** The configured ones. */
  databases: readonly string[];
  table: AuditTable;
  store: ObjectStore;
  signing: Signing;
  /** The table's clock. */
  clock: () => Date;
  onSealed: (chain: string, report: SealReport) => void;
  onFailed: (chain: string, error: unknown) => void;
}

/** How long what the archive has is known. */
const ARCHIVED_KNOWN_MS = HOUR_MS;
/** A chain that is broken is read whole to be sure of that, and stays broken: so long it is not read again. */
const BROKEN_KNOWN_MS = HOUR_MS;

/**
 * Seals all chains: those of the configured databases, also while nothing is recorded of them, and those of databases that have left the
 * configuration, which the table or the archive tells of.
 *
 * @returns seals what is due, and gives the chains that could not be sealed
 */
export function createSealer({
  databases,
  table,
  store,
  signing,
  clock,
  onSealed,
  onFailed,
}: Sealer): (signal: AbortSignal) => Promise<string[]> {
  const known = new Map<string, Seal>();
  const brokenChains = new Map<string, { since: number; error: unknown }>();
  let publicKey: KeyObject | undefined;
  let archived: string[] = [];
  let archivedAt = Number.NEGATIVE_INFINITY;

  const allChains = async (signal: AbortSignal): Promise<Set<string>> => {
    if (performance.now() - archivedAt > ARCHIVED_KNOWN_MS) {
      archived = await listArchivedChains(store, signal);
      archivedAt = performance.now();
    }
    return new Set([...databases.map(chainOf), chainOf(null), ...(await listChains(table)), ...archived]);
  };

  return async (signal) => {
    const failed: string[] = [];
    publicKey ??= await readPublicKey(signing);
    for (const chain of await allChains(signal)) {
      try {
        const broken = brokenChains.get(chain);
        if (broken && performance.now() - broken.since < BROKEN_KNOWN_MS) throw broken.error;
        brokenChains.delete(chain);
        const onSeal = (seal: Seal) => known.set(chain, seal);
        const dependencies = { table, store, signing, publicKey, signal, known: known.get(chain) ?? null, onSeal };
        const report = await sealChain(chain, dependencies, clock());
        if (report.sealed !== null) onSealed(chain, report);
      } catch (error) {
        known.delete(chain);
        if ((error as { code?: unknown }).code === 'audit_broken' && !brokenChains.has(chain)) {
          brokenChains.set(chain, { since: performance.now(), error });
        }
        failed.push(chain);
        onFailed(chain, error);
      }
    }
    return failed;
  };
}
