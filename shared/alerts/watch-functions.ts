import {
  LOOK_EVERY_MS,
  RINGING,
  rememberRinging,
  type ThrottleDependencies,
  throttledFunctions,
} from './throttled-functions.ts';
import { endQuietTroubles, openTroubles, readTroubles, type TroubleDependencies } from './troubled-functions.ts';

/**
 * Looks after the alerts about this system's own functions: ends those whose trouble is over, and asks again which functions are held
 * back as long as CloudWatch's alarm about the account rings, which then tells of nothing new.
 */
export async function watchFunctions(
  dependencies: TroubleDependencies & ThrottleDependencies,
  now = Date.now(),
): Promise<void> {
  const items = await readTroubles(dependencies.table);
  const ringing = items.find(({ sk }) => sk === RINGING);
  if (ringing && now - (ringing.looked_at ?? 0) >= LOOK_EVERY_MS) {
    await openTroubles(dependencies, await throttledFunctions(dependencies, now));
    await rememberRinging(dependencies.table, now);
    // They may have been seen again: the next round knows.
    return;
  }
  await endQuietTroubles(dependencies, items, now);
}
