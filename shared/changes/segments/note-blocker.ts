import type { ObjectStore } from '../../backup/objects/object-store.ts';
import { bytesToLsn, compareLsn, type Lsn, lsnToBytes } from '../lsn.ts';
import type { DefinitionChange, SegmentDescription } from './description.ts';
import { type ChangesOf, listSegments, readDescription, writeDescription } from './stored-segments.ts';

/** A change of definitions that turned out not to be repeatable when its segment was stored already. */
export type Blocker =
  /** A transaction's change, which the segment has. */
  | { lsn: Lsn; reason: string }
  /** One that nothing tells of, somewhere behind a position. */
  | { behind: Lsn; change: Omit<DefinitionChange, 'lsn' | 'tag' | 'definer'> & { obstacle: string } };

/**
 * Notes in the description of its segment that a change of definitions cannot be repeated, so that whoever plans a restore is told. What is
 * stored of the changes themselves stays as it is.
 *
 * @returns the change as it is noted; null when no segment has it
 */
export async function noteBlocker(
  store: ObjectStore,
  of: ChangesOf,
  blocker: Blocker,
  signal: AbortSignal,
): Promise<(DefinitionChange & { obstacle: string }) | null> {
  const at = 'behind' in blocker ? blocker.behind : blocker.lsn;
  for (const range of await listSegments(store, of)) {
    // A commit that ends where a segment ends is of it.
    const order = compareLsn(range.lastLsn, at);
    if ('behind' in blocker ? order <= 0 : order < 0) continue;
    const description = await readDescription(store, of, range, signal);
    const noted = 'behind' in blocker ? appended(description, blocker) : marked(description, blocker);
    if (noted === null) continue;
    await writeDescription(store, noted.description, signal);
    return noted.change;
  }
  return null;
}

interface Noted {
  description: SegmentDescription;
  change: DefinitionChange & { obstacle: string };
}

function marked(description: SegmentDescription, { lsn, reason }: { lsn: Lsn; reason: string }): Noted | null {
  const found = description.definition_changes.find((change) => change.lsn === lsn);
  if (!found) return null;
  const change = { ...found, obstacle: found.obstacle ?? reason };
  const changes = description.definition_changes.map((each) => (each === found ? change : each));
  return { description: { ...description, definition_changes: changes }, change };
}

function appended(description: SegmentDescription, { behind, change }: Extract<Blocker, { behind: Lsn }>): Noted {
  const noted = { ...change, lsn: nextLsn(behind), tag: null, definer: null };
  return {
    description: { ...description, definition_changes: [noted, ...description.definition_changes] },
    change: noted,
  };
}

/** A commit that ended at the position is not behind it. */
const nextLsn = (lsn: Lsn): Lsn => bytesToLsn(lsnToBytes(lsn) + 1n);
