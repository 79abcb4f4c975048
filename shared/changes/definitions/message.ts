import * as z from 'zod';
import { parseCommandSettings } from './command-settings.ts';

const base = {
  tag: z.string(),
  /** Run from within a function or a DO block: the text is not the command's. */
  nested: z.boolean(),
  role: z.string(),
  /** Rights of the role that reach beyond its own objects; see `rights.sql.ts`. null: it is not known by any. */
  rights: z.array(z.string()).nullable().default(null),
  /** Who owned the database: a role has rights by it, or by being its member. */
  database_owner: z.string().nullable().default(null),
  settings: z.record(z.string(), z.string()),
  /** All that the client had sent at once. */
  query: z.string(),
  /** The text was too long to be told. */
  oversized: z.boolean().default(false),
};

/** One event of a change of definitions, as the event triggers put it into the log. Texts hold a character for each byte. */
const messageSchema = z
  .discriminatedUnion('event', [
    z.object({ event: z.literal('ddl_command_start'), ...base }),
    z.object({
      event: z.literal('ddl_command_end'),
      ...base,
      /** Materialized views, qualified and quoted. */
      views: z.array(z.string()),
      /** Values that rows have in columns that were added after them. */
      missing: z.array(
        z.object({ schema: z.string(), table: z.string(), column: z.string(), value: z.string().nullable() }),
      ),
    }),
    z.object({ event: z.literal('sql_drop'), ...base, mixed: z.boolean() }),
    z.object({
      event: z.literal('table_rewrite'),
      ...base,
      /** 1 persistence, 2 default, 4 type, 8 access method (src/include/commands/event_trigger.h). */
      reason: z.int(),
      schema: z.string(),
      table: z.string(),
    }),
  ])
  .transform(({ event, ...rest }) => ({ event: EVENTS[event], ...rest }) as DefinitionMessage);

/** What a signature holds for beside the message. */
const signedSchema = z.object({ id: z.string(), xid: z.string().regex(/^\d+$/) });

const EVENTS = {
  ddl_command_start: 'start',
  ddl_command_end: 'end',
  sql_drop: 'drop',
  table_rewrite: 'rewrite',
} as const;

interface Base {
  tag: string;
  nested: boolean;
  role: string;
  rights: string[] | null;
  database_owner: string | null;
  settings: Record<string, string>;
  query: string;
  oversized: boolean;
}

export interface MissingValue {
  schema: string;
  table: string;
  column: string;
  value: string | null;
}

export type DefinitionMessage =
  | (Base & { event: 'start' })
  | (Base & { event: 'end'; views: string[]; missing: MissingValue[] })
  | (Base & { event: 'drop'; mixed: boolean })
  | (Base & { event: 'rewrite'; reason: number; schema: string; table: string });

/** A message as event triggers that did not sign wrote it; null for any other text. */
export function parseFirstVersion(text: string): DefinitionMessage | null {
  const parsed = messageSchema.safeParse(jsonOf(text));
  return parsed.success ? parsed.data : null;
}

/** The text behind a signature; null when it is not written as this version's event triggers do. */
export function parseSignedText(text: string): { message: DefinitionMessage; id: string; xid: bigint } | null {
  const json = jsonOf(text);
  const signed = signedSchema.safeParse(json);
  const parsed = messageSchema.safeParse(json);
  if (!signed.success || !parsed.success || parseCommandSettings(parsed.data.settings) === null) return null;
  return { message: parsed.data, id: signed.data.id, xid: BigInt(signed.data.xid) };
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
