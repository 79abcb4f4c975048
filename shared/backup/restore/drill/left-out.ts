import type pg from 'pg';
import { OperationError } from '../../../errors.ts';
import { listed } from '../../../listed.ts';
import type { SchemaEntry } from '../../../postgres/pg-dump/schema-dump.ts';
import type { CreateEntry } from '../finish-schema.ts';
import { type RestoreRecord, recordItem } from '../restore-record.ts';

/**
 * What a login without rights may not create, as it takes a superuser, or rights on the server as a whole. Tables, indexes and
 * constraints are not among them: where one of these is refused, that speaks against the backup.
 */
const FOR_SUPERUSERS: ReadonlySet<string> = new Set([
  ...['EXTENSION', 'PROCEDURAL LANGUAGE', 'TRANSFORM', 'ACCESS METHOD'],
  ...[
    'FUNCTION',
    'PROCEDURE',
    'AGGREGATE',
    'TYPE',
    'SHELL TYPE',
    'CAST',
    'OPERATOR',
    'OPERATOR CLASS',
    'OPERATOR FAMILY',
  ],
  ...['TEXT SEARCH PARSER', 'TEXT SEARCH TEMPLATE'],
  ...['FOREIGN DATA WRAPPER', 'SERVER', 'USER MAPPING'],
  ...['EVENT TRIGGER', 'PUBLICATION', 'PUBLICATION TABLE', 'PUBLICATION TABLES IN SCHEMA'],
  ...['COMMENT', 'SECURITY LABEL'],
]);
/** Of no interest where what they are about is left out, and none where they are. */
const REMARKS: ReadonlySet<string> = new Set(['COMMENT', 'SECURITY LABEL', 'ACL']);
const INSUFFICIENT_PRIVILEGE = '42501';
/** An aggregate whose state is of type "internal", which the server says in other words: only functions of superusers can serve it. */
const INVALID_FUNCTION_DEFINITION = '42P13';
/** undefined_object, undefined_function, undefined_table: pg_dump names no dependency of a user mapping, and of some others. */
const UNDEFINED: ReadonlySet<string> = new Set(['42704', '42883', '42P01']);

/** What of a backup the login of a drill could not create, and what depends on it. */
export interface LeftOut {
  has(entry: SchemaEntry): boolean;
  /** Creates entries, and leaves out what the server does not let the login create. */
  leavingOut(create: CreateEntry): CreateEntry;
  /** A warning, or none. */
  readonly warnings: string[];
}

/**
 * @param record - keeps what is left out, for an attempt that goes on
 */
export function leftOutOf(entries: readonly SchemaEntry[], record: RestoreRecord): LeftOut {
  const gone = new Set(entries.filter(({ dump_id }) => record.has(recordItem.leftOut(dump_id))));
  const ids = new Set([...gone].map(({ dump_id }) => dump_id));
  const leave = async (client: pg.Client, entry: SchemaEntry): Promise<string[]> => {
    gone.add(entry);
    ids.add(entry.dump_id);
    await record.add(client, [recordItem.leftOut(entry.dump_id)]);
    return [];
  };
  return {
    has: (entry) => gone.has(entry),
    leavingOut: (create) => async (client, entry) => {
      if (entry.depends_on.some((id) => ids.has(id))) return leave(client, entry);
      try {
        const warnings = await create(client, entry);
        if (entry.type === 'EXTENSION' && !(await isCreated(client, entry))) return await leave(client, entry);
        return REMARKS.has(entry.type) ? [] : warnings;
      } catch (error) {
        if (!isForSuperusers(entry, error, gone.size > 0)) throw error;
        return leave(client, entry);
      }
    },
    get warnings() {
      const named = [...gone].filter(({ type }) => !REMARKS.has(type)).map(describe);
      if (named.length === 0) return [];
      return [`Left out of the drill, as its login has no rights beyond its database: ${listed(named)}`];
    },
  };
}

const describe = ({ type, schema, name }: SchemaEntry): string =>
  `${type} ${schema === null ? '' : `${schema}.`}${name}`;

function isForSuperusers(entry: SchemaEntry, error: unknown, afterOthers: boolean): boolean {
  if (!(error instanceof OperationError && error.code === 'schema_refused')) return false;
  const { code } = error.cause as { code?: string };
  if (entry.type === 'AGGREGATE' && code === INVALID_FUNCTION_DEFINITION) return true;
  if (!FOR_SUPERUSERS.has(entry.type)) return false;
  return code === INSUFFICIENT_PRIVILEGE || (afterOthers && UNDEFINED.has(code ?? ''));
}

async function isCreated(client: pg.Client, { name }: SchemaEntry): Promise<boolean> {
  const { rows } = await client.query('SELECT FROM pg_catalog.pg_extension WHERE extname = $1', [name]);
  return rows.length > 0;
}
