import * as z from 'zod';
import { databaseIdSchema } from '../../configuration/runtime.ts';
import { mendBySchema } from './compliance.ts';

/** What this system does with a database, each with rights of its own. */
export const featureSchema = z.enum([
  'monitoring',
  'sessions',
  'backup',
  'restore',
  'swap',
  'recovery',
  'masking',
  'access',
  'login_audit',
  'compliance',
]);
export type Feature = z.output<typeof featureSchema>;

export const featureStatusSchema = z.enum(['works', 'works_with_limits', 'does_not_work', 'unknown']).meta({
  description: '`unknown`: what it depends on could not be read; `unread` says why. Never taken for `works`.',
});
export type FeatureStatus = z.output<typeof featureStatusSchema>;

const remediationSchema = z.object({
  by: mendBySchema,
  statement: z.string().meta({ description: 'Exact and complete, with the real names, to be pasted as it is.' }),
  run_as: z.string().nullable().meta({ description: 'Who may run it; null where that goes without saying.' }),
});

const featuresSchema = z.array(featureSchema);

export const findingSchema = z
  .object({
    check: z.string().meta({ examples: ['tables_not_readable'] }),
    title: z.string(),
    message: z.string().meta({
      description: 'What is missing. Names in quotation marks are as the server tells them; nobody has verified them.',
    }),
    stops: featuresSchema.meta({ description: 'Features that do not work because of it.' }),
    limits: featuresSchema.meta({ description: 'Features that work, but for what the message says.' }),
    notes: featuresSchema.meta({
      description: 'Features that could do more with rights that the documented login does not have. No alert.',
    }),
    remediation: z.array(remediationSchema),
  })
  .meta({ id: 'DoctorFinding', description: 'A privilege or a setting that is missing.' });

export const doctorSchema = z
  .object({
    database: databaseIdSchema,
    at: z.iso.datetime(),
    status: featureStatusSchema.meta({ description: 'The worst of the features that are in use.' }),
    platform: z.string(),
    server_version: z.string().nullable(),
    login: z.string().nullable(),
    features: z.array(
      z.object({
        feature: featureSchema,
        title: z.string(),
        status: featureStatusSchema,
        in_use: z.boolean().meta({
          description: 'Whether anything uses it now; where nothing does, it raises no alert.',
        }),
        findings: z.array(z.string()).meta({ description: 'The checks that have found something about it.' }),
      }),
    ),
    findings: z.array(findingSchema),
    unread: z
      .array(z.object({ checks: z.array(z.string()), reason: z.string() }))
      .meta({ description: 'Checks that could not be made.' }),
  })
  .meta({ id: 'Doctor', description: 'What the login of a database may do, what not, and what to do about it.' });

export type Finding = z.output<typeof findingSchema>;
export type Remediation = z.output<typeof remediationSchema>;
export type DoctorReport = z.output<typeof doctorSchema>;
