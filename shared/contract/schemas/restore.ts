import { z } from 'zod';
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

export const restoreRequestSchema = z.strictObject({
  backup_id: backupIdSchema,
  confirm: z
    .literal(true, { error: 'must be true: a restore creates a database on the server; send "confirm": true to agree' })
    .meta({ description: 'Must be true.' }),
  target_database: targetDatabaseSchema,
});
