import type pg from 'pg';
import { OperationError } from '../../errors.ts';
import { quoteIdentifier, quoteLiteral, quoteQualified } from '../../postgres/identifiers.ts';
import type { ParseStatements } from '../../postgres/parse-statements.ts';
import { isSessionLost } from '../../postgres/session-errors.ts';
import { tokens } from '../../postgres/tokens.ts';
import { parseCommandSettings } from '../definitions/command-settings.ts';
import { commandTag } from '../definitions/command-tags.ts';
import { TOLD_AT_START } from '../definitions/event-triggers.sql.ts';
import {
  fillsRows,
  isNeverRepeated,
  isTemporary,
  judgeDefinitionChange,
  significantWords,
} from '../definitions/judge.ts';
import type { DefinitionMessage, MissingValue } from '../definitions/message.ts';
import { missingValuesSql } from './definitions.sql.ts';
import { type CommandContext, type Sandbox, TooManyRights } from './sandbox.ts';

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
  readonly warnings: readonly string[];
}

const AT_START = new Set<string>(TOLD_AT_START);
const EXTENSIONS = new Set(['CREATE EXTENSION', 'ALTER EXTENSION']);
const WITHOUT_DATA = /\bwith\s+no\s+data[\s;]*$/i;
/** undefined_table, undefined_object, invalid_schema_name, undefined_function, undefined_column */
const UNDEFINED = new Set(['42P01', '42704', '3F000', '42883', '42703']);

export interface DefinitionOptions {
  client: pg.Client;
  parse: ParseStatements;
  /** Runs the commands. */
  sandbox: Sandbox;
  /** Turns a text with a character for each byte of the database's encoding into one. */
  decodeText: (bytes: string) => Promise<string>;
  /** Commands about what is not there are passed over, as when chosen tables are restored. */
  mayBeMissing: boolean;
}

export function definitionReplay({
  client,
  parse,
  sandbox,
  decodeText,
  mayBeMissing,
}: DefinitionOptions): DefinitionReplay {
  let extension: string | null = null;
  /** The command of which the beginning was told last. */
  let started: string | null = null;
  const warnings: string[] = [];
  const views = new Set<string>();

  const contextOf = async ({
    role,
    rights,
    database_owner: owner,
    settings,
  }: DefinitionMessage): Promise<CommandContext> => {
    const parsed = parseCommandSettings(settings);
    if (!parsed) throw windowEnds('A command was run with settings that are not known');
    return {
      role: await decodeText(role),
      rights: rights ?? [],
      databaseOwner: owner === null ? null : await decodeText(owner),
      settings: { ...parsed, search_path: await decodeText(parsed.search_path) },
    };
  };
  const run = async (message: DefinitionMessage, sql: string): Promise<void> => {
    await assertIsCommand(parse, message.tag, sql);
    const context = await contextOf(message);
    const missing = message.event === 'end' ? await prepareMissing(client, message.missing, decodeText) : null;
    await client.query('SAVEPOINT definition');
    try {
      await sandbox.run(context, [sql]);
      const fill = (await missing?.statements()) ?? [];
      if (fill.length > 0) await sandbox.run(context, fill);
    } catch (error) {
      if (isSessionLost(error) || error instanceof OperationError) throw error;
      if (error instanceof TooManyRights) throw windowEnds(`${message.tag} cannot be repeated. ${error.message}`);
      if (mayBeMissing && UNDEFINED.has((error as { code?: string }).code ?? '')) {
        await client.query('ROLLBACK TO SAVEPOINT definition');
        return;
      }
      throw windowEnds(`${message.tag} could not be repeated: ${(error as Error).message}`);
    }
    await client.query('RELEASE SAVEPOINT definition');
  };

  return {
    get warnings() {
      return [...warnings, ...sandbox.warnings];
    },
    views,
    get makesRows() {
      return extension !== null;
    },
    async repeat(message) {
      const { tag, event } = message;
      if (extension !== null) {
        if (event === 'end' && tag === extension) {
          extension = null;
          started = null;
        }
        return;
      }
      if (isNeverRepeated(tag)) {
        if (tag !== 'REINDEX') warnings.push(`${tag} was not repeated: it would copy from another server`);
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
      if (event === 'end' && AT_START.has(tag)) {
        // It was to be repeated when it began.
        if (started !== tag) throw windowEnds(`The beginning of ${tag} was not captured`);
        started = null;
        return;
      }
      if (event === 'rewrite') return;
      const query = await decodeText(message.query);
      const words = significantWords(query)?.list ?? [];
      if (event === 'start') {
        started = tag;
        if (isTemporary(words)) return;
        if (EXTENSIONS.has(tag)) extension = tag;
        await run(message, EXTENSIONS.has(tag) ? query : withoutData(query));
        return;
      }
      await run(message, withoutConcurrently(query));
    },
  };
}

/** Why a replay cannot go on: a problem of what was captured, not of the restore. */
export function windowEnds(reason: string): OperationError {
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

async function isEmpty(client: pg.Client, schema: string, table: string): Promise<boolean> {
  const { rows } = await client.query(`SELECT FROM ${quoteQualified(schema, table)} LIMIT 1`);
  return rows.length === 0;
}

/**
 * Holds a command against what the event trigger said of it: it is one statement, and of the kind that the tag names.
 *
 * @throws OperationError `window_ends`
 */
async function assertIsCommand(parse: ParseStatements, tag: string, sql: string): Promise<void> {
  const statements = await parse(sql);
  if (!statements) throw windowEnds(`The text of ${tag} was not understood`);
  const [statement, ...others] = statements;
  if (!statement || others.length > 0) throw windowEnds(`The text of ${tag} is not one statement`);
  const found = commandTag(statement);
  if (found !== tag) throw windowEnds(`The text of ${tag} is another command`);
}

/**
 * Columns that are added give the rows that are there a value: that of the moment, with a default such as now(). It is written over
 * the one that the repeated command found.
 */
async function prepareMissing(
  client: pg.Client,
  missing: readonly MissingValue[],
  decodeText: (bytes: string) => Promise<string>,
): Promise<{ statements(): Promise<string[]> } | null> {
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
    async statements() {
      const after = await read();
      return values.flatMap(({ schema, table, column, value }, index) => {
        const place = String(index + 1);
        if (before.has(place) || !after.has(place) || after.get(place) === value) return [];
        const literal = value === null ? 'NULL' : quoteLiteral(value);
        return [`UPDATE ONLY ${quoteQualified(schema, table)} SET ${quoteIdentifier(column)} = ${literal}`];
      });
    },
  };
}
