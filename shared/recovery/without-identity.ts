import type { ObjectStore } from '../backup/objects/object-store.ts';
import { commitTime } from '../changes/decoding/decoder.ts';
import { type QualifiedName, qualifiedEnd, splitQualified } from '../changes/decoding/names.ts';
import { compareLsn } from '../changes/lsn.ts';
import { readSegment } from '../changes/segments/stored-segments.ts';
import { fullTransactionId, isSeen } from '../changes/transaction-ids.ts';
import type { PlannedReplay } from '../changes/window/plan-replay.ts';

/** A table whose rows a replay cannot tell apart from one update or delete on. */
export interface WithoutIdentity extends QualifiedName {
  /** When that was committed. */
  at: string;
}

/**
 * Finds the tables of which a replay would meet an update or delete that does not tell its row: it would end there, at its end. Only
 * segments that say that they hold one are read.
 */
export async function findWithoutIdentity(
  { segments, snapshot, lastCommit }: Pick<PlannedReplay, 'segments' | 'snapshot' | 'lastCommit'>,
  { store, signal }: { store: ObjectStore; signal: AbortSignal },
): Promise<WithoutIdentity[]> {
  if (lastCommit === null) return [];
  const found = new Map<string, string>();
  for (const segment of segments) {
    const tables = new Set(segment.without_identity.filter((table) => !found.has(table)));
    if (tables.size === 0) continue;
    const next = BigInt(segment.next_xid);
    let own = new Set<string>();
    let isPassed = false;
    for await (const lines of readSegment(store, segment, signal)) {
      for (const line of lines) {
        const at = line.indexOf('\t') + 1;
        if (line.startsWith('BEGIN ', at)) {
          own = new Set();
          isPassed = isSeen(snapshot, fullTransactionId(Number(line.slice(at + 6)), next));
        } else if (line.startsWith('table ', at) && !isPassed) {
          const end = qualifiedEnd(line, at + 6);
          const table = line.slice(at + 6, end);
          if (tables.has(table) && /^: (?:UPDATE|DELETE):/.test(line.slice(end, end + 9))) own.add(table);
        } else if (own.size > 0 && line.startsWith('COMMIT ', at)) {
          if (compareLsn(line.slice(0, at - 1), lastCommit) > 0) break;
          const time = commitTime(line.slice(line.indexOf('(at ', at) + 4, -1));
          for (const table of own) if (!found.has(table)) found.set(table, time);
          own = new Set();
        }
      }
    }
  }
  return [...found].map(([table, at]) => ({ ...splitQualified(table), at }));
}
