import type { GuardLimits } from '../changes/guard/decide.ts';
import type { Database, RuntimeConfiguration } from '../configuration/runtime.ts';

const GIBIBYTE = 1_073_741_824;

/** From this part of what a database's server may keep on there are warnings. */
const WARN_AT = 0.5;

/** How much log the server of a database may keep for the slot before it is dropped. */
export function guardLimits(
  { recovery }: Pick<RuntimeConfiguration, 'recovery'>,
  { max_retained_wal_gigabytes: own }: Pick<Database, 'max_retained_wal_gigabytes'>,
): GuardLimits {
  return { mostRetainedBytes: (own ?? recovery.max_retained_wal_gigabytes) * GIBIBYTE, warnAt: WARN_AT };
}
