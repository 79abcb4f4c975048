import type pg from 'pg';
import type { ConnectionTarget } from '../../../postgres/connect.ts';
import type { Finding } from '../findings.ts';
import type { FunctionThatRuns } from '../functions-that-run.ts';
import type { TableName } from '../select-entries.ts';
import { openRestoreSession } from '../session.ts';
import type { RestoreOptions } from '../tailor.ts';
import { functionsOfTarget } from '../target-functions.ts';
import { placesSql } from './tables.sql.ts';

/** Where tables go that are restored beside what a database has. */
export interface Beside {
  /** Tables by the names they have in the backup. */
  tables: readonly TableName[];
  /** What their new names end in. */
  suffix: string;
  /** The job that restores them. */
  jobId: string;
}

const DEFAULT_SUFFIX = '_restored';

export function besideOf(
  options: Pick<RestoreOptions, 'selection'> & { suffix?: string | undefined },
  jobId: string,
): Beside {
  return { tables: options.selection?.tables ?? [], suffix: options.suffix ?? DEFAULT_SUFFIX, jobId };
}

/** The longest name that the server does not cut, in bytes. */
const LONGEST_NAME = 63;

export const newName = ({ table }: TableName, { suffix }: Pick<Beside, 'suffix'>): string => table + suffix;

/** The remark that a table gets, by which a later attempt of the job knows it. */
export const remarkOf = ({ jobId }: Pick<Beside, 'jobId'>): string => `Restored by job ${jobId}`;

interface Place {
  schema: string;
  name: string;
  has_schema: boolean;
  may_create: boolean;
  taken: boolean;
  remark: string | null;
}

/** @param client - in the database that gets the tables */
export async function readPlaces(client: pg.Client, beside: Beside): Promise<Place[]> {
  const { rows } = await client.query<Place>(placesSql, [
    beside.tables.map(({ schema }) => schema),
    beside.tables.map((table) => newName(table, beside)),
  ]);
  return rows;
}

/** What stands against the new names in a database, and its functions that run as the tables come into it. */
export async function lookBeside(
  target: ConnectionTarget,
  database: string,
  beside: Beside,
): Promise<{ problems: Finding[]; functions: FunctionThatRuns[] }> {
  const client = await openRestoreSession(target, database, 'UTF8');
  try {
    const tables = beside.tables.map(({ schema, table: name }) => ({ schema, name }));
    const functions = await functionsOfTarget(client, tables, { typesAlone: true, firesTriggers: false });
    return { problems: await checkPlaces(client, beside), functions };
  } finally {
    await client.end().catch(() => undefined);
  }
}

/** What stands against the new names. What an earlier attempt of the job has put there does not. */
async function checkPlaces(client: pg.Client, beside: Beside): Promise<Finding[]> {
  const problems: Finding[] = [];
  for (const place of await readPlaces(client, beside)) {
    const name = `${place.schema}.${place.name}`;
    if (Buffer.byteLength(place.name) > LONGEST_NAME) {
      problems.push({
        code: 'name_too_long',
        message: `"${name}" is longer than the ${LONGEST_NAME} bytes of a name`,
        nextStep: 'Choose a shorter suffix.',
      });
    } else if (!place.has_schema) {
      problems.push({
        code: 'schema_missing',
        message: `The database has no schema "${place.schema}"`,
        nextStep: 'Create it, then restore again.',
      });
    } else if (!place.may_create) {
      problems.push({
        code: 'create_refused',
        message: `The login may not create tables in the schema "${place.schema}"`,
        nextStep: 'GRANT CREATE ON SCHEMA to it.',
      });
    } else if (place.taken && place.remark !== remarkOf(beside)) {
      problems.push({
        code: 'table_exists',
        message: `There is a relation or a type named "${name}" already; a restore never overwrites one`,
        nextStep: 'Choose another suffix.',
      });
    }
  }
  return problems;
}
