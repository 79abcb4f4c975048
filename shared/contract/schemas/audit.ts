import * as z from 'zod';
import { databaseIdSchema } from '../../configuration/runtime.ts';

export const auditOutcomeSchema = z.enum(['started', 'succeeded', 'refused', 'failed']).meta({
  description:
    '`started`: what is about to be done; the record of how it ended names this one in `started_by`. `refused`: the caller may not, or asked for what cannot be.',
});

export const auditSourceSchema = z.enum(['api', 'job', 'system', 'database']).meta({
  description:
    '`api`: a call. `job`: a step of a job. `system`: a scheduled function. `database`: what the server itself told, in its log or by an event trigger.',
});

const anyJson = z.unknown();

/** What is recorded of one thing that was done, without its place in the chain. */
export const auditEntrySchema = z.object({
  source: auditSourceSchema,
  actor: z.string().meta({ description: '`sub` of the caller, `schedule`, or a login of the server.' }),
  operation: z.string().meta({
    description: 'The operation’s name in this API, the job and its step, or what the server calls it.',
    examples: ['createBackup', 'restore.load', 'ALTER TABLE'],
  }),
  database: databaseIdSchema.nullable().meta({ description: 'null: it concerns no database, or none alone.' }),
  target: z.string().nullable().meta({ description: 'What it was done to: a backup, a job, a table.' }),
  address: z.string().nullable().meta({ description: 'Where the call came from.' }),
  request_id: z.string().nullable().meta({ description: 'Of the call, which the log names too; of a step, its job.' }),
  outcome: auditOutcomeSchema,
  started_by: z
    .int()
    .nullable()
    .meta({ description: 'Sequence number of the record that was written before a change began.' }),
  duration_ms: z.number().nullable(),
  error: z.string().nullable().meta({ description: 'Code of the error.' }),
  request: anyJson.meta({ description: 'What was asked for.' }),
  before: anyJson.meta({ description: 'Of a change: how it was.' }),
  after: anyJson.meta({ description: 'Of a change: how it became, or what was answered.' }),
  // Optional, as older records have none: what has no hash of its own must not appear when a record is read.
  claimed: z
    .array(z.string())
    .optional()
    .meta({
      description: 'Fields that repeat what a database said, in its log or in a message: nobody has verified them.',
      examples: [['actor', 'operation', 'request']],
    }),
});

const hashSchema = z.string().regex(/^[0-9a-f]{64}$/);

/** Shards of a chain: more than the processes that write it at the same time, as a rule. */
export const SHARDS = 64;

export const shardSchema = z
  .int()
  .min(0)
  .max(SHARDS - 1);

export const auditRecordSchema = auditEntrySchema
  .extend({
    chain: z.string().meta({ examples: ['databases/shop', 'system'] }),
    shard: shardSchema.optional().meta({
      description: 'The shard of the chain that the record is in. Absent: it is in the chain itself.',
    }),
    sequence: z
      .int()
      .min(1)
      .meta({ description: 'Counts the records of a chain, or of one of its shards, without gaps.' }),
    at: z.iso.datetime(),
    previous_hash: hashSchema.nullable().meta({
      description: 'Hash of the record before, in the same chain or shard; null for the first.',
    }),
    hash: hashSchema.meta({ description: 'SHA-256 over the canonical JSON (RFC 8785) of all other fields.' }),
  })
  .meta({ id: 'AuditRecord', description: 'Something that was done, as a link of a chain.' });

export type AuditOutcome = z.output<typeof auditOutcomeSchema>;
export type AuditEntry = z.output<typeof auditEntrySchema>;
export type AuditRecord = z.output<typeof auditRecordSchema>;
