import * as z from 'zod';
import { toEventBridgeCron } from './cron.ts';

/** A time that comes again and again, in Unix cron (crontab(5)), as far as EventBridge can express it. */
export const cronSchema = z
  .string()
  .max(200)
  .superRefine((expression, context) => {
    try {
      toEventBridgeCron(expression);
    } catch (error) {
      context.addIssue({ code: 'custom', message: (error as Error).message });
    }
  });

export const timeZoneSchema = z.string().refine(isTimeZone, 'must be an IANA time zone such as UTC or Europe/Vienna');

const scheduleSchema = (byDefault: string | null) => cronSchema.nullable().default(byDefault);

/** Types of backups with rows of their own, which can be masked. */
const maskedTypes = ['full', 'data'] as const;

export const canBeMasked = (type: string): boolean => (maskedTypes as readonly string[]).includes(type);

/** When backups of each type are taken by themselves, null for never, until somebody changes it through the API. */
export const schedulesSchema = z.strictObject({
  full: scheduleSchema('0 2 * * 0'),
  incremental: scheduleSchema('0 */6 * * *'),
  schema: scheduleSchema('0 1 * * 1'),
  data: scheduleSchema(null),
  /** Types whose scheduled backups are masked. They are no base of anything: take plain ones as well. */
  masked: z.array(z.enum(maskedTypes)).default([]),
  /** IANA time zone of the expressions. */
  time_zone: timeZoneSchema.default('UTC'),
});

/** Time zones of configurations; to look one up takes longer than all else that is checked of a configuration. */
const knownTimeZones = new Set<string>();
const MAX_KNOWN_TIME_ZONES = 1000;

function isTimeZone(name: string): boolean {
  if (knownTimeZones.has(name)) return true;
  if (!isNameOfTimeZone(name)) return false;
  if (knownTimeZones.size < MAX_KNOWN_TIME_ZONES) knownTimeZones.add(name);
  return true;
}

/** Names in another case, and offsets such as `+01:00`, are known to JavaScript alone: EventBridge refuses them. */
function isNameOfTimeZone(name: string): boolean {
  try {
    const { timeZone } = new Intl.DateTimeFormat('en', { timeZone: name }).resolvedOptions();
    return /^[A-Z]/i.test(name) && (timeZone === name || timeZone.toLowerCase() !== name.toLowerCase());
  } catch {
    return false;
  }
}
