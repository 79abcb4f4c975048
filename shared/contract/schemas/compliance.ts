import * as z from 'zod';
import { databaseIdSchema } from '../../configuration/runtime.ts';
import { databaseQuerySchema } from './common.ts';

/** How much a rule weighs. */
export const ruleLevelSchema = z.enum(['low', 'medium', 'high', 'critical']);
/** Whose controls rules map to. */
export const frameworkSchema = z.enum(['CIS', 'SOC 2', 'ISO 27001', 'GDPR', 'HIPAA', 'PCI DSS']);
export const themeSchema = z.enum([
  'tls',
  'passwords',
  'authentication',
  'roles',
  'privileges',
  'row_security',
  'code',
  'foreign_servers',
  'logging',
  'limits',
  'backups',
  'aws',
  'access',
]);
/** What mends: SQL, AWS's CLI, a shell on the server, this API, or the deployment's configuration. */
export const mendBySchema = z.enum(['sql', 'aws', 'shell', 'api', 'configuration']);

export const ruleIdSchema = z.string().regex(/^[a-z][a-z0-9_]{1,59}$/, 'must be the id of a rule, such as tls_enabled');

export const complianceQuerySchema = databaseQuerySchema.extend({
  format: z.enum(['json', 'csv', 'html']).default('json').meta({
    description: '`csv`: a line for each rule; `html`: a page to print.',
  }),
});

const REASON_MAX = 500;
const LONGEST_WAIVER_DAYS = 366;

export const waiverRequestSchema = z.strictObject({
  reason: z
    .string()
    .trim()
    .min(10, 'must say why, in at least ten characters')
    .max(REASON_MAX)
    .regex(/^[^\p{Cc}]*$/u, 'must not hold control characters')
    .meta({ description: 'Why the rule does not hold here. It is shown in every report.' }),
  until: z.iso.date().meta({ description: `The last day of it (UTC), at most ${LONGEST_WAIVER_DAYS} days from now.` }),
});

const waiverSchema = z.object({
  reason: z.string(),
  until: z.iso.date(),
  by: z.string().meta({ description: '`sub` of who waived it.' }),
  at: z.iso.datetime(),
});

const ruleResultSchema = z
  .object({
    id: ruleIdSchema,
    theme: themeSchema,
    title: z.string(),
    level: ruleLevelSchema,
    status: z.enum(['pass', 'fail', 'waived', 'not_applicable', 'unknown']).meta({
      description: '`unknown`: it could not be read; `found` says why. It counts as if it failed.',
    }),
    found: z.string(),
    expected: z.string(),
    mend: z
      .array(z.object({ by: mendBySchema, statement: z.string() }))
      .meta({ description: 'What mends it, in order; empty where nothing is wrong.' }),
    controls: z.array(z.object({ framework: frameworkSchema, ids: z.array(z.string()) })),
    waiver: waiverSchema.nullable().meta({ description: 'One that has not ended, whether it is needed or not.' }),
  })
  .meta({ id: 'ComplianceRule', description: 'A rule, and how a database does by it.' });

const countsSchema = z.object({
  pass: z.int(),
  fail: z.int(),
  waived: z.int(),
  not_applicable: z.int(),
  unknown: z.int(),
});

export const complianceSchema = z
  .object({
    database: databaseIdSchema,
    at: z.iso.datetime(),
    score: z.number().min(0).max(100).meta({
      description:
        '100 × weights of the rules that pass ÷ weights of those that pass, fail or are unknown. Weights: critical 10, high 6, medium 3, low 1. 100 without any.',
    }),
    counts: countsSchema,
    rules: z.array(ruleResultSchema),
    trend: z
      .array(z.object({ at: z.iso.datetime(), score: z.number(), counts: countsSchema, failed: z.array(ruleIdSchema) }))
      .meta({ description: 'The last run of each of the latest days, the newest first, this one included.' }),
    sources: z.array(z.object({ framework: frameworkSchema, title: z.string(), source: z.string() })),
  })
  .meta({ id: 'Compliance', description: 'How a database does by the rules of compliance.' });

export const waiversSchema = z
  .object({
    database: databaseIdSchema,
    waivers: z.array(waiverSchema.extend({ rule: ruleIdSchema })),
  })
  .meta({
    id: 'ComplianceWaivers',
    description: 'Rules that are waived for a database, those included that have ended.',
  });

export type RuleLevel = z.output<typeof ruleLevelSchema>;
export type Framework = z.output<typeof frameworkSchema>;
export type Theme = z.output<typeof themeSchema>;
export type Waiver = z.output<typeof waiverSchema>;
export type WaiverRequest = z.output<typeof waiverRequestSchema>;
export type Compliance = z.output<typeof complianceSchema>;
export type ComplianceCounts = z.output<typeof countsSchema>;
export const longestWaiverDays = LONGEST_WAIVER_DAYS;
