import type pg from 'pg';
import { OperationError } from '../../errors.ts';
import type { SchemaEntry } from '../../postgres/pg-dump/schema-dump.ts';
import { DISK_FULL, isSessionLost } from '../../postgres/session-errors.ts';
import { splitStatements } from '../../postgres/statements.ts';

/**
 * What may be refused without harm to data or structure: owners, privileges and remarks that name a role which the server
 * lacks or that the login may not set; and extensions that only a superuser creates, such as pg_stat_statements: where something
 * depends on one, that is refused in its turn. Everything else must succeed.
 */
const FORGIVABLE_STATEMENT =
  /^\s*(CREATE\s+EXTENSION\s|ALTER\s+.*\sOWNER\s+TO\s|GRANT\s|REVOKE\s|ALTER\s+DEFAULT\s+PRIVILEGES\s|COMMENT\s+ON\s+(EXTENSION|SCHEMA|EVENT\s+TRIGGER|LANGUAGE)\s|SET\s+SESSION\s+AUTHORIZATION\s)/is;
/**
 * undefined_object (a role), insufficient_privilege, invalid_grant_operation; undefined_table, undefined_function and undefined_schema (of
 * an extension that was left out: whatever else is missing was an error before)
 */
const FORGIVABLE_CODES = new Set(['42704', '42501', '0LP01', '42P01', '42883', '3F000']);

export const isForgivable = (sql: string, error: unknown): boolean =>
  FORGIVABLE_STATEMENT.test(sql) && FORGIVABLE_CODES.has((error as { code?: string }).code ?? '');

/** A schema that the new database brings along, such as `public`, is not created twice. */
const isPresentAlready = (sql: string, error: unknown): boolean =>
  (error as { code?: string }).code === '42P06' && /^\s*CREATE\s+SCHEMA\s/i.test(sql);

/** duplicate_table (or index), duplicate_object (constraint, trigger, policy, ...), a second primary key */
const DUPLICATE_CODES = new Set(['42P07', '42710', '42P16']);

function describe(entry: SchemaEntry): string {
  return `${entry.type} ${entry.schema === null ? '' : `${entry.schema}.`}${entry.name}`;
}

/**
 * Creates what one entry of the schema describes.
 *
 * @param repeated - an earlier attempt may have created it, or a part of it: what is there already is left as it is
 * @returns warnings about owners and privileges that could not be set
 * @throws OperationError `schema_refused` naming the object, its cause and its SQLSTATE
 */
export async function createEntry(
  client: pg.Client,
  entry: SchemaEntry,
  { repeated = false }: { repeated?: boolean } = {},
): Promise<string[]> {
  try {
    await client.query(entry.sql);
    return [];
  } catch (error) {
    if ((error as { code?: string }).code === undefined || isSessionLost(error)) throw error;
    // Several statements sent as one are one transaction: nothing of them was kept, so each is tried alone.
    return createStatements(client, entry, repeated);
  }
}

/** In a new database somebody else's policy is that of an extension, on a table of its own: pg_dump writes it all the same. */
const isOfExtension = ({ type }: SchemaEntry, code: string | undefined): boolean =>
  type === 'POLICY' && code === '42710';

/** What to tell of an entry that the server does not create; an error that is none of the server's stays as it is. */
export function schemaRefused(entry: SchemaEntry, error: unknown): unknown {
  const { code, message } = error as { code?: string; message: string };
  if (code === undefined || code === DISK_FULL || isSessionLost(error)) return error;
  const what = `The server refused to create ${describe(entry)} (SQLSTATE ${code}): ${message}`;
  if (entry.type === 'EXTENSION') {
    const nextStep = `Remove the cause on the target server, or restore without it: "leave_out": {"extensions": ${JSON.stringify([entry.name])}}.`;
    return new OperationError('extension_refused', what, nextStep, { cause: error });
  }
  return new OperationError(
    'schema_refused',
    what,
    'Remove the cause on the target server (a missing extension, right or version), then restore again.',
    { cause: error },
  );
}

async function createStatements(client: pg.Client, entry: SchemaEntry, repeated: boolean): Promise<string[]> {
  const warnings: string[] = [];
  for (const statement of splitStatements(entry.sql)) {
    try {
      await client.query(statement);
    } catch (error) {
      const { code, message } = error as { code?: string; message: string };
      if (isPresentAlready(statement, error) || isOfExtension(entry, code)) continue;
      if (repeated && DUPLICATE_CODES.has(code ?? '')) continue;
      if (code === DISK_FULL || isSessionLost(error)) throw error;
      if (!isForgivable(statement, error)) throw schemaRefused(entry, error);
      warnings.push(`${describe(entry)}: ${message}`);
    }
  }
  return warnings;
}
