import * as z from 'zod';

export const validationLevelSchema = z.enum(['integrity', 'restore']).meta({
  description:
    '`integrity`: every object is read, decrypted, decompressed, hashed and counted. `restore`: a drill: the backup is restored into a scratch database on the drill server, looked over, and dropped.',
});

export const validationRequestSchema = z.strictObject({ level: validationLevelSchema });

const damagedObjectSchema = z.object({
  path: z.string().meta({
    description:
      "Below the backup's folder in the bucket; of an incremental backup's changes, below the database's folder.",
    examples: ['data/public.orders.7/000003.copy.zst.enc'],
  }),
  code: z.string().meta({ description: 'Stable and machine-readable.', examples: ['object_damaged'] }),
  message: z.string().meta({ description: 'What is wrong with it, in words.' }),
});

export const validationReportSchema = z
  .object({
    level: validationLevelSchema,
    objects: z.int().nullable().meta({
      description: 'Objects that were read, the manifest among them; null before the end, and for a drill.',
    }),
    damaged_objects: z.int().nullable().meta({ description: 'How many of them are damaged.' }),
    damaged: z.array(damagedObjectSchema).meta({ description: 'The damaged objects, 100 at most.' }),
  })
  .meta({ id: 'ValidationReport', description: 'What a validation looked at and found.' });

export type ValidationLevel = z.output<typeof validationLevelSchema>;
export type ValidationReport = z.output<typeof validationReportSchema>;
export type DamagedObject = z.output<typeof damagedObjectSchema>;
