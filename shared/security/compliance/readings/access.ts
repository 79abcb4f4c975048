import type { RuntimeConfiguration } from '../../../configuration/runtime.ts';
import type { StateTable } from '../../../state/table.ts';
import { configuredSettings } from '../../settings/configured-settings.ts';
import type { SecuritySettings } from '../../settings/read-settings.ts';
import { readStoredSettings } from '../../settings/settings-store.ts';

/** Who may use this system, and who hears of alerts. */
export interface AccessReading extends SecuritySettings {
  alertEmails: number;
}

/** @throws the SDK's errors */
export async function readAccessSection(
  configuration: RuntimeConfiguration,
  table: StateTable,
): Promise<AccessReading> {
  const stored = await readStoredSettings(table);
  return {
    ...(stored?.settings ?? configuredSettings(configuration)),
    alertEmails: configuration.alert_emails.length,
  };
}
