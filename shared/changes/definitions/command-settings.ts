import * as z from 'zod';

/** A name, or one in quotes. */
const NAME = String.raw`(?:"(?:[^"]|"")*"|[^\s",'\\;]+)`;
const name = z.string().regex(new RegExp(`^${NAME}?$`));
const qualified = z.string().regex(/^[^\s'\\;]{1,200}$/);
const onOff = z.enum(['on', 'off']);
/** Of the operating system, such as `de_DE.UTF-8@euro`. */
const locale = z.string().regex(/^[A-Za-z0-9_.@+\- ()]{0,100}$/);

/**
 * Every setting of a session that what a command leaves behind may depend on, and what it may be: nothing else is ever set when the
 * command is repeated. From the manual's chapters "Client Connection Defaults" and "Version and Platform Compatibility", and the
 * settings of server programming: those that say what a text means, how a value is written as text or read from it, and what a
 * definition is given that it does not name. Settings that decide how fast, how long, with which locks or with how much memory a command
 * runs are not among them; nor are those that a superuser alone may set, as `lo_compat_privileges` and `session_replication_role`.
 * Texts hold a character for each byte. Servers that lack a setting leave it out.
 */
const settingsSchema = z.strictObject({
  search_path: z.string().regex(new RegExp(`^(?:${NAME}(?:\\s*,\\s*${NAME})*)?$`)),
  TimeZone: z.string().regex(/^[A-Za-z0-9_+\-/:<>,. ]{1,100}$/),
  timezone_abbreviations: z
    .string()
    .regex(/^[A-Za-z]{1,63}$/)
    .optional(),
  DateStyle: z.string().regex(/^(ISO|Postgres|SQL|German), (MDY|DMY|YMD)$/),
  IntervalStyle: z.enum(['postgres', 'postgres_verbose', 'sql_standard', 'iso_8601']),
  extra_float_digits: z
    .string()
    .regex(/^-?\d{1,2}$/)
    .optional(),
  bytea_output: z.enum(['hex', 'escape']).optional(),
  xmlbinary: z.enum(['base64', 'hex']).optional(),
  xmloption: z.enum(['content', 'document']),
  lc_monetary: locale.optional(),
  lc_numeric: locale.optional(),
  lc_time: locale.optional(),
  default_text_search_config: qualified.optional(),
  standard_conforming_strings: onOff,
  backslash_quote: z.enum(['on', 'off', 'safe_encoding']).optional(),
  array_nulls: onOff.optional(),
  transform_null_equals: onOff.optional(),
  quote_all_identifiers: onOff.optional(),
  check_function_bodies: onOff.optional(),
  default_table_access_method: name,
  default_tablespace: name,
  default_toast_compression: z.enum(['pglz', 'lz4']).optional(),
  icu_validation_level: z
    .string()
    .regex(/^[a-z0-9]{1,20}$/)
    .optional(),
});

export type CommandSettings = z.output<typeof settingsSchema>;

/** Names of all of them. */
export const FOLLOWED_SETTINGS = Object.keys(settingsSchema.shape) as readonly (keyof CommandSettings)[];

/** The settings under which a command was run; null when there are others, or one has a value that it cannot have. */
export function parseCommandSettings(settings: Readonly<Record<string, string>>): CommandSettings | null {
  const parsed = settingsSchema.safeParse(settings);
  return parsed.success ? parsed.data : null;
}
