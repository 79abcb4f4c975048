import * as z from 'zod';
import { databaseIdSchema } from '../../configuration/runtime.ts';
import { databaseQuerySchema, pageOf, pageQuerySchema } from './common.ts';
import { doctorSchema } from './doctor.ts';

/** How bad something is, from news to emergency. */
export const levelSchema = z.enum(['INFO', 'WARNING', 'ERROR', 'CRITICAL']);
export type Level = z.output<typeof levelSchema>;

const timeSchema = z.iso.datetime();
const digits = (least: number, most: number) =>
  z.preprocess(
    (value) => (typeof value === 'string' && /^\d{1,9}$/.test(value) ? Number(value) : value),
    z
      .int({ error: `must be a whole number from ${least} to ${most}` })
      .min(least)
      .max(most),
  );

export const checkSchema = z
  .object({
    check: z.string().meta({ examples: ['connections'] }),
    title: z.string(),
    state: z.enum(['ok', ...levelSchema.options, 'unknown', 'off']).meta({
      description: '`unknown`: the value is not known. `off`: switched off in the thresholds.',
    }),
    value: z.number().nullable(),
    unit: z.string().meta({ description: '`Ratio`: a share from 0 to 1.' }),
    source: z.string().meta({ description: 'Where the value comes from.' }),
    threshold: z.number().nullable().meta({ description: 'What the value has passed, or will pass next.' }),
    confidence: z
      .number()
      .nullable()
      .meta({ description: 'Of a forecast: how well a straight line fits what it is made of, from 0 to 1.' }),
    since: timeSchema.nullable().meta({ description: 'When the value passed the threshold.' }),
    what_to_do: z.string(),
    alert_id: z.string().nullable().meta({ description: 'The alert that is open because of it.' }),
  })
  .meta({ id: 'Check', description: 'One of the things that are watched.' });

export const healthSchema = z
  .object({
    database: databaseIdSchema,
    status: z.enum(['ok', 'warning', 'critical', 'down', 'unknown']).meta({
      description:
        '`warning`: a check is at WARNING or ERROR. `down`: it cannot be reached. `unknown`: no sample is fresh enough to say.',
    }),
    sampled_at: timeSchema.nullable(),
    age_seconds: z.number().nullable().meta({ description: 'How old the sample is.' }),
    fresh: z.boolean().meta({ description: 'Whether the sample is younger than three intervals.' }),
    interval_seconds: z.number(),
    details_at: timeSchema
      .nullable()
      .meta({ description: 'When sizes, tables, sequences and indexes were last read.' }),
    unreachable: z
      .object({ code: z.string(), message: z.string(), next_step: z.string() })
      .nullable()
      .meta({ description: 'Why it cannot be reached.' }),
    pooler: z
      .object({
        name: z.string(),
        recognised_by: z.string(),
        jobs_go_directly: z.boolean().meta({
          description:
            'Whether `direct` names the server itself; without it backups, restores and recovery are refused.',
        }),
      })
      .nullable()
      .meta({ description: 'The connection pooler that it is watched through; null: the server itself.' }),
    unsampled: z.string().nullable().meta({
      description: 'Why no sample is fresh: one is taken when this is asked for and the last one is too old.',
    }),
    checks: z.array(checkSchema),
    metrics: z.array(
      z.object({
        metric: z.string(),
        title: z.string(),
        value: z.number().nullable().meta({ description: 'null: unknown.' }),
        unit: z.string(),
        source: z.string(),
      }),
    ),
    largest_tables: z.array(z.object({ name: z.string(), bytes: z.number() })),
    sequences: z.array(z.object({ name: z.string(), usage: z.number() })),
    invalid_indexes: z.array(z.string()),
    doctor: doctorSchema.nullable().meta({
      description:
        'The latest report of `GET doctor`: which features work with the login and the server. null: nobody has looked yet.',
    }),
    unread: z
      .array(z.object({ part: z.string(), reason: z.string() }))
      .meta({ description: 'Parts of the sample that could not be read, such as for want of rights.' }),
  })
  .meta({ id: 'Health', description: 'How a database is.' });

export const historyQuerySchema = databaseQuerySchema.extend({
  hours: digits(1, 10_950).default(24).meta({ description: 'How many hours back; 24 without it.' }),
  metrics: z
    .string()
    .regex(/^[a-z0-9_]+(,[a-z0-9_]+){0,49}$/, 'must be names of metrics with commas between')
    .optional()
    .meta({ description: 'Only these; all without it.', examples: ['connections,response_time_ms'] }),
});

export const historySchema = z
  .object({
    database: databaseIdSchema,
    from: timeSchema,
    to: timeSchema,
    period_seconds: z.number().meta({ description: 'What one point stands for.' }),
    series: z.array(
      z.object({
        metric: z.string(),
        title: z.string(),
        unit: z.string(),
        source: z.string(),
        points: z.array(z.object({ at: timeSchema, min: z.number(), mean: z.number(), max: z.number() })),
      }),
    ),
  })
  .meta({ id: 'MetricsHistory', description: 'Metrics over time, at most 150 points each.' });

const groupSchema = z.array(
  z.object({ name: z.string().nullable().meta({ description: 'null: none, or the rest.' }), sessions: z.number() }),
);

export const connectionStatsSchema = z
  .object({
    database: databaseIdSchema,
    connections: z.number(),
    max_connections: z.number(),
    usage: z.number(),
    by_state: groupSchema,
    by_user: groupSchema,
    by_application: groupSchema,
    by_wait_event: groupSchema,
  })
  .meta({ id: 'ConnectionStats', description: 'The sessions of the server in numbers.' });

const MOST_PID = 2_147_483_647;

export const pidSchema = z
  .string()
  .regex(/^[1-9]\d{0,9}$/, 'must be a process id')
  .refine((text) => Number(text) <= MOST_PID, 'must be a process id')
  .meta({ description: 'Process id of a session.', examples: ['4711'] });

const nameFilter = z
  .string()
  .min(1)
  .max(63)
  .regex(/^[^\0]*$/, 'must be text without NUL characters');

export const connectionsQuerySchema = pageQuerySchema.extend({
  state: z.enum(['active', 'idle', 'idle in transaction', 'idle in transaction (aborted)']).optional(),
  user: nameFilter.optional(),
  application: nameFilter.optional(),
});

export const connectionSchema = z
  .object({
    pid: z.int(),
    database: z.string().nullable().meta({ description: 'Its name on the server.' }),
    user: z.string().nullable(),
    application: z.string().nullable(),
    client_address: z.string().nullable(),
    state: z.string().nullable(),
    wait_event: z.string().nullable(),
    connected_at: timeSchema,
    transaction_seconds: z.number().nullable(),
    query_seconds: z.number().nullable(),
    state_seconds: z.number().nullable(),
    query: z.string().nullable().meta({ description: 'The last statement, its constants replaced by `?`.' }),
    own: z.boolean().meta({ description: 'A session of this system.' }),
  })
  .meta({ id: 'Connection', description: 'A session of the server.' });

export const connectionsPageSchema = pageOf(connectionSchema);

export const closeIdleSchema = z.strictObject({
  older_than_seconds: z.int().min(1).max(31_536_000).meta({ description: 'Idle for at least so long.' }),
  user: nameFilter.optional().meta({ description: 'Only of this user.' }),
  application: nameFilter.optional().meta({ description: 'Only of this application.' }),
  idle_in_transaction: z
    .boolean()
    .default(false)
    .meta({ description: '`true`: also those idle in a transaction, which is rolled back.' }),
});

export const closedSchema = z
  .object({
    closed: z.array(
      z.object({
        pid: z.int(),
        user: z.string().nullable(),
        application: z.string().nullable(),
        idle_seconds: z.number(),
      }),
    ),
    not_permitted: z.int().meta({ description: 'Sessions that fit, which the login may not end.' }),
    more: z.boolean().meta({ description: 'Whether there are more than were closed at once.' }),
  })
  .meta({ id: 'ClosedConnections', description: 'The sessions that were ended.' });

export const lockedSessionSchema = z
  .object({
    pid: z.int(),
    database: z.string().nullable(),
    user: z.string().nullable(),
    application: z.string().nullable(),
    state: z.string().nullable(),
    depth: z.int().meta({ description: '0: it waits for nobody and others wait for it.' }),
    blocked_by: z.array(z.int()).meta({ description: 'Sessions that it waits for.' }),
    blocks: z.int().meta({ description: 'How many sessions wait for it, directly or behind others.' }),
    lock: z.string().nullable().meta({ description: 'What it waits for, as mode and object.' }),
    seconds: z
      .number()
      .meta({ description: 'Since its statement began, or since it has been idle in its transaction.' }),
    transaction_seconds: z.number().nullable(),
    query: z.string().nullable(),
  })
  .meta({ id: 'LockedSession', description: 'A session that waits for a lock, or holds one that others wait for.' });

export const locksSchema = z
  .object({
    database: databaseIdSchema,
    waiting: z.int().meta({ description: 'Sessions that wait; of many, the list holds those that wait longest.' }),
    sessions: z
      .array(lockedSessionSchema)
      .meta({ description: 'The blocking tree, those that hold up most first, each before those that wait for it.' }),
  })
  .meta({ id: 'Locks', description: 'Who waits for whom.' });

export type Health = z.output<typeof healthSchema>;
export type Check = z.output<typeof checkSchema>;
export type Connection = z.output<typeof connectionSchema>;
export type LockedSession = z.output<typeof lockedSessionSchema>;
