import { loadConfiguration } from '../../configuration/load.ts';
import type { SecuritySettings } from '../../contract/schemas/security-settings.ts';
import type { StateTable } from '../../state/table.ts';
import { configuredSettings } from './configured-settings.ts';
import { readStoredSettings } from './settings-store.ts';

export type { SecuritySettings } from '../../contract/schemas/security-settings.ts';

/** How long settings are believed after they were read: a change takes as long to be known everywhere. */
const KEPT_MS = 10_000;

const kept = new WeakMap<StateTable, { until: number; settings: Promise<SecuritySettings> }>();

/**
 * The settings as they are, or were some seconds ago; what the configuration says while nobody has set any.
 *
 * @param configured - what holds then; by default, of the configuration that the environment names
 * @throws the SDK's errors, when the table cannot be read
 */
export function readSecuritySettings(
  table: StateTable,
  configured: () => SecuritySettings = () => configuredSettings(loadConfiguration()),
): Promise<SecuritySettings> {
  const known = kept.get(table);
  if (known && performance.now() < known.until) return known.settings;
  const settings = readStoredSettings(table).then((stored) => stored?.settings ?? configured());
  kept.set(table, { until: performance.now() + KEPT_MS, settings });
  // What could not be read is asked for again at once.
  settings.catch(() => kept.delete(table));
  return settings;
}

/** Forgets what is kept of a table's settings, once they were changed. */
export function forgetSettings(table: StateTable): void {
  kept.delete(table);
}
