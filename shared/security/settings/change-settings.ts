import { alertOfCause, getAlert, openAlert, resolveAlert } from '../../alerts/alert-store.ts';
import { mailAbout, mailSubject } from '../../alerts/news.ts';
import type { RuntimeConfiguration } from '../../configuration/runtime.ts';
import type { SecuritySettings, SettingsChange, SettingsView } from '../../contract/schemas/security-settings.ts';
import { OperationError } from '../../errors.ts';
import { newAlertId } from '../../state/ids.ts';
import type { StateTable } from '../../state/table.ts';
import { configuredSettings } from './configured-settings.ts';
import { forgetSettings } from './read-settings.ts';
import { latestVersions, readStoredSettings, writeStoredSettings } from './settings-store.ts';

const SHOWN_VERSIONS = 20;
const AUDIT_OFF = { database: null, cause: 'audit:off' };
/** An alert about this system is mailed at any hour. */
const anyHour = { quiet_hours: null, time_zone: 'UTC' };

export interface SettingsDependencies {
  table: StateTable;
  configuration: RuntimeConfiguration;
}

export interface RequestedChange {
  change: SettingsChange;
  by: string;
  /** Whether the caller's own address lies in ranges. */
  isWithin(ranges: readonly string[]): boolean;
  now?: Date;
}

/** The settings as they are, with the latest versions. */
export async function describeSecuritySettings({ table, configuration }: SettingsDependencies): Promise<SettingsView> {
  const configured = configuredSettings(configuration);
  const stored = await readStoredSettings(table);
  const current = stored ?? { version: 0, settings: configured, changed_at: null, changed_by: null };
  return { ...current, configured, history: await latestVersions(table, SHOWN_VERSIONS) };
}

/**
 * Changes settings. Audit that is turned off opens an alert, and turned on again, resolves it.
 *
 * @throws OperationError `settings_changed`, when the version is another; `address_excluded`, when the caller would lock themselves
 * out; `unknown_environment`
 */
export async function changeSecuritySettings(
  { table, configuration }: SettingsDependencies,
  { change, by, isWithin, now = new Date() }: RequestedChange,
): Promise<void> {
  const stored = await readStoredSettings(table);
  const version = stored?.version ?? 0;
  if (version !== change.version) throw changedMeanwhile(change.version, version);
  const given = Object.fromEntries(Object.entries(change.settings).filter(([, value]) => value !== undefined));
  const settings: SecuritySettings = { ...(stored?.settings ?? configuredSettings(configuration)), ...given };
  assertPossible(change.settings, configuration, isWithin);
  // The alert first: audit is never off without one. It is resolved only once audit is on.
  if (!settings.enable_audit) await alertAboutAudit(table, configuration, by, now);
  if (!(await writeStoredSettings(table, version, settings, by, now))) {
    throw changedMeanwhile(change.version, version + 1);
  }
  forgetSettings(table);
  if (settings.enable_audit) await resolveAuditAlert(table, configuration, now);
}

function assertPossible(
  { allowed_address_ranges: ranges, trusted_environments: environments = [] }: SettingsChange['settings'],
  { databases }: RuntimeConfiguration,
  isWithin: RequestedChange['isWithin'],
): void {
  const unknown = environments.filter((environment) => !databases.some(({ id }) => id === environment));
  if (unknown.length > 0) {
    throw new OperationError(
      'unknown_environment',
      `No database of this id is configured: ${unknown.join(', ')}`,
      `Use of: ${databases.map(({ id }) => id).join(', ')}.`,
    );
  }
  if (ranges === undefined || isWithin(ranges)) return;
  throw new OperationError(
    'address_excluded',
    'Your own address is in none of these ranges: your next call would be refused',
    'Add a range that your address is in, or call from one of these.',
  );
}

async function alertAboutAudit(
  table: StateTable,
  configuration: RuntimeConfiguration,
  by: string,
  now: Date,
): Promise<void> {
  const alert = {
    ...AUDIT_OFF,
    id: newAlertId(),
    title: 'The audit trail is turned off',
    level: 'CRITICAL',
    value: null,
    threshold: null,
    unit: 'None',
    what_to_do: 'Turn it on with PUT security/settings, unless it was meant to be off.',
    detail: `Turned off by ${by}`,
  } as const;
  const mail = mailAbout(mailSubject(alert, 'opened', [], now.getTime()), anyHour, configuration, now.getTime());
  await openAlert(table, alert, mail, now);
}

async function resolveAuditAlert(table: StateTable, configuration: RuntimeConfiguration, now: Date): Promise<void> {
  const id = await alertOfCause(table, AUDIT_OFF);
  if (id === null) return;
  const standing = { ...(await getAlert(table, id)), value: null };
  const mail = mailAbout(mailSubject(standing, 'resolved', [], now.getTime()), anyHour, configuration, now.getTime());
  await resolveAlert(table, standing, mail, now);
}

function changedMeanwhile(given: number, current: number): OperationError {
  return new OperationError(
    'settings_changed',
    `The change is of version ${given} of the settings, which are at version ${current}`,
    'Read them with GET security/settings and send the change again with their version.',
  );
}
