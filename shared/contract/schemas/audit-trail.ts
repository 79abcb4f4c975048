import * as z from 'zod';
import { auditOutcomeSchema, auditRecordSchema, auditSourceSchema, shardSchema } from './audit.ts';
import { databaseQuerySchema, pageOf, pageQuerySchema } from './common.ts';

const scope = z
  .enum(['database', 'system'])
  .default('database')
  .meta({ description: '`system`: what concerns no database, in place of what concerns one.' });

const exactly = (what: string) =>
  z
    .string()
    .min(1)
    .max(512)
    .optional()
    .meta({ description: `Only of this ${what}.` });

const times = {
  from: z.iso.datetime().optional().meta({ description: 'Only from this time on.' }),
  to: z.iso.datetime().optional().meta({ description: 'Only up to this time, which is not before `from`.' }),
};

interface Times {
  from?: string | undefined;
  to?: string | undefined;
}

const endsAfterItBegins = ({ from, to }: Times): boolean =>
  from === undefined || to === undefined || Date.parse(from) <= Date.parse(to);
const notReversed = { path: ['to'], message: 'to is before from' };

const auditQueryFields = pageQuerySchema.extend({
  scope,
  ...times,
  source: auditSourceSchema.optional(),
  actor: exactly('actor'),
  operation: exactly('operation'),
  target: exactly('target'),
  outcome: auditOutcomeSchema.optional(),
  format: z.enum(['json', 'csv', 'jsonl']).default('json').meta({
    description: '`csv`, `jsonl`: the page as a file; the header `Next-Cursor` has the cursor of the next one.',
  }),
});

export const auditQuerySchema = auditQueryFields.refine(endsAfterItBegins, notReversed);

export const auditPageSchema = pageOf(auditRecordSchema);

export const verifyQuerySchema = databaseQuerySchema.extend({ scope, ...times }).refine(endsAfterItBegins, notReversed);

const positionSchema = z.object({ sequence: z.int(), at: z.iso.datetime(), shard: shardSchema.optional() }).nullable();

const sealingSchema = z
  .object({
    last_seal_at: z.iso.datetime().nullable().meta({
      description:
        'When the chain was sealed last: what was recorded before, nobody can rewrite unnoticed. null: never.',
    }),
    unsealed_records: z.int().meta({ description: 'Records that no seal covers yet.' }),
    unsealed_from: z.iso.datetime().nullable().meta({
      description:
        'Time of the first of them. From it on, who can write to the table could have rewritten records and head together.',
    }),
    overdue: z.boolean().meta({
      description: 'Whether a seal should have been made by now: sealing fails, or does not run.',
    }),
    gaps: z.array(z.object({ from: z.iso.datetime(), to: z.iso.datetime() })).meta({
      description: 'Times of more than a day between two seals, in which sealing failed or did not run.',
    }),
  })
  .meta({ description: 'How far the chain is sealed. A chain has a seal each day, also when nothing was recorded.' });

export const verificationSchema = z
  .object({
    chain: z.string(),
    intact: z.boolean().meta({ description: 'Whether everything that was looked at is as it was written.' }),
    complete: z.boolean().meta({
      description: '`false`: there was more than one call can look at; go on with `from` as `next_from` says.',
    }),
    next_from: z.iso.datetime().nullable(),
    records: z.int().meta({ description: 'Records that were looked at.' }),
    archived: z.int().meta({ description: 'Of them, those that were read from the archive.' }),
    digests: z.int().meta({ description: 'Seals and signed digests that agree with them.' }),
    first: positionSchema,
    last: positionSchema,
    broken: z
      .object({
        sequence: z.int().meta({ description: 'The first record that is not as it was written.' }),
        shard: shardSchema.optional().meta({ description: 'The shard that it is in.' }),
        problem: z.enum(['altered', 'removed', 'reordered', 'added', 'digest_invalid', 'seal_missing']),
        where: z.enum(['table', 'archive', 'digest']),
        message: z.string(),
      })
      .nullable(),
    sealing: sealingSchema,
  })
  .meta({ id: 'AuditVerification', description: 'Whether the audit trail is as it was written.' });

export type AuditQuery = z.output<typeof auditQuerySchema>;
export type Verification = z.output<typeof verificationSchema>;
