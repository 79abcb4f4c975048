import type pg from 'pg';
import { OperationError } from '../../errors.ts';
import { quoteIdentifier, quoteQualified } from '../../postgres/identifiers.ts';
import { isSessionLost } from '../../postgres/session-errors.ts';
import { tokens } from '../../postgres/tokens.ts';
import { TOLD_AT_START } from '../definitions/event-triggers.sql.ts';
import { fillsRows, isTemporary, judgeDefinitionChange, significantWords } from '../definitions/judge.ts';
import type { DefinitionMessage, MissingValue } from '../definitions/message.ts';
import { missingValuesSql } from './definitions.sql.ts';

/** Repeats changes of definitions, in their place among the changes of rows. */
export interface DefinitionReplay {
  /**
   * @throws OperationError `window_ends` when it cannot be repeated exactly
   */
  repeat(message: DefinitionMessage): Promise<void>;
  /** Whether rows are passed over now: the repeated command makes them itself. */
  readonly makesRows: boolean;
  /** Materialized views that were made with content, qualified and quoted. */
  readonly views: ReadonlySet<string>;
  readonly warnings: string[];
}

const AT_START = new Set<string>(TOLD_AT_START);
const EXTENSIONS = new Set(['CREATE EXTENSION', 'ALTER EXTENSION']);
/** They would begin, or end, to copy from another server. */
const SUBSCRIPTIONS = /^(CREATE|ALTER|DROP) SUBSCRIPTION$/;
const WITHOUT_DATA = /\bwith\s+no\s+data[\s;]*$/i;
/** undefined_table, undefined_object, invalid_schema_name, undefined_function, undefined_column */
const UNDEFINED = new Set(['42P01', '42704', '3F000', '42883', '42703']);

export interface DefinitionOptions {
  client: pg.Client;
  /** Turns a text with a character for each byte of the database's encoding into one. */
  decodeText: (bytes: string) => Promise<string>;
  /** Commands about what is not there are passed over, as when chosen tables are restored. */
  mayBeMissing: boolean;
}

export function definitionReplay({ client, decodeText, mayBeMissing }: DefinitionOptions): DefinitionReplay {
  let extension: string | null = null;
  let settings: Record<string, string> | undefined;
  const warnings: string[] = [];
  const views = new Set<string>();

  const run = async (message: DefinitionMessage, sql: string): Promise<void> => {
    settings ??= await currentSettings(client, Object.keys(message.settings));
    await client.query('SAVEPOINT definition');
    try {
      for (const [name, value] of Object.entries(message.settings)) await setLocally(client, name, value);
      await takeRole(client, message.role, warnings);
      const missing = message.event === 'end' ? await prepareMissing(client, message.missing, decodeText) : null;
      await client.query(sql);
      await client.query('RESET ROLE');
      await missing?.fill();
    } catch (error) {
      if (isSessionLost(error) || error instanceof OperationError) throw error;
      if (mayBeMissing && UNDEFINED.has((error as { code?: string }).code ?? '')) {
        await client.query('ROLLBACK TO SAVEPOINT definition');
        return;
      }
      throw windowEnds(`${message.tag} could not be repeated: ${(error as Error).message}`);
    }
    await client.query('RELEASE SAVEPOINT definition');
    for (const [name, value] of Object.entries(settings)) await setLocally(client, name, value);
  };

  return {
    warnings,
    views,
    get makesRows() {
      return extension !== null;
    },
    async repeat(message) {
      const { tag, event } = message;
      if (extension !== null) {
        if (event === 'end' && tag === extension) extension = null;
        return;
      }
      if (SUBSCRIPTIONS.test(tag)) {
        if (event !== 'rewrite') warnings.push(`${tag} was not repeated: it would copy from another server`);
        return;
      }
      const obstacle = judgeDefinitionChange(message);
      const fillsNoRow =
        obstacle !== null &&
        event === 'rewrite' &&
        fillsRows(message) &&
        !message.nested &&
        (await isEmpty(client, await decodeText(message.schema), await decodeText(message.table)));
      if (obstacle !== null && !fillsNoRow) throw windowEnds(obstacle);
      if (event === 'end' && tag === 'CREATE MATERIALIZED VIEW' && !WITHOUT_DATA.test(message.query.trim())) {
        for (const view of message.views) views.add(await decodeText(view));
      }
      if (event === 'rewrite' || (event === 'end' && AT_START.has(tag))) return;
      const query = await decodeText(message.query);
      const words = significantWords(query)?.list ?? [];
      if (event === 'start') {
        if (isTemporary(words)) return;
        if (EXTENSIONS.has(tag)) extension = tag;
        await run(message, EXTENSIONS.has(tag) ? query : withoutData(query));
        return;
      }
      await run(message, withoutConcurrently(query));
    },
  };
}

function windowEnds(reason: string): OperationError {
  return new OperationError(
    'window_ends',
    `What follows cannot be replayed: ${reason}`,
    'Restore to a moment before it, or to one after the next full backup.',
  );
}

/** The rows of a table that a query fills are among the changes. */
function withoutData(query: string): string {
  const text = query.replace(/[\s;]+$/, '');
  if (WITHOUT_DATA.test(text)) return text;
  // A line's end first, as the text may end in a comment.
  return `${text.replace(/\bwith\s+data$/i, '')}\nWITH NO DATA`;
}

/** Nobody else is in the database, and a transaction takes no command that would let others in meanwhile. */
function withoutConcurrently(query: string): string {
  let text = '';
  for (const { kind, start, end } of tokens(query)) {
    const content = query.slice(start, end);
    if (kind !== 'word' || content.toLowerCase() !== 'concurrently') text += content;
  }
  return text;
}

async function currentSettings(client: pg.Client, names: readonly string[]): Promise<Record<string, string>> {
  const { rows } = await client.query<{ name: string; value: string }>(
    'SELECT name, pg_catalog.current_setting(name) AS value FROM pg_catalog.unnest($1::text[]) AS name',
    [[...names]],
  );
  return Object.fromEntries(rows.map(({ name, value }) => [name, value]));
}

async function setLocally(client: pg.Client, name: string, value: string): Promise<void> {
  await client.query('SELECT pg_catalog.set_config($1, $2, true)', [name, value]);
}

/** What is made belongs to whoever makes it. Where the login may not be that role, it is the login's own. */
async function takeRole(client: pg.Client, role: string, warnings: string[]): Promise<void> {
  await client.query('SAVEPOINT role');
  try {
    await client.query(`SET LOCAL ROLE ${quoteIdentifier(role)}`);
  } catch (error) {
    if (!['42501', '22023', '42704'].includes((error as { code?: string }).code ?? '')) throw error;
    await client.query('ROLLBACK TO SAVEPOINT role');
    const warning = `What the role ${role} defined belongs to the login of the restore: ${(error as Error).message}`;
    if (!warnings.includes(warning)) warnings.push(warning);
  }
}

async function isEmpty(client: pg.Client, schema: string, table: string): Promise<boolean> {
  const { rows } = await client.query(`SELECT FROM ${quoteQualified(schema, table)} LIMIT 1`);
  return rows.length === 0;
}

/**
 * Columns that are added give the rows that are there a value: that of the moment, with a default such as now(). It is written over
 * the one that the repeated command found.
 */
async function prepareMissing(
  client: pg.Client,
  missing: readonly MissingValue[],
  decodeText: (bytes: string) => Promise<string>,
): Promise<{ fill(): Promise<void> } | null> {
  if (missing.length === 0) return null;
  const values: MissingValue[] = [];
  for (const { schema, table, column, value } of missing) {
    values.push({
      schema: await decodeText(schema),
      table: await decodeText(table),
      column: await decodeText(column),
      value: value === null ? null : await decodeText(value),
    });
  }
  const read = async (): Promise<Map<string, string | null>> => {
    const { rows } = await client.query<{ place: string; value: string | null }>(missingValuesSql, [
      values.map(({ schema }) => schema),
      values.map(({ table }) => table),
      values.map(({ column }) => column),
    ]);
    return new Map(rows.map(({ place, value }) => [place, value]));
  };
  const before = await read();
  return {
    async fill() {
      const after = await read();
      for (const [index, { schema, table, column, value }] of values.entries()) {
        const place = String(index + 1);
        if (before.has(place) || !after.has(place) || after.get(place) === value) continue;
        await client.query(`UPDATE ONLY ${quoteQualified(schema, table)} SET ${quoteIdentifier(column)} = $1`, [value]);
      }
    },
  };
}
