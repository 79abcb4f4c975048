import * as z from 'zod';
import { OperationError } from '../../errors.ts';
import { catalogSeenSchema } from '../../postgres/definitions/catalog-seen.ts';
import { definitionsSeenSchema } from '../../postgres/table-definitions.ts';
import { openVerifier, signingSchema, type Verifier } from '../definitions/signature.ts';
import { CHANGES_FORMAT } from './layout.ts';

const lsnSchema = z.string().regex(/^[0-9A-F]{1,8}\/[0-9A-F]{1,8}$/);
const countSchema = z.int().min(0);
/** A 64-bit transaction number. */
const xidSchema = z.string().regex(/^\d+$/);
const timeSchema = z.string();

const tableSchema = z.object({
  /** Qualified and quoted, as the server writes it. */
  table: z.string(),
  inserts: countSchema,
  updates: countSchema,
  deletes: countSchema,
  truncates: countSchema,
});

const definitionChangeSchema = z.object({
  /** End of the transaction's commit; without a tag, no commit that ends here or later may be repeated without the change. */
  lsn: lsnSchema,
  /** Without a tag, when all was last seen to be as before. */
  committed_at: timeSchema,
  /** Without a tag, that of a transaction which began after the change. */
  xid: xidSchema,
  /** The command; null where nothing but the catalog tells that there was one. */
  tag: z.string().nullable(),
  /** Why it cannot be repeated; null when it can, as far as its text tells. */
  obstacle: z.string().nullable(),
  /** Who ran it, with the rights that reach beyond the role's own objects; null where that is not known. */
  definer: z
    .object({ role: z.string(), rights: z.array(z.string()) })
    .nullable()
    .default(null),
});

/** All that is to be known of a segment without opening it. Written last: it is what makes the segment exist. */
export const segmentDescriptionSchema = z.object({
  format: z.literal(CHANGES_FORMAT),
  database: z.string(),
  slot: z.string(),
  /** Commits from here on ... */
  first_lsn: lsnSchema,
  /** ... that are complete here. The next segment begins here. */
  last_lsn: lsnSchema,
  /** No transaction that committed before `last_lsn` has this number or a higher one. */
  next_xid: xidSchema,
  /** The server's time before the end of the log was looked up; see `coveredUntil`. */
  captured_at: timeSchema,
  first_commit_at: timeSchema.nullable(),
  last_commit_at: timeSchema.nullable(),
  transactions: countSchema,
  changes: countSchema,
  /** Of the lines, not compressed. */
  bytes: countSchema,
  /** The stored lines; null when no transaction changed anything. */
  object: z
    .object({ path: z.string(), stored_bytes: countSchema, sha256: z.string().regex(/^[0-9a-f]{64}$/) })
    .nullable(),
  tables: z.array(tableSchema),
  /** Tables whose updates and deletes cannot be repeated, as they have no replica identity. */
  without_identity: z.array(z.string()),
  definition_changes: z.array(definitionChangeSchema),
  /**
   * Messages that tell of the beginning of a command which changed something that lasts, by their ids; those of others, as of temporary
   * tables, are passed over. null: nobody looked.
   */
  begun: z.array(z.string()).nullable().default(null),
  /** Messages with this system's prefix that its event triggers did not write, which are ignored. */
  unauthenticated: countSchema.default(0),
  /** Positions after the segment's last transaction: not behind any number that it used. */
  sequences: z.array(
    z.object({ schema: z.string(), name: z.string(), last_value: z.string().nullable(), increment: z.string() }),
  ),
  encoding: z.string(),
  server_version: z.int(),
});

export type SegmentDescription = z.output<typeof segmentDescriptionSchema>;
export type TableChanges = z.output<typeof tableSchema>;
export type DefinitionChange = z.output<typeof definitionChangeSchema>;
export type Definer = NonNullable<DefinitionChange['definer']>;
export type SequencePosition = SegmentDescription['sequences'][number];

/** Written when the slot is made: from where on its changes are complete. */
export const slotRecordSchema = z.object({
  format: z.literal(CHANGES_FORMAT),
  database: z.string(),
  slot: z.string(),
  created_at: timeSchema,
  /** Every transaction that commits from here on is decoded. */
  lsn: lsnSchema,
  /** No transaction that committed before `lsn` has this number or a higher one. */
  next_xid: xidSchema,
  /** Whether changes of definitions are in the stream. */
  follows_definitions: z.boolean(),
  /** As they were when the slot was made, where changes of them are not in the stream. */
  definitions: definitionsSeenSchema.nullable().default(null),
  /** As the catalogs were when the slot was made, where changes of definitions are in the stream. */
  catalog: catalogSeenSchema.nullable().default(null),
  /** By what the event triggers' messages are known; null where they did not sign yet. A secret, as all that is in the bucket. */
  signing: signingSchema.nullable().default(null),
  /** Changes of definitions that nobody told of may have been made since then; null once a segment says so. */
  untold: z.object({ at: timeSchema, reason: z.string() }).nullable().default(null),
  server_version: z.int(),
});

export type SlotRecord = z.output<typeof slotRecordSchema>;

/** Judges the messages of a slot. Where there are no event triggers, none is authentic. */
export function verifierOf({ follows_definitions: follows, signing }: SlotRecord): Verifier {
  return openVerifier(follows ? signing : { keys: [], since: '0' });
}

/**
 * Reads the JSON of a description or a slot's record.
 *
 * @throws OperationError `changes_unreadable` when it is of a later format or something else
 */
export function parseStored<Schema extends z.ZodType>(schema: Schema, bytes: Buffer, path: string): z.output<Schema> {
  let json: unknown;
  try {
    json = JSON.parse(bytes.toString('utf8'));
  } catch {
    json = null;
  }
  const parsed = schema.safeParse(json);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  throw new OperationError(
    'changes_unreadable',
    `${path} cannot be read by this version: ${issue?.path.join('.')}: ${issue?.message}`,
    'Upgrade this system, or restore to a moment before it.',
    { cause: parsed.error },
  );
}
