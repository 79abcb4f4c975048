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
  /** By the event triggers that tell by effect: values are written so that they are exact, and nothing is told that does not last. */
  exact: z.boolean().default(false),
  /** Names of temporary objects of the session that may be in the text. */
  temporary: z.array(z.string()).default([]),
};

const aclSchema = z.object({
  /** As GRANT calls it. */
  kind: z.enum([
    'TABLE',
    'SEQUENCE',
    'ROUTINE',
    'SCHEMA',
    'TYPE',
    'LANGUAGE',
    'FOREIGN DATA WRAPPER',
    'FOREIGN SERVER',
  ]),
  /** Quoted and qualified, as the server writes it. */
  name: z.string(),
  column: z.string().nullable(),
  owner: z.string(),
  /** Who has it ("" for everybody), which privilege, whether it can be given on, and who gave it. */
  acl: z.array(z.tuple([z.string(), z.string().regex(/^[A-Z ]+$/), z.boolean(), z.string()])),
});

/** The privileges of an object after a GRANT or REVOKE. */
export type AclChange = z.output<typeof aclSchema>;

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
      /** Of GRANT and REVOKE; null: it is not told. */
      acls: z.array(aclSchema).nullable().default(null),
    }),
    z.object({
      event: z.literal('sql_drop'),
      ...base,
      mixed: z.boolean(),
      /** What the command named; null: it is not told. */
      dropped: z.array(z.string()).nullable().default(null),
    }),
    z.object({
      event: z.literal('table_rewrite'),
      ...base,
      /** 1 persistence, 2 default, 4 type, 8 access method (src/include/commands/event_trigger.h). */
      reason: z.int(),
      schema: z.string(),
      table: z.string(),
      /** What the rows took on disk; null: it is not told. */
      bytes: z.number().nullable().default(null),
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
  exact: boolean;
  temporary: string[];
}

export interface MissingValue {
  schema: string;
  table: string;
  column: string;
  value: string | null;
}

export type DefinitionMessage =
  | (Base & { event: 'start' })
  | (Base & { event: 'end'; views: string[]; missing: MissingValue[]; acls: AclChange[] | null })
  | (Base & { event: 'drop'; mixed: boolean; dropped: string[] | null })
  | (Base & { event: 'rewrite'; reason: number; schema: string; table: string; bytes: number | null });

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
