import * as z from 'zod';
import { unescapeCopyText } from '../decoding/copy-text.ts';
import { decoder } from '../decoding/decoder.ts';
import { MESSAGE_PREFIX } from './event-triggers.sql.ts';

const base = {
  tag: z.string(),
  /** Run from within a function or a DO block: the text is not the command's. */
  nested: z.boolean(),
  role: z.string(),
  settings: z.record(z.string(), z.string()),
  /** All that the client had sent at once. */
  query: z.string(),
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
  settings: Record<string, string>;
  query: string;
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

/** The content of a message with this system's prefix; null when it is not written as the event triggers do. */
export function parseDefinitionMessage(content: string): DefinitionMessage | null {
  try {
    return messageSchema.parse(JSON.parse(unescapeCopyText(content)));
  } catch {
    return null;
  }
}

const decode = decoder();
const BEGINNING = `message: transactional: 1 prefix: ${MESSAGE_PREFIX}, `;

/** Reads a line of `test_decoding`; null for any other message, and for one that was cut short. */
export function readDefinitionMessage(line: string): DefinitionMessage | null {
  if (!line.startsWith(BEGINNING)) return null;
  const decoded = decode(line);
  return decoded.kind === 'message' ? parseDefinitionMessage(decoded.content) : null;
}
