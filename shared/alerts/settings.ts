import { GetCommand, PutCommand } from '@aws-sdk/lib-dynamodb';
import * as z from 'zod';
import type { Thresholds } from '../configuration/runtime.ts';
import { type AlertSettings, thresholdsRequestSchema } from '../contract/schemas/alert.ts';
import { OperationError } from '../errors.ts';
import { type CheckName, checkNames, checkOf, isCheckName } from '../health/checks.ts';
import { defaultCheck, type EffectiveCheck } from '../health/effective-check.ts';
import { levelOrder } from '../health/levels.ts';
import { metricOf } from '../health/metrics.ts';
import type { StateTable } from '../state/table.ts';

/** What administrators have set for a database, and who did last. */
export interface StoredSettings {
  settings: AlertSettings;
  changed_at: string | null;
  changed_by: string | null;
}

export const ALERT_SETTINGS_PREFIX = 'ALERT_SETTINGS#';
const settingsKey = (database: string) => ({ pk: `${ALERT_SETTINGS_PREFIX}${database}`, sk: 'ALERT_SETTINGS' });
const storedSchema = z.object({
  settings: thresholdsRequestSchema,
  changed_at: z.string().nullable(),
  changed_by: z.string().nullable(),
});

/** The settings of a database; the defaults while nobody has set any. */
export async function readSettings(table: StateTable, database: string): Promise<StoredSettings> {
  const { Item } = await table.documents.send(new GetCommand({ TableName: table.name, Key: settingsKey(database) }));
  return storedSchema.parse(Item ?? { settings: {}, changed_at: null, changed_by: null });
}

/**
 * Replaces the settings of a database.
 *
 * @throws OperationError `unknown_check`, or `levels_out_of_order` when a worse level comes before a lesser one
 */
export async function writeSettings(
  table: StateTable,
  database: string,
  settings: AlertSettings,
  by: string,
  now = new Date(),
): Promise<StoredSettings> {
  for (const [name, { levels }] of Object.entries(settings.checks)) {
    if (!isCheckName(name)) {
      throw new OperationError('unknown_check', `There is no check ${name}`, `Use of: ${checkNames.join(', ')}.`);
    }
    if (levels) assertInOrder(name, levels);
  }
  const stored = { settings, changed_at: now.toISOString(), changed_by: by };
  await table.documents.send(new PutCommand({ TableName: table.name, Item: { ...settingsKey(database), ...stored } }));
  return stored;
}

function assertInOrder(name: CheckName, levels: EffectiveCheck['levels']): void {
  const values = levelOrder.flatMap((level) => levels[level] ?? []);
  const sign = checkOf(name).bad === 'below' ? -1 : 1;
  if (values.every((value, index) => index === 0 || (value - (values[index - 1] ?? 0)) * sign > 0)) return;
  throw new OperationError(
    'levels_out_of_order',
    `The levels of ${name} do not get worse from INFO to CRITICAL`,
    sign > 0 ? 'Give each worse level a higher value.' : 'Give each worse level a lower value.',
  );
}

/** Every check with what the configuration and the administrators of a database say of it. */
export function effectiveChecks(
  { checks }: Pick<AlertSettings, 'checks'>,
  configured: Thresholds,
): Record<CheckName, EffectiveCheck> {
  const entries = checkNames.map((name) => {
    const set = Object.entries(checks[name] ?? {}).filter(([, value]) => value !== undefined);
    return [name, { ...defaultCheck(name, configured), ...Object.fromEntries(set) }] as const;
  });
  return Object.fromEntries(entries) as Record<CheckName, EffectiveCheck>;
}

/** The settings as the API shows them: every check in full. */
export function describeSettings(database: string, { settings, ...changed }: StoredSettings, configured: Thresholds) {
  const checks = Object.entries(effectiveChecks(settings, configured)).map(([name, check]) => {
    const { title, metric } = checkOf(name as CheckName);
    return [name, { ...check, title, metric, unit: metricOf(metric).unit }] as const;
  });
  return { database, ...settings, ...changed, checks: Object.fromEntries(checks) };
}

export function isInMaintenance({ maintenance }: Pick<AlertSettings, 'maintenance'>, at: number): boolean {
  return maintenance.some(({ from, to }) => Date.parse(from) <= at && at < Date.parse(to));
}
