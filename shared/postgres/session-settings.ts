import type { ConnectionLimits } from '../configuration/runtime.ts';

/**
 * What a session on a watched database is for:
 *
 * - `inspecting` reads the server's settings as they are for everybody, so it sets nothing but the search path;
 * - `monitoring` reads statistics, sessions and logins, ends sessions and changes limits of logins;
 * - `catalog` reads catalogs for compliance and changes nothing;
 * - `exporting` reads rows and definitions in a snapshot; `capturing` decodes changes;
 * - `restoring` writes definitions and rows;
 * - `administering` creates, renames and drops databases, slots and triggers, and reads what concerns them.
 */
export const sessionKinds = [
  'inspecting',
  'monitoring',
  'catalog',
  'exporting',
  'capturing',
  'restoring',
  'administering',
] as const;
export type SessionKind = (typeof sessionKinds)[number];

/** The limits of one session in milliseconds; 0: none. */
export interface SessionLimits {
  statementTimeoutMs: number;
  lockTimeoutMs: number;
  idleInTransactionTimeoutMs: number;
}

interface SessionSetting {
  /** As in `pg_settings`. A server that does not know it, as it is older, is left without it. */
  name: string;
  value: string | keyof SessionLimits;
  kinds: readonly SessionKind[];
  /** Why it is set, where a person would ask. */
  why: string;
}

const rows: readonly SessionKind[] = ['exporting', 'capturing', 'restoring'];
const watching: readonly SessionKind[] = ['monitoring', 'catalog'];
const writing: readonly SessionKind[] = ['restoring', 'administering'];
const all: readonly SessionKind[] = [...watching, ...rows, 'administering'];
const onlyRestoring: readonly SessionKind[] = ['restoring'];

/**
 * Every setting of our sessions. Databases and roles have settings of their own (`ALTER DATABASE ... SET`, `ALTER ROLE ... SET`), which
 * people may have set for their applications or against us, so that nothing here may be left to them. `search_path` is not among
 * these: it is emptied before anything else; see `startSession`.
 */
export const sessionSettings: readonly SessionSetting[] = [
  // How long statements and sessions live.
  {
    name: 'statement_timeout',
    value: 'statementTimeoutMs',
    kinds: all,
    why: 'Bounds what a statement costs the server; work of unknown length has 0 and is ended by its job.',
  },
  {
    name: 'lock_timeout',
    value: 'lockTimeoutMs',
    kinds: all,
    why: 'A statement that waits for a lock makes others wait behind it.',
  },
  {
    name: 'idle_in_transaction_session_timeout',
    value: 'idleInTransactionTimeoutMs',
    kinds: all,
    why: 'A function that ends in a transaction does not close it; a session that keeps a snapshot has 0.',
  },
  {
    name: 'idle_session_timeout',
    value: '0',
    kinds: all,
    why: 'The sampler keeps its session from sample to sample, and sessions of a job wait for each other.',
  },
  {
    name: 'transaction_timeout',
    value: '0',
    kinds: all,
    why: 'A backup is one transaction of any length; short ones are bounded by their statements.',
  },
  {
    name: 'tcp_keepalives_idle',
    value: '60',
    kinds: rows,
    why: 'The server asks after a client that is silent, so that the locks of one that is gone do not stay.',
  },
  { name: 'tcp_keepalives_interval', value: '10', kinds: rows, why: 'As tcp_keepalives_idle.' },
  { name: 'tcp_keepalives_count', value: '3', kinds: rows, why: 'As tcp_keepalives_idle.' },
  {
    name: 'client_connection_check_interval',
    value: '2s',
    kinds: ['capturing'],
    why: 'A server that has lost its client must not go on decoding: nobody else could use the slot meanwhile.',
  },

  // What the text of our statements means.
  {
    name: 'standard_conforming_strings',
    value: 'on',
    kinds: all,
    why: 'Decides whether a backslash in a literal ends the quoting that we rely on.',
  },
  { name: 'transform_null_equals', value: 'off', kinds: all, why: 'Gives "= NULL" another meaning.' },
  {
    name: 'quote_all_identifiers',
    value: 'off',
    kinds: all,
    why: 'Names that the server writes are compared with those of the catalogs.',
  },
  {
    name: 'default_transaction_isolation',
    value: 'read committed',
    kinds: all,
    why: 'A serializable transaction may be refused at its end; where a snapshot is needed, the statement says so.',
  },
  {
    name: 'default_transaction_read_only',
    value: 'on',
    kinds: ['catalog'],
    why: 'It reads catalogs alone.',
  },
  {
    name: 'default_transaction_read_only',
    value: 'off',
    kinds: writing,
    why: 'A database that is read-only by default could not be restored.',
  },
  {
    name: 'check_function_bodies',
    value: 'off',
    kinds: onlyRestoring,
    why: 'Functions are created before the tables that they use, as pg_dump orders them.',
  },

  {
    name: 'array_nulls',
    value: 'on',
    kinds: all,
    why: 'Off makes a text of NULL in an array, also in rows that are restored.',
  },

  // What the text of values means: the same on every server, and what the driver reads.
  { name: 'DateStyle', value: 'ISO', kinds: all, why: 'The driver reads ISO alone.' },
  { name: 'IntervalStyle', value: 'postgres', kinds: all, why: 'Intervals as pg_dump writes them.' },
  { name: 'extra_float_digits', value: '3', kinds: all, why: 'Fewer round numbers.' },
  { name: 'bytea_output', value: 'hex', kinds: all, why: 'The other form is longer and slower to read.' },
  { name: 'xmlbinary', value: 'base64', kinds: rows, why: 'As pg_dump writes it.' },
  {
    name: 'xmloption',
    value: 'content',
    kinds: onlyRestoring,
    why: 'An XML value may be a fragment.',
  },
  { name: 'lc_monetary', value: 'C', kinds: rows, why: 'Amounts of money are written and read by it.' },
  {
    name: 'TimeZone',
    value: 'UTC',
    kinds: [...watching, 'capturing'],
    why: 'Texts of times are compared with each other.',
  },

  // Which rows a statement sees or says something about.
  {
    name: 'row_security',
    value: 'off',
    kinds: all,
    why: 'A policy that hides rows fails the statement rather than leaving them out of a backup, and its functions are not run.',
  },
  {
    name: 'synchronize_seqscans',
    value: 'off',
    kinds: ['exporting', 'capturing'],
    why: 'Rows come in the order of their pages.',
  },
  {
    name: 'client_min_messages',
    value: 'error',
    kinds: ['capturing', 'restoring'],
    why: 'Thousands of notices would be sent and thrown away.',
  },

  {
    name: 'constraint_exclusion',
    value: 'off',
    kinds: all,
    why: 'To exclude tables, the planner computes what of their CHECK constraints depends on no column, and so runs functions of their owners.',
  },

  // What our statements cost.
  {
    name: 'jit',
    value: 'off',
    kinds: all,
    why: 'Large queries on catalogs are compiled for seconds to run for milliseconds.',
  },
  {
    name: 'max_parallel_maintenance_workers',
    value: '0',
    kinds: onlyRestoring,
    why: 'A restore builds several indexes at once by itself.',
  },
  {
    name: 'random_page_cost',
    value: '1.1',
    kinds: onlyRestoring,
    why: 'New indexes are in the order of their keys: foreign keys are then checked by two indexes side by side.',
  },
  {
    name: 'synchronous_commit',
    value: 'off',
    kinds: onlyRestoring,
    why: 'Until it is offered, the new database can be made again from the backup.',
  },

  // Where a restore puts what it creates, unless a statement says so.
  { name: 'default_tablespace', value: '', kinds: onlyRestoring, why: 'As pg_dump assumes.' },
  { name: 'default_table_access_method', value: 'heap', kinds: onlyRestoring, why: 'As pg_dump assumes.' },
];

/** Settings by which texts of values are read back; scripts hold them, too. */
const READ_BACK: readonly string[] = ['DateStyle', 'IntervalStyle', 'lc_monetary'];

/** Statements under which a script's values are read as an export wrote them. */
export const valueSettingsSql = sessionSettings
  .filter(({ name }) => READ_BACK.includes(name))
  .map(({ name, value }) => `SET ${name.toLowerCase()} = '${value}';`)
  .join('\n');

/** Kinds whose statements may take any time. */
const unbounded: readonly SessionKind[] = rows;

/** The limits of a kind of session, where its caller gives no others. */
export function limitsOf(
  kind: SessionKind,
  limits: Pick<ConnectionLimits, 'statement_timeout_ms' | 'lock_timeout_ms' | 'idle_in_transaction_timeout_ms'>,
  given: Partial<Record<keyof SessionLimits, number | undefined>>,
): SessionLimits {
  const isUnbounded = unbounded.includes(kind);
  return {
    statementTimeoutMs: given.statementTimeoutMs ?? (isUnbounded ? 0 : limits.statement_timeout_ms),
    lockTimeoutMs: given.lockTimeoutMs ?? (kind === 'restoring' ? 0 : limits.lock_timeout_ms),
    idleInTransactionTimeoutMs:
      given.idleInTransactionTimeoutMs ?? (isUnbounded ? 0 : limits.idle_in_transaction_timeout_ms),
  };
}

/** The settings of a session by name, beside the empty search path. */
export function settingsOf(kind: SessionKind, limits: SessionLimits): ReadonlyMap<string, string> {
  const own = sessionSettings.filter(({ kinds }) => kinds.includes(kind));
  return new Map(
    own.map(({ name, value }) => [name, value in limits ? String(limits[value as keyof SessionLimits]) : value]),
  );
}
