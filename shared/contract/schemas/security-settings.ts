import * as z from 'zod';
import { databaseIdSchema } from '../../configuration/runtime.ts';

const MAX_RANGES = 200;
const MAX_ENVIRONMENTS = 100;

/** What an administrator may set for the whole system at run time; the deployment's configuration says what it begins with. */
export const securitySettingsSchema = z
  .strictObject({
    enable_audit: z.boolean().meta({
      description: '`false`: calls and jobs are no longer recorded. That is recorded itself, and opens an alert.',
    }),
    max_audit_retention_days: z.int().min(7).max(3653).meta({
      description:
        'Days for which audit records stay in the table. They are archived before they are removed from there.',
    }),
    session_max_age_minutes: z
      .int()
      .min(1)
      .max(10_080)
      .meta({ description: 'Longest age of a session, counted from when its user signed in.' }),
    allowed_address_ranges: z
      .array(z.union([z.cidrv4(), z.cidrv6()], { error: 'must be a range such as 198.51.100.0/24' }))
      .min(1)
      .max(MAX_RANGES)
      .meta({ description: 'CIDR ranges that callers may come from.', examples: [['198.51.100.0/24']] }),
    requests_per_minute: z
      .int()
      .min(1)
      .max(100_000)
      .meta({ description: 'Calls that one caller may make in a minute.' }),
    trusted_environments: z.array(databaseIdSchema).max(MAX_ENVIRONMENTS).meta({
      description:
        'Configured databases whose servers may receive personal data of others as it is. A restore to any other server but its own must mask it.',
    }),
  })
  .meta({ id: 'SecuritySettings', description: 'Settings of the whole system about access and audit.' });

export type SecuritySettings = z.output<typeof securitySettingsSchema>;

export const settingsChangeSchema = z
  .strictObject({
    version: z.int().min(0).meta({
      description: 'The `version` of the settings that this change is of. When they were changed since, it is refused.',
    }),
    settings: securitySettingsSchema.partial().meta({ description: 'What is not named stays as it is.' }),
  })
  .refine(({ settings }) => Object.keys(settings).length > 0, { path: ['settings'], error: 'must name a setting' });

const versionFields = {
  version: z.int().min(0).meta({ description: 'Grows with every change; 0: never changed.' }),
  settings: securitySettingsSchema,
  changed_at: z.iso.datetime().nullable(),
  changed_by: z.string().nullable().meta({ description: '`sub` of who changed them; null: they are as configured.' }),
};

export const settingsViewSchema = z
  .object({
    ...versionFields,
    configured: securitySettingsSchema.meta({ description: "What the deployment's configuration says." }),
    history: z.array(z.object(versionFields)).meta({ description: 'The latest versions, the newest first.' }),
  })
  .meta({ id: 'SecuritySettingsView', description: 'The settings as they are, and as they were.' });

export type SettingsChange = z.output<typeof settingsChangeSchema>;
export type SettingsView = z.output<typeof settingsViewSchema>;
