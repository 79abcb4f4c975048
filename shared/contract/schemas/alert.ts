import * as z from 'zod';
import { databaseIdSchema } from '../../configuration/runtime.ts';
import { timeZoneSchema } from '../../configuration/schedules.ts';
import { pageOf, pageQuerySchema } from './common.ts';
import { levelSchema } from './health.ts';

export const alertIdSchema = z
  .string()
  .regex(/^alr-[0-9A-HJKMNP-TV-Z]{26}$/, 'must be an alert id such as alr-01J...')
  .meta({ description: 'Id of an alert.', examples: ['alr-01JZ8Q4F7M3N5P6R8S9T0V1W2X'] });

const timeSchema = z.iso.datetime();

export const alertStatusSchema = z.enum(['open', 'acknowledged', 'resolved']);

const alertEventSchema = z.object({
  at: timeSchema,
  event: z.enum(['opened', 'raised', 'escalated', 'acknowledged', 'resolved']),
  level: levelSchema,
  value: z.number().nullable(),
  by: z.string().meta({ description: '`sub` of who did it, or `system`.' }),
  note: z.string().nullable(),
});

export const alertSchema = z
  .object({
    id: alertIdSchema,
    database: databaseIdSchema.nullable().meta({ description: 'null: it concerns this system itself.' }),
    cause: z.string().meta({
      description: 'What it is about; a cause has one alert at a time.',
      examples: ['check:connections', 'function:dbms-backup/errors'],
    }),
    title: z.string(),
    level: levelSchema.meta({ description: 'The worst it has been at.' }),
    status: alertStatusSchema,
    value: z.number().nullable().meta({ description: 'When it was opened or last raised.' }),
    threshold: z.number().nullable(),
    unit: z.string(),
    what_to_do: z.string(),
    detail: z.string().nullable().meta({ description: 'What else is known of it.' }),
    opened_at: timeSchema,
    acknowledged_at: timeSchema.nullable(),
    acknowledged_by: z.string().nullable(),
    resolved_at: timeSchema.nullable(),
    resolved_by: z.string().nullable().meta({ description: '`sub` of who resolved it, or `system`: it went away.' }),
    events: z.array(alertEventSchema),
    mail: z
      .object({
        status: z.enum(['none', 'waiting', 'sent', 'failed', 'unknown', 'returned']).meta({
          description:
            '`unknown`: the function ended while it sent; it is not sent twice. `returned`: somebody who should receive it did not.',
        }),
        at: timeSchema.nullable(),
        error: z.string().nullable(),
      })
      .meta({ description: 'What became of its last mail.' }),
  })
  .meta({ id: 'Alert', description: 'Something that an administrator should know.' });

export const alertsQuerySchema = pageQuerySchema.extend({
  status: alertStatusSchema.optional().meta({ description: 'Only alerts of this status.' }),
  scope: z
    .enum(['database', 'system'])
    .default('database')
    .meta({ description: '`system`: alerts about the functions of this system in place of those of a database.' }),
});

export const alertsPageSchema = pageOf(alertSchema);

export const alertActionSchema = z.strictObject({
  note: z.string().min(1).max(500).optional().meta({ description: 'Kept with the alert; never mailed.' }),
});

const secondsSchema = z.int().min(0).max(604_800);
const clockSchema = z.string().regex(/^([01]\d|2[0-3]):[0-5]\d$/, 'must be a time such as 22:00');

const checkThresholdsSchema = z.object({
  enabled: z.boolean(),
  levels: z.partialRecord(levelSchema, z.number()).meta({ description: 'From which value on it is at each level.' }),
  for_seconds: secondsSchema.meta({
    description: 'How long a value must be bad before it is an alert, by the sample nearest to when that is due.',
  }),
  clear_seconds: secondsSchema.meta({ description: 'How long it must be good before the alert is over, likewise.' }),
  hysteresis: z
    .number()
    .min(0)
    .max(1)
    .meta({ description: 'How far back it must go to be good again, as a share of the threshold.' }),
});

const alertSettingsShape = {
  escalate_after_seconds: z.int().min(60).max(604_800).nullable().meta({
    description:
      'An alert that nobody acknowledges rises by a level after each such time; null: never. INFO does not rise.',
  }),
  quiet_hours: z
    .strictObject({ from: clockSchema, to: clockSchema })
    .nullable()
    .meta({ description: 'Mails below CRITICAL wait for their end.' }),
  maintenance: z
    .array(
      z
        .strictObject({ from: timeSchema, to: timeSchema })
        .refine(({ from, to }) => from < to, 'must end after it begins'),
    )
    .max(20)
    .meta({ description: 'No alert is opened or raised in these times.' }),
  digest_at: clockSchema.meta({ description: 'When alerts of level INFO are mailed, all in one.' }),
  time_zone: timeZoneSchema.meta({ description: 'Of the times of day.' }),
};

export const thresholdsSchema = z
  .object({
    database: databaseIdSchema,
    checks: z.record(
      z.string(),
      checkThresholdsSchema.extend({ title: z.string(), metric: z.string(), unit: z.string() }),
    ),
    ...alertSettingsShape,
    changed_at: timeSchema.nullable(),
    changed_by: z.string().nullable(),
  })
  .meta({ id: 'AlertThresholds', description: 'When there are alerts, and when they are mailed.' });

export const thresholdsRequestSchema = z.strictObject({
  checks: z
    .record(z.string().max(64), checkThresholdsSchema.partial().strict())
    .default({})
    .meta({ description: 'By check, what differs from the defaults. `levels` replaces all levels of the check.' }),
  escalate_after_seconds: alertSettingsShape.escalate_after_seconds.default(3600),
  quiet_hours: alertSettingsShape.quiet_hours.default(null),
  maintenance: alertSettingsShape.maintenance.default([]),
  digest_at: alertSettingsShape.digest_at.default('08:00'),
  time_zone: alertSettingsShape.time_zone.default('UTC'),
});

export type Alert = z.output<typeof alertSchema>;
export type AlertEvent = z.output<typeof alertEventSchema>;
export type AlertSettings = z.output<typeof thresholdsRequestSchema>;
