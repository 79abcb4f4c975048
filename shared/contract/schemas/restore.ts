import * as z from 'zod';
import { databaseIdSchema } from '../../configuration/runtime.ts';
import { backupIdSchema } from './backup.ts';

/** Databases that every server has for itself; a restore never takes their names. */
const SYSTEM_DATABASES = new Set(['postgres', 'template0', 'template1', 'rdsadmin']);

/** PostgreSQL cuts a longer name off silently (NAMEDATALEN - 1). */
const MAX_NAME_BYTES = 63;

/** The name of a database to create. Any name PostgreSQL can hold is legal: quotes, spaces, Unicode. */
export const targetDatabaseSchema = z
  .string()
  .min(1)
  .max(MAX_NAME_BYTES)
  .refine(
    (name) => new TextEncoder().encode(name).length <= MAX_NAME_BYTES,
    `must be at most ${MAX_NAME_BYTES} bytes of UTF-8`,
  )
  .refine((name) => name.isWellFormed() && !name.includes('\0'), 'must be Unicode text without NUL characters')
  .refine((name) => !SYSTEM_DATABASES.has(name), 'is the name of a system database; choose another one')
  .meta({ description: 'Name of the database to create; it must not exist yet. 1 to 63 bytes of UTF-8.' });

const fitsName = (name: string): boolean => new TextEncoder().encode(name).length <= MAX_NAME_BYTES;

/** The name of an object or role, exactly as PostgreSQL has it: without quotes, with its upper and lower case. */
export const nameSchema = z
  .string()
  .min(1)
  .refine(fitsName, `must be at most ${MAX_NAME_BYTES} bytes of UTF-8`)
  .refine((name) => name.isWellFormed() && !name.includes('\0'), 'must be Unicode text without NUL characters');

/** A relation, as one text or two. */
export const tableSchema = z
  .union([
    z
      .string()
      .regex(/^[^.]+\.[^.]+$/, 'must be schema.table; send names with dots as {"schema": ..., "table": ...}')
      .refine((name) => name.split('.').every((part) => nameSchema.safeParse(part).success), 'holds no legal names'),
    z.strictObject({ schema: nameSchema, table: nameSchema }),
  ])
  .meta({ description: 'A table, view, materialized view, foreign table or sequence by its exact name.' });

const MAX_SELECTED = 2000;

/** What a restore does to the server. */
export const restoreModeSchema = z.enum(['new', 'swap', 'data', 'beside']);

/** The moment to restore to; at most one of the first three. */
const recoveryFields = z.strictObject({
  point_in_time: z.iso
    .datetime({ offset: true })
    .optional()
    .meta({
      description:
        'All that was committed until then, and nothing later: the newest full backup before it is restored and the changes since are repeated. `backup_id` may be left out. See `recovery-window`.',
      examples: ['2026-03-01T09:59:59.5Z'],
    }),
  lsn: z
    .string()
    .regex(/^[0-9A-Fa-f]{1,8}\/[0-9A-Fa-f]{1,8}$/, 'must be a position in the log such as 16/B374D848')
    .optional()
    .meta({ description: 'In place of a time: commits that end here or before.', examples: ['16/B374D848'] }),
  transaction: z
    .string()
    .regex(/^\d{1,19}$/, 'must be a transaction number of 64 bits in decimal digits')
    .optional()
    .meta({ description: 'In place of a time: this transaction is the last, by `pg_current_xact_id()`.' }),
  inclusive: z.boolean().optional().meta({
    description: '`false`: what is exactly at that time or position, or the transaction itself, is left out.',
  }),
});

const restoreFields = recoveryFields.extend({
  backup_id: backupIdSchema.optional().meta({
    description: 'The backup to restore; with a moment, by default the newest full one that it can be reached from.',
  }),
  mode: restoreModeSchema.default('new').meta({
    description:
      '`new`: into a database that does not exist yet. `swap`: the restored database takes the place of an existing one, which is kept under a dated name and can be swapped back; sessions on it are ended. `data`: the rows alone go into the tables of an existing database, which must be empty. `beside`: the chosen `tables` come into an existing database under other names (see `suffix`), as they were in the backup or at a moment; nothing that is there is touched.',
  }),
  target_database: targetDatabaseSchema.optional().meta({
    description:
      'Name of the database to create (1 to 63 bytes of UTF-8). With `swap`, of the one to replace, with `data`, of the one whose tables are filled, with `beside`, of the one that gets the tables; by default the configured one.',
  }),
  confirm_unmanaged: targetDatabaseSchema.optional().meta({
    description:
      'With `swap`: the name of the database to replace once more, where it is none of the configured databases, as this system has no backups of it.',
    examples: ['legacy'],
  }),
  environment: databaseIdSchema.optional().meta({
    description: "Id of the configured database to whose server it is restored; by default, the backup's own.",
    examples: ['staging'],
  }),
  schemas: z.array(nameSchema).min(1).max(MAX_SELECTED).optional().meta({
    description: 'Only these schemas, with what they need. Together with `tables`: both.',
  }),
  tables: z
    .array(tableSchema)
    .min(1)
    .max(MAX_SELECTED)
    .optional()
    .meta({
      description:
        'Only these tables, with what they need: types, sequences, functions, indexes, keys, triggers, policies, privileges. A partitioned table comes with its partitions. Foreign keys whose parent is not selected are left out; warnings name them.',
      examples: [['shop.orders', { schema: 'shop', table: 'Order.Items' }]],
    }),
  suffix: z
    .string()
    .regex(/^[A-Za-z0-9_]{1,40}$/, 'must be 1 to 40 letters, digits and underscores')
    .optional()
    .meta({
      description: 'With `beside`: what the names of the tables end in there; by default `_restored`.',
      examples: ['_before_the_accident'],
    }),
  owner_mapping: z
    .record(nameSchema, nameSchema)
    .optional()
    .meta({
      description:
        'Roles that take the place of those of the backup, as owners and wherever privileges and policies name them.',
      examples: [{ shop_owner: 'staging_owner' }],
    }),
  without_owners: z.boolean().default(false).meta({ description: 'Everything belongs to the login that restores.' }),
  without_privileges: z.boolean().default(false).meta({ description: 'Nothing is granted or revoked.' }),
  missing_roles: z.enum(['create', 'skip']).default('create').meta({
    description:
      '`create`: roles that the server lacks are created, without login and password. `skip`: what they own belongs to the login, what they are granted is left out.',
  }),
  leave_out: z
    .strictObject({ extensions: z.array(nameSchema).min(1).max(100) })
    .optional()
    .meta({
      description:
        'Extensions that the restore goes without, with the definitions that need them and the rows of both; `restore/check` names them. For extensions that the server would not create, such as pg_cron, which lives in one database of a server.',
      examples: [{ extensions: ['pg_cron'] }],
    }),
  expect: z
    .strictObject({ extensions: z.array(nameSchema).min(1).max(100), template: nameSchema })
    .optional()
    .meta({
      description:
        'Extensions that an administrator has created in a database of the server, `template`, from which the new database is copied: for extensions that the login may not create. Nobody may be connected to it, and it must have the encoding of the backup.',
      examples: [{ extensions: ['postgis'], template: 'with_postgis' }],
    }),
  analyze: z.boolean().default(true).meta({
    description:
      "Gather the planner's statistics (`ANALYZE`), so that the first queries are planned well. `false`: leave it to autovacuum.",
  }),
  masked: z.boolean().optional().meta({
    description:
      "`true`: values are masked by the rules of `security/masking` of the backup's database while they are loaded, as a masked backup would have them. The rules are held against the backup's definitions first. Large objects are left out.",
  }),
  allow_unmasked: z.boolean().optional().meta({
    description:
      '`true`: also into an environment that is trusted less, with columns that seem to hold personal data and are not masked.',
  }),
  connections: z.int().min(1).max(32).optional().meta({
    description: 'Sessions that load at a time; by default the configured number.',
  }),
});

/** What fields of a request ask for only together, or never. */
function checkFields(body: z.output<typeof restoreFields>, context: z.RefinementCtx): void {
  const refuse = (field: string, message: string) => context.addIssue({ code: 'custom', path: [field], message });
  const moments = (['point_in_time', 'lsn', 'transaction'] as const).filter((field) => body[field] !== undefined);
  for (const field of moments.slice(1)) refuse(field, `cannot go with ${moments[0]}: ask for one moment`);
  const [moment] = moments;
  if (moment === undefined && body.backup_id === undefined) refuse('backup_id', 'is missing');
  if (moment === undefined && body.inclusive !== undefined) refuse('inclusive', 'is about a moment; name one');
  if (moment !== undefined && body.mode !== 'new' && body.mode !== 'beside') {
    refuse(moment, 'goes with "mode": "new" or "beside" alone');
  }
  if (moment !== undefined && body.masked)
    refuse('masked', `cannot go with ${moment}: captured changes are not masked`);
  if (body.mode === 'beside') {
    if (!body.tables) refuse('tables', 'is missing: "mode": "beside" is about chosen tables');
    if (body.schemas) refuse('schemas', 'cannot go with "mode": "beside"; name tables');
  } else if (body.suffix !== undefined) refuse('suffix', 'goes with "mode": "beside" alone');
  for (const field of ['leave_out', 'expect'] as const) {
    if (body.mode === 'data' && body[field]) {
      refuse(field, 'cannot go with "mode": "data", which creates no extension');
    }
  }
  const both = body.expect?.extensions.find((name) => body.leave_out?.extensions.includes(name));
  if (both !== undefined) refuse('expect.extensions', `names "${both}", which is left out`);
  if (body.mode === 'new' && body.target_database === undefined) refuse('target_database', 'is missing');
  if (body.mode !== 'swap' && body.confirm_unmanaged !== undefined)
    refuse('confirm_unmanaged', 'goes with "mode": "swap" alone');
  if (body.mode === 'swap') {
    for (const field of ['schemas', 'tables'] as const) {
      if (body[field]) refuse(field, 'cannot go with "mode": "swap", which replaces a whole database');
    }
  }
}

const confirmSchema = z
  .literal(true, {
    error: 'must be true: a restore creates a database on the server or fills tables; send "confirm": true to agree',
  })
  .meta({ description: 'Must be true.' });

export const restoreRequestSchema = restoreFields.extend({ confirm: confirmSchema }).superRefine(checkFields);

/** A restore that is only checked: nothing to confirm. */
export const restoreCheckRequestSchema = restoreFields.superRefine(checkFields);

export const findingSchema = z.object({
  code: z.string().meta({ description: 'Stable and machine-readable.', examples: ['extension_missing'] }),
  message: z.string().meta({ description: 'What was found, in words.' }),
  next_step: z.string().meta({ description: 'What to do about it.' }),
});

export const restoreCheckSchema = z
  .object({
    problems: z
      .array(findingSchema)
      .meta({ description: 'Each stands against the restore; without any, it can begin.' }),
    warnings: z.array(findingSchema).meta({ description: 'What will be different, or could not be found out.' }),
    restores: z
      .object({ tables: z.int(), rows: z.int(), bytes: z.int().meta({ description: 'Bytes of COPY text.' }) })
      .nullable()
      .meta({ description: 'What would be restored; null when the backup or the server could not be read.' }),
    server_version: z
      .int()
      .nullable()
      .meta({
        description: '`server_version_num` of the server; null when it could not be asked.',
        examples: [180004],
      }),
    changed_since: z
      .object({
        until: z.iso.datetime().nullable().meta({
          description:
            "Until when changes were counted, by the server's clock; null: none are stored after the moment.",
        }),
        complete: z.boolean().meta({
          description: 'Whether all stored changes after the moment were counted; `false`: until `until` only.',
        }),
        tables: z
          .array(
            z.object({
              table: z.string().meta({ examples: ['shop.orders'] }),
              inserts: z.int(),
              updates: z.int(),
              deletes: z.int(),
              truncates: z.int(),
            }),
          )
          .meta({
            description:
              'Rows that were changed after the moment, which the restore leaves out; the tables with the most first, under the names that they had then.',
          }),
        tables_left_out: z.int().meta({ description: 'Further tables with changes.' }),
      })
      .nullable()
      .meta({ description: 'null without a moment, and where it could not be counted.' }),
    runs: z
      .object({
        total: z.int(),
        functions: z
          .array(
            z.object({
              name: z.string().meta({ examples: ['shop.is_valid(text)'] }),
              owner: z
                .string()
                .nullable()
                .meta({ description: 'Its owner, in the backup or in the database that the rows come into.' }),
              used_by: z.array(z.string()).meta({ examples: [['CHECK CONSTRAINT shop.orders orders_check']] }),
            }),
          )
          .meta({ description: 'The first 200 of them, by name.' }),
      })
      .nullable()
      .meta({
        description:
          'Functions of the backup that the restore runs with the rights of the login that restores, in constraints, domains, generated columns, indexes and materialized views; with the modes `data` and `beside` also those of the database that the rows come into, with its event triggers. What they call in their turn is not listed. null when the backup or that database could not be read.',
      }),
  })
  .meta({ id: 'RestoreCheck', description: 'What a restore would meet.' });

export const swapBackRequestSchema = z.strictObject({
  confirm: z
    .literal(true, { error: 'must be true: sessions on the database are ended; send "confirm": true to agree' })
    .meta({ description: 'Must be true.' }),
});

/** The moment of a restore, as its job carries it. */
export const recoveryTargetSchema = recoveryFields;

const momentOmitted = { point_in_time: true, lsn: true, transaction: true, inclusive: true } as const;

/** The options of a restore, as its job carries them. */
export const restoreOptionsSchema = restoreFields
  .omit({
    ...momentOmitted,
    backup_id: true,
    target_database: true,
    mode: true,
    environment: true,
    confirm_unmanaged: true,
  })
  .partial();

export type RestoreMode = z.output<typeof restoreModeSchema>;
export type RecoveryTargetFields = z.output<typeof recoveryFields>;
export type RestoreBody = z.output<typeof restoreFields>;
export type RestoreOptionFields = z.output<typeof restoreOptionsSchema>;
