import * as z from 'zod';
import { databaseIdSchema } from '../../configuration/runtime.ts';
import { canBeMasked, cronSchema, timeZoneSchema } from '../../configuration/schedules.ts';
import { type BackupType, backupIdSchema, backupTypeSchema } from './backup.ts';
import { jobIdSchema } from './job.ts';

/** A field for each type of backup: every one can have a schedule. */
export function byBackupType<Value>(make: (type: BackupType) => Value): Record<BackupType, Value> {
  return Object.fromEntries(backupTypeSchema.options.map((type) => [type, make(type)])) as Record<BackupType, Value>;
}

const cronField = cronSchema.meta({
  description:
    'In Unix form (crontab(5)): minute, hour, day of month, month, day of week. Either the day of month or the day of week is `*`.',
  examples: ['0 2 * * 0'],
});

const timeZoneField = timeZoneSchema.meta({
  description: 'IANA time zone whose clocks it goes by.',
  examples: ['Europe/Vienna'],
});

const newScheduleSchema = z.strictObject({
  cron: cronField,
  time_zone: timeZoneField.optional().meta({ description: "Without it, that of the deployment's configuration." }),
  enabled: z.boolean().default(true).meta({ description: '`false`: it is kept and does not run.' }),
  masked: z.boolean().optional().meta({
    description:
      '`true`: its backups are masked by the rules of `security/masking`, and so no base of anything. For `full` and `data`.',
  }),
});

export const scheduleChangeSchema = z
  .strictObject({
    version: z.int().min(0).meta({
      description:
        'The `version` of the schedules that this change is of. When they were changed since, it is refused.',
    }),
    schedules: z
      .strictObject(byBackupType(() => newScheduleSchema.nullable().optional()))
      .default({})
      .meta({ description: 'The types to change; null: it does not run by itself. What is not named stays as it is.' }),
    as_configured: z
      .array(backupTypeSchema)
      .max(backupTypeSchema.options.length)
      .default([])
      .meta({ description: "The types that follow the deployment's configuration again." }),
  })
  .superRefine(({ schedules, as_configured }, context) => {
    for (const type of backupTypeSchema.options) {
      if (!schedules[type]?.masked || canBeMasked(type)) continue;
      const message = 'is for backups with rows of their own: neither definitions nor captured changes are masked';
      context.addIssue({ code: 'custom', path: ['schedules', type, 'masked'], message });
    }
    const named = backupTypeSchema.options.filter((type) => schedules[type] !== undefined);
    if (named.length + as_configured.length === 0) {
      context.addIssue({ code: 'custom', path: ['schedules'], message: 'must name a type to change' });
    }
    as_configured.forEach((type, index) => {
      if (!named.includes(type)) return;
      const message = `is given a schedule as well: ${type} is either the one or the other`;
      context.addIssue({ code: 'custom', path: ['as_configured', index], message });
    });
  });

const scheduleRunSchema = z
  .object({
    due_at: z.iso.datetime(),
    outcome: z.enum(['running', 'succeeded', 'failed', 'cancelled', 'skipped', 'missed']).meta({
      description:
        '`skipped`: a backup of the same type was still running, so no second one was started; or there was nothing for it to go on from, as `reason` says. `missed`: it was due and nothing came of it within 15 minutes; should it still come, this changes.',
    }),
    started_at: z.iso.datetime().nullable().meta({ description: 'When it reached the function; null: it did not.' }),
    job_id: jobIdSchema
      .nullable()
      .meta({ description: 'The job that it began; of a skipped one, the one in its way.' }),
    backup_id: backupIdSchema.nullable(),
    reason: z.string().nullable().meta({ description: 'Why it was skipped, when no job was in its way.' }),
  })
  .meta({ id: 'ScheduleRun', description: 'A time at which a schedule was due, and what came of it.' });

const scheduleSchema = z
  .object({
    cron: cronField.nullable().meta({ description: 'null: it does not run by itself.' }),
    time_zone: timeZoneField.nullable(),
    enabled: z.boolean().meta({ description: 'Whether it runs.' }),
    masked: z.boolean().meta({ description: 'Whether its backups are masked.' }),
    source: z.enum(['configuration', 'api']).meta({ description: 'Where it comes from.' }),
    changed_by: z.string().nullable().meta({ description: '`sub` of who changed it; null: it is as configured.' }),
    changed_at: z.iso.datetime().nullable(),
    configured: z
      .object({ cron: z.string().nullable(), time_zone: z.string(), masked: z.boolean() })
      .meta({ description: "What the deployment's configuration says." }),
    applied: z.boolean().meta({
      description:
        'Whether EventBridge Scheduler has it so. `false` after a deployment, or when it was changed by another hand, until the next look within 15 minutes puts it right.',
    }),
    next_runs: z.array(z.iso.datetime()),
    last_runs: z.array(scheduleRunSchema).meta({ description: 'The latest first.' }),
  })
  .meta({ id: 'Schedule', description: 'When backups of one type are taken by themselves.' });

export const scheduleSetSchema = z
  .object({
    database: databaseIdSchema,
    version: z.int().min(0).meta({ description: 'Grows with every change; 0: never changed.' }),
    schedules: z.object(byBackupType(() => scheduleSchema)),
  })
  .meta({ id: 'Schedules', description: 'The schedules of the backups of one database.' });

export type ScheduleChange = z.output<typeof scheduleChangeSchema>;
export type ScheduleRun = z.output<typeof scheduleRunSchema>;
export type Schedule = z.output<typeof scheduleSchema>;
export type ScheduleSet = z.output<typeof scheduleSetSchema>;
