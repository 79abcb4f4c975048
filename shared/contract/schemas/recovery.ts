import * as z from 'zod';
import { databaseIdSchema } from '../../configuration/runtime.ts';
import { backupIdSchema } from './backup.ts';
import { progressSchema } from './job.ts';
import { findingSchema } from './restore.ts';

export const recoveryChangeSchema = z
  .strictObject({
    enabled: z.boolean().optional().meta({
      description:
        '`true`: capture changes from now on; the window begins with the next full backup. `false`: end it, and leave nothing on the server; what is stored stays until its backups expire.',
    }),
    status: z.enum(['on', 'off', 'paused']).optional().meta({
      description:
        'In place of `enabled`. `on` and `off`: as `true` and `false`. `paused`: capture what has been committed, then drop the slot and the event triggers; nothing is captured until `on`, which begins a new window with a full backup. What is stored can be restored all the while.',
    }),
    for: z.enum(['upgrade']).optional().meta({
      description: 'Why it is paused. `upgrade`: of the server to another major version, which slots prevent.',
    }),
  })
  .superRefine(({ enabled, status, for: reason }, context) => {
    const refuse = (field: string, message: string) => context.addIssue({ code: 'custom', path: [field], message });
    if (enabled === undefined && status === undefined) refuse('enabled', 'is missing; send it or "status"');
    if (enabled !== undefined && status !== undefined) refuse('status', 'cannot go with "enabled"; send one of them');
    if (status === 'paused' && reason === undefined) refuse('for', 'is missing: say what it is paused for');
    if (status !== 'paused' && reason !== undefined) refuse('for', 'goes with "status": "paused" alone');
  });

/** What ended a window. */
export const closedCodeSchema = z.enum(['log_limit', 'slot_lost', 'slot_dropped_by_others', 'paused']);
export type ClosedCode = z.output<typeof closedCodeSchema>;

const timeSchema = z.iso.datetime().nullable();
const bytesSchema = z.number().min(0);

const obstacleSchema = z.object({ at: z.iso.datetime(), lsn: z.string(), reason: z.string() });

export const recoveryWindowSchema = z
  .object({
    database: databaseIdSchema,
    status: z.enum(['off', 'on', 'pausing', 'paused', 'closed']).meta({
      description:
        '`closed`: it was on, and something ended it. `paused`: somebody did, for an upgrade. In both, moments until then can still be restored. `pausing`: it is paused when what has been committed is captured.',
    }),
    phase: z
      .enum([
        'off',
        'waiting_for_backup',
        'backup_running',
        'waiting_for_capture',
        'open',
        'pausing',
        'paused',
        'closed',
      ])
      .meta({
        description:
          'How far it is. `waiting_for_backup`: the slot is there, and the full backup that the window begins with is not begun. `waiting_for_capture`: that backup is there, and the changes after it are not captured yet. `paused`: nothing of it is on the server.',
      }),
    explanation: z.string().meta({
      description: 'Which step is under way, why what is null is null, and what comes next.',
    }),
    base_job: z
      .object({ job_id: z.string(), backup_id: z.string(), status: z.string(), progress: progressSchema.nullable() })
      .nullable()
      .meta({ description: 'The full backup that is running for the window; null: none is.' }),
    next: z
      .object({
        step: z.enum(['slot', 'full_backup', 'capture', 'pause']),
        due_at: timeSchema.meta({
          description: 'By when it begins; null while a backup cannot say how long it takes.',
        }),
      })
      .nullable()
      .meta({ description: 'What happens next by itself; null: nothing does.' }),
    earliest: timeSchema.meta({
      description:
        'The first moment that can be restored, of the window before while a new one has none; null while there is none at all, for the reason in `explanation`.',
    }),
    latest: z
      .object({
        time: z.iso.datetime(),
        lsn: z
          .string()
          .nullable()
          .meta({ description: 'Where the stored changes end; null before the first of them after the full backup.' }),
      })
      .nullable()
      .meta({
        description:
          'The last moment. `POST restore/check` accepts every moment from `earliest` to here, but for the gaps that `windows` shows.',
      }),
    base: backupIdSchema.nullable().meta({ description: 'The full backup that the window begins with.' }),
    windows: z
      .array(
        z.object({
          earliest: z.iso.datetime(),
          latest: z.object({ time: z.iso.datetime(), lsn: z.string().nullable() }),
          base: backupIdSchema.meta({ description: 'The full backup that it begins with.' }),
          slot: z.string().meta({ description: 'The replication slot whose changes it is of.' }),
          ended_by: obstacleSchema.nullable().meta({
            description: 'The change of definitions that ends it; null: what is stored ends there.',
          }),
          exact: z.boolean().meta({
            description:
              'Whether every moment in it can be restored. `false`: it is of an earlier version, which did not note changes of definitions; `POST restore/check` says it of each moment.',
          }),
        }),
      )
      .meta({
        description:
          'All moments that can be restored, oldest first: each from `earliest` to `latest`, also those that were captured before recovery was turned on last or the slot was lost. Of the latest ten slots.',
      }),
    captured_at: timeSchema.meta({
      description:
        "Until when all that was committed is stored, by the server's clock: `latest`, unless `ended_by` is before it. While a new window waits for its full backup, the end of the one before. null before the first capture.",
    }),
    lag_seconds: z.number().nullable().meta({
      description: "How long ago that is, by the server's clock: what would be lost now.",
    }),
    slot: z
      .object({
        name: z.string(),
        state: z.enum(['reserved', 'extended', 'unreserved', 'lost', 'missing']).meta({
          description: '`wal_status` of pg_replication_slots.',
        }),
        retained_bytes: bytesSchema.nullable().meta({
          description: 'Log that the server keeps for it; null where the server does not tell how far its log is.',
        }),
        limit_bytes: bytesSchema.meta({ description: 'Beyond it, the slot is dropped and the window closed.' }),
        behind_bytes: bytesSchema.nullable().meta({ description: 'Log that is not captured yet; null as above.' }),
      })
      .nullable(),
    follows_definitions: z.boolean().nullable().meta({
      description: 'Whether changes of definitions are captured; without, the first one ends the window.',
    }),
    closed: z
      .object({
        at: z.iso.datetime(),
        reason: z.string(),
        code: closedCodeSchema.nullable().meta({
          description:
            '`log_limit`: the server kept too much log for the slot. `slot_lost`: the server gave the slot up, or another server took its place; it is created again by itself. `slot_dropped_by_others`: the slot is not there, and stays so until `PUT recovery`. `paused`: by `PUT recovery`. null: not noted.',
        }),
      })
      .nullable(),
    ended_by: obstacleSchema.nullable().meta({
      description:
        'The change of definitions after which no moment can be restored until there is another full backup.',
    }),
    obstacles: z.array(obstacleSchema).meta({
      description:
        'The latest changes of definitions that cannot be repeated: from each one to the next full backup no moment can be restored.',
    }),
    next_base: z
      .object({
        reason: z.string(),
        attempts: z.int().min(0).meta({ description: 'How many were begun in a row.' }),
        next_try_at: z.iso.datetime().meta({
          description: 'When a run begins one, if none is running and none has succeeded by then.',
        }),
        explanation: z.string(),
      })
      .nullable()
      .meta({ description: 'The full backup that is begun by itself; null when none is needed.' }),
    not_covered: z
      .array(
        z.object({
          schema: z.string().nullable(),
          table: z.string().nullable().meta({ description: 'null: large objects.' }),
          reason: z.enum(['no_replica_identity', 'unlogged', 'foreign', 'large_objects']),
          explanation: z.string(),
        }),
      )
      .meta({ description: 'What is not covered exactly, and why.' }),
    problems: z.array(findingSchema).meta({ description: 'What keeps it from being turned on, while it is off.' }),
    warnings: z.array(findingSchema).meta({ description: 'What it is the weaker for.' }),
  })
  .meta({
    id: 'RecoveryWindow',
    description: 'Point-in-time recovery of a database: from when to when, and how well.',
  });

export type RecoveryWindowAnswer = z.output<typeof recoveryWindowSchema>;
