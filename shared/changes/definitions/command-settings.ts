import * as z from 'zod';
import type { COMMAND_SETTINGS } from './event-triggers.sql.ts';

/** A name, or one in quotes. */
const NAME = String.raw`(?:"(?:[^"]|"")*"|[^\s",'\\;]+)`;
const name = z.string().regex(new RegExp(`^${NAME}?$`));

/** What each setting of a command may be: nothing else is ever set when it is repeated. Texts hold a character for each byte. */
const settingsSchema = z.strictObject({
  search_path: z.string().regex(new RegExp(`^(?:${NAME}(?:\\s*,\\s*${NAME})*)?$`)),
  TimeZone: z.string().regex(/^[A-Za-z0-9_+\-/:<>,. ]{1,100}$/),
  DateStyle: z.string().regex(/^(ISO|Postgres|SQL|German), (MDY|DMY|YMD)$/),
  IntervalStyle: z.enum(['postgres', 'postgres_verbose', 'sql_standard', 'iso_8601']),
  xmloption: z.enum(['content', 'document']),
  standard_conforming_strings: z.enum(['on', 'off']),
  default_table_access_method: name,
  default_tablespace: name,
} satisfies Record<(typeof COMMAND_SETTINGS)[number] | 'search_path', z.ZodType>);

export type CommandSettings = z.output<typeof settingsSchema>;

/** The settings under which a command was run; null when there are others, or one has a value that it cannot have. */
export function parseCommandSettings(settings: Readonly<Record<string, string>>): CommandSettings | null {
  const parsed = settingsSchema.safeParse(settings);
  return parsed.success ? parsed.data : null;
}
