import { type CheckName, checkOf } from '../health/checks.ts';
import type { WatchState } from '../health/sample-store.ts';

/** What else is known of a check that has failed: names of objects, the cause, how sure a forecast is. */
export function detailOf(
  check: CheckName,
  { details, fits, unreachable, latest, slots, doctor }: WatchState,
): string | null {
  const fit = fits[checkOf(check).metric];
  if (fit) {
    return `A straight line through ${fit.points} points fits with a confidence of ${Math.round(fit.confidence * 100)} %`;
  }
  switch (check) {
    case 'availability':
      return unreachable && `${unreachable.message}. ${unreachable.next_step}`;
    case 'sequence':
      return named(details?.sequences);
    case 'invalid_indexes':
      return details && details.invalidIndexes.length > 0 ? details.invalidIndexes.join(', ') : null;
    case 'disk':
    case 'disk_free':
    case 'disk_ceiling':
      return named(details?.largestTables);
    case 'blocked_sessions':
      return `${latest?.values.blocked_sessions ?? 0} sessions wait for locks`;
    case 'failing_features':
      return doctor.failing;
    case 'limited_features':
      return doctor.limited;
    case 'slot_behind':
      return slots.furthest;
    case 'slot_loss':
      return slots.endangered;
    case 'inactive_slots':
      return slots.unread;
    default:
      return null;
  }
}

const MOST_NAMES = 3;

function named(all: readonly { name: string }[] = []): string | null {
  const names = all.slice(0, MOST_NAMES).map(({ name }) => name);
  return names.length === 0 ? null : names.join(', ');
}
