import * as z from 'zod';
import { backupIdSchema, backupTypeSchema } from '../contract/schemas/backup.ts';
import { OperationError } from '../errors.ts';
import { FORMAT_VERSION } from './layout.ts';

const countSchema = z.int().min(0);

const objectSchema = z.object({
  path: z.string(),
  stored_bytes: countSchema,
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
});

/** A stored object that holds rows as COPY text. */
const chunkSchema = objectSchema.extend({ rows: countSchema, bytes: countSchema });

const privilegeSchema = z.object({
  /** null stands for PUBLIC. */
  grantee: z.string().nullable(),
  privilege: z.string(),
  grantable: z.boolean(),
});

export const databasePropertiesSchema = z.object({
  name: z.string(),
  owner: z.string(),
  encoding: z.string(),
  collate: z.string(),
  ctype: z.string(),
  /** `c` libc, `i` ICU, `b` built-in. */
  locale_provider: z.string(),
  locale: z.string().nullable(),
  icu_rules: z.string().nullable(),
  connection_limit: z.int(),
  comment: z.string().nullable(),
  settings: z.array(z.object({ role: z.string().nullable(), setting: z.string() })),
  has_privileges: z.boolean(),
  privileges: z.array(privilegeSchema),
});

export const largeObjectSchema = z.object({
  oid: z.coerce.number(),
  owner: z.string(),
  comment: z.string().nullable(),
  has_privileges: z.boolean(),
  privileges: z.array(privilegeSchema),
});

/** The types that are exported from a database; an incremental backup is made of captured changes. */
export const exportedTypeSchema = backupTypeSchema.exclude(['incremental']);
export type ExportedType = z.output<typeof exportedTypeSchema>;

/** A role, without its password and rights. The lists are absent in backups that did not save them yet. */
export const roleEntrySchema = z.object({
  name: z.string(),
  /** As `name=value`. */
  settings: z.array(z.string()).optional(),
  member_of: z.array(z.object({ role: z.string(), admin: z.boolean() })).optional(),
});

/** An extension of the database, with the schemas, tables and sequences that belong to it. */
export const extensionSchema = z.object({
  name: z.string(),
  version: z.string(),
  schemas: z.array(z.string()),
  relations: z.array(z.object({ schema: z.string(), name: z.string() })),
});

/**
 * All that a restore needs to know of a backup; the bucket alone is enough. Written last: it is what makes the backup exist.
 */
export const manifestSchema = z.object({
  format: z.literal(FORMAT_VERSION),
  id: backupIdSchema,
  database: z.string(),
  /** An incremental backup has a manifest of another form: see `increment-manifest.ts`. */
  backup_type: exportedTypeSchema,
  custom_name: z.string().nullable(),
  /** The patterns of what the backup is of; absent or null: of the whole database. */
  selection: z
    .object({ include: z.array(z.string()).nullable(), exclude: z.array(z.string()).nullable() })
    .nullable()
    .optional(),
  /** By which version of the rules columns were masked, and which ones; absent: none. */
  masking: z
    .object({
      version: z.int(),
      columns: z.array(z.object({ schema: z.string(), table: z.string(), column: z.string(), rule: z.string() })),
    })
    .optional(),
  /** Of a backup that keeps a part of the rows: what was asked for, and each table of which not every row is kept; absent: all are. */
  sample: z
    .object({
      percent: z.number(),
      /** Patterns of the chosen tables. */
      tables: z.array(z.string()),
      reduced: z.array(
        z.object({
          schema: z.string(),
          table: z.string(),
          /** Whether a pattern chose it; the others follow what they refer to. */
          chosen: z.boolean(),
          /** How many are kept. */
          rows: countSchema,
          /** How many there were, as the server estimates; null: it does not know. */
          rows_before: z.number().nullable(),
        }),
      ),
    })
    .optional(),
  /** What the login could not read of that which the backup is of; absent: nothing is missing. */
  missing: z
    .object({
      /** Row security hid their rows; their definitions are there. */
      tables: z.array(z.object({ schema: z.string(), name: z.string() })),
      large_objects: countSchema,
    })
    .optional(),
  /** The backups without which this one cannot be restored; absent: none. */
  depends_on: z.array(backupIdSchema).optional(),
  requested_by: z.string(),
  created_at: z.string(),
  ended_at: z.string(),
  snapshot: z.object({
    taken_at: z.string(),
    /** `pg_current_snapshot()`: which transactions the backup saw. */
    transactions: z.string(),
    /** Only a note: nothing is restored by it. null where the server does not tell it. */
    lsn: z.string().nullable(),
    /** Why `lsn` is null. */
    lsn_unknown: z.string().optional(),
  }),
  server_version: z.int(),
  /** null where pg_dump was not asked: a backup of rows alone. */
  pg_dump_version: z.string().nullable(),
  /** Encoding of the COPY text; also the database's own. */
  encoding: z.string(),
  database_properties: databasePropertiesSchema,
  /** The definitions. That of a backup of rows alone holds none. */
  schema: objectSchema,
  tables: z.array(
    z.object({
      oid: z.int(),
      schema: z.string(),
      name: z.string(),
      columns: z.array(z.string()),
      /** The columns' types, as `format_type` writes them without a search path. Absent in older full backups. */
      types: z.array(z.string()).optional(),
      /** Of a partition, the partitioned table above all. Absent in older backups. */
      root: z.object({ schema: z.string(), name: z.string() }).optional(),
      rows: countSchema,
      bytes: countSchema,
      chunks: z.array(chunkSchema),
    }),
  ),
  /** Absent in older backups. */
  extensions: z.array(extensionSchema).optional(),
  /** Roles that own something in the database or are named in its privileges and policies, and those that they belong to. */
  roles: z.array(roleEntrySchema),
  sequences: z.array(
    z.object({ schema: z.string(), name: z.string(), last_value: z.string(), is_called: z.boolean() }),
  ),
  materialized_views: z.array(z.object({ oid: z.int(), schema: z.string(), name: z.string() })),
  large_objects: z.object({ objects: z.array(largeObjectSchema), chunks: z.array(chunkSchema) }),
  totals: z.object({
    tables: countSchema,
    rows: countSchema,
    bytes: countSchema,
    stored_bytes: countSchema,
    objects: countSchema,
  }),
  warnings: z.array(z.string()),
});

export type Manifest = z.output<typeof manifestSchema>;
export type StoredChunk = z.output<typeof chunkSchema>;
export type DatabaseProperties = z.output<typeof databasePropertiesSchema>;
export type RoleEntry = z.output<typeof roleEntrySchema>;
export type Privilege = z.output<typeof privilegeSchema>;

/**
 * Reads a manifest's JSON.
 *
 * @throws OperationError `manifest_unreadable` when it is of a later format or not a manifest
 */
export function parseManifest(bytes: Buffer): Manifest {
  let json: unknown;
  try {
    json = JSON.parse(bytes.toString('utf8'));
  } catch (error) {
    throw new OperationError('manifest_unreadable', 'The manifest is not JSON', 'Use another backup.', {
      cause: error,
    });
  }
  const parsed = manifestSchema.safeParse(json);
  if (parsed.success) return parsed.data;
  const format = z.object({ format: z.number() }).safeParse(json);
  if (format.success && format.data.format > FORMAT_VERSION) {
    throw new OperationError(
      'manifest_unreadable',
      `The backup has format ${format.data.format}; this version reads formats up to ${FORMAT_VERSION}`,
      'Upgrade this system, then restore.',
    );
  }
  throw new OperationError(
    'manifest_unreadable',
    `The manifest is not valid: ${parsed.error.issues[0]?.path.join('.')}: ${parsed.error.issues[0]?.message}`,
    'Use another backup.',
    { cause: parsed.error },
  );
}
