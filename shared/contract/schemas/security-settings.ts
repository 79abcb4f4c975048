import { z } from 'zod';
import { databaseIdSchema } from '../../configuration/runtime.ts';

const MAX_RANGES = 200;
const MAX_ENVIRONMENTS = 100;

/** What an administrator may set for the whole system at run time; the deployment's configuration says what it begins with. */
export const securitySettingsSchema = z
  .strictObject({
    enable_audit: z.boolean().meta({
      description: '`false`: calls and jobs are no longer recorded. That is recorded itself, and opens an alert.',
    }),
    max_audit_retention_days: z.int().min(1).max(3653).meta({
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
