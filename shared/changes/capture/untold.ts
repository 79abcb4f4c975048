import type pg from 'pg';
import { type CatalogSeen, changedKinds, readCatalog } from '../../postgres/definitions/catalog-seen.ts';
import { isAnswer, isSessionLost } from '../../postgres/session-errors.ts';
import { isNeverRepeated } from '../definitions/judge.ts';
import type { Lsn } from '../lsn.ts';
import type { DefinitionChange } from '../segments/description.ts';
import { untoldSince } from './drift.ts';

/** A read whose definitions are looked at. */
export interface LookedAt {
  /** Where the read began, and where it ended. */
  from: Lsn;
  until: Lsn;
  /** Until when all that was committed is in the read, or in what was stored before. */
  at: string;
  /** Whether the read tells of a change of definitions, or what an earlier run has stored that did not come to note the catalogs. */
  isTold(known: CatalogSeen, isOfEventTriggers: boolean): Promise<boolean>;
  /** Whether there is one behind the read. */
  isToldLater(): Promise<boolean>;
}

/**
 * Notices, where event triggers tell of definitions, changes that none tells of: REASSIGN OWNED, commands about event triggers, CLUSTER with
 * USING, those of a session in which event triggers are off, and whatever else changes what the catalogs say. To be called after a read:
 * what it has was committed before.
 *
 * @param known - as the catalogs were last seen; null before the first time
 * @returns `seen`: as they were seen, or `known` where nobody can say yet whether a change was told
 */
export async function noticeUntold(
  client: pg.Client,
  known: CatalogSeen | null,
  { from, until, at, isTold, isToldLater }: LookedAt,
): Promise<{ seen: CatalogSeen | null; change: DefinitionChange | null }> {
  const found = await readCatalog(client, known).catch((error: unknown) => {
    // Something was dropped while it was read: the next run reads again.
    if (!isAnswer(error) || isSessionLost(error)) throw error;
    return null;
  });
  if (found === null) return { seen: known, change: null };
  const seen = { ...found, at, lsn: until };
  const kinds = known === null ? [] : changedKinds(known.kinds, seen.kinds);
  // Event triggers come and go with functions and extensions alone, or without a word.
  if (known === null || kinds.length === 0 || (await isTold(known, kinds.includes(EVENT_TRIGGER)))) {
    return { seen, change: null };
  }
  if (await isToldLater()) return { seen: known, change: null };
  const reason = `Definitions were changed of which no event trigger tells (${kinds.join(', ')})`;
  return { seen, change: await untoldSince(client, from, { at: known.at, reason }) };
}

const EVENT_TRIGGER = 'event trigger';
const WITH_EVENT_TRIGGERS = /^((CREATE|ALTER|DROP) (EXTENSION|FUNCTION|ROUTINE)|DROP (SCHEMA|OWNED|LANGUAGE))$/;

/** Whether changes of definitions can be what the catalogs show. */
export function tellsOfDefinitions(
  changes: readonly Pick<DefinitionChange, 'tag'>[],
  isOfEventTriggers = false,
): boolean {
  return changes.some(
    ({ tag }) => tag === null || (!isNeverRepeated(tag) && (!isOfEventTriggers || WITH_EVENT_TRIGGERS.test(tag))),
  );
}
