import * as z from 'zod';

/** Why a backup is kept. */
const reasonSchema = z
  .object({
    rule: z
      .enum(['days', 'daily', 'weekly', 'monthly', 'yearly', 'newest_full', 'needed_by', 'job', 'object_lock'])
      .meta({
        description:
          '`days`: its age. `daily` to `yearly`: it is the first of its kind in one of the latest days, weeks, months or years. `newest_full`: there is no newer complete full backup. `needed_by`: another backup needs it. `job`: a job makes or reads it. `object_lock`: S3 does not let go of its objects.',
      }),
    period: z
      .string()
      .nullable()
      .meta({ description: 'The day, week, month or year that it stands for.', examples: ['2026-W05'] }),
    by: z.string().nullable().meta({ description: 'The backup or job that needs it.' }),
    until: z.iso.datetime().nullable().meta({
      description:
        'The rule keeps it until then. A count keeps it longer when days, weeks, months or years go by without a backup. null: nobody can say.',
    }),
  })
  .meta({ id: 'RetentionReason', description: 'A rule that keeps a backup.' });

export const retentionSchema = z
  .object({
    kept_by: z
      .array(reasonSchema)
      .meta({ description: 'Every rule that keeps it. Without one, the next daily run removes it.' }),
    expires_at: z.iso.datetime().nullable().meta({
      description: 'When the last of these rules lets go of it, at the earliest; null: nobody can say.',
    }),
  })
  .meta({ id: 'Retention', description: 'Why a backup is kept, and until when.' });

export type Retention = z.output<typeof retentionSchema>;
export type RetentionReason = z.output<typeof reasonSchema>;
