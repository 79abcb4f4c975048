import type { Database } from './runtime.ts';
import { trustLevels } from './runtime.ts';

/**
 * Whether personal data would come to people who are trusted less.
 *
 * @param from - the database that it is of; undefined: it is not configured any more
 */
export function isLessTrusted(from: Pick<Database, 'trust'> | undefined, to: Pick<Database, 'trust'>): boolean {
  // Nobody said how far one of them is trusted.
  if (!from?.trust || !to.trust) return false;
  return trustLevels.indexOf(to.trust) > trustLevels.indexOf(from.trust);
}
