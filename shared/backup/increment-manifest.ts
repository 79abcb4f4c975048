import * as z from 'zod';
import { backupIdSchema, incrementSchema } from '../contract/schemas/backup.ts';
import { OperationError } from '../errors.ts';
import { FORMAT_VERSION } from './layout.ts';
import { type Manifest, parseManifest } from './manifest.ts';

const countSchema = z.int().min(0);

/** A stored segment of changes, which lies with all captured changes of its slot. */
const segmentSchema = z.object({
  first_lsn: z.string(),
  last_lsn: z.string(),
  /** Of its lines. */
  bytes: countSchema,
  /** null when no transaction changed anything. */
  object: z
    .object({ path: z.string(), stored_bytes: countSchema, sha256: z.string().regex(/^[0-9a-f]{64}$/) })
    .nullable(),
});

/**
 * The manifest of an incremental backup. Its changes are not stored again: it names the segments that hold them. Written last, it is what
 * makes the backup exist.
 */
const incrementManifestSchema = z.object({
  format: z.literal(FORMAT_VERSION),
  id: backupIdSchema,
  database: z.string(),
  backup_type: z.literal('incremental'),
  custom_name: z.string().nullable(),
  depends_on: z.array(backupIdSchema).min(1),
  requested_by: z.string(),
  created_at: z.string(),
  ended_at: z.string(),
  /** Until when it holds everything that was committed. */
  snapshot: z.object({ taken_at: z.string() }),
  server_version: z.int(),
  increment: incrementSchema,
  segments: z.array(segmentSchema),
  totals: z.object({
    /** Tables that were changed. */
    tables: countSchema,
    rows: z.null(),
    /** Of the decoded lines. */
    bytes: countSchema,
    /** Of the segments. */
    stored_bytes: countSchema,
    /** The manifest, and of each segment its description and its lines. */
    objects: countSchema,
  }),
  warnings: z.array(z.string()),
});

export type IncrementManifest = z.output<typeof incrementManifestSchema>;

const anIncrement = z.object({ backup_type: z.literal('incremental') });

/**
 * Reads the JSON of an incremental backup's manifest.
 *
 * @throws OperationError `manifest_unreadable` when it is of a later format or something else
 */
export function parseIncrementManifest(bytes: Buffer): IncrementManifest {
  const parsed = incrementManifestSchema.safeParse(parseJson(bytes));
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  throw new OperationError(
    'manifest_unreadable',
    `The manifest is not one of an incremental backup of format ${FORMAT_VERSION}: ${issue?.path.join('.')}: ${issue?.message}`,
    'Use another backup, or upgrade this system.',
    { cause: parsed.error },
  );
}

/**
 * Reads the manifest of a backup of any type.
 *
 * @throws OperationError `manifest_unreadable`
 */
export function parseAnyManifest(bytes: Buffer): Manifest | IncrementManifest {
  return anIncrement.safeParse(parseJson(bytes)).success ? parseIncrementManifest(bytes) : parseManifest(bytes);
}

function parseJson(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString('utf8'));
  } catch {
    return null;
  }
}
