import type pg from 'pg';
import { OperationError } from '../../errors.ts';
import { quoteQualified } from '../../postgres/identifiers.ts';
import type { ParseStatements } from '../../postgres/parse-statements.ts';
import { isSessionLost } from '../../postgres/session-errors.ts';
import { tokens } from '../../postgres/tokens.ts';
import { parseCommandSettings } from '../definitions/command-settings.ts';
import { commandTag } from '../definitions/command-tags.ts';
import { TOLD_AT_START } from '../definitions/event-triggers.sql.ts';
import { isNeverRepeated, judgeDefinitionChange } from '../definitions/judge.ts';
import type { DefinitionMessage } from '../definitions/message.ts';
import { readMissing } from './missing-values.ts';
import { givePrivileges } from './privileges.ts';
import { type CommandContext, type Sandbox, TooManyRights } from './sandbox.ts';

/** Repeats changes of definitions, in their place among the changes of rows. */
export interface DefinitionReplay {
  /**
   * @param begun - whether a command of which the beginning is told changed something that lasts; null where nobody looked
   * @returns what gives rows that are there their values in added columns, to be called when nothing acts on what is written; null: nothing
   * @throws OperationError `window_ends` when it cannot be repeated exactly
   */
  repeat(message: DefinitionMessage, begun: boolean | null): Promise<(() => Promise<void>) | null>;
  /** Whether rows of extensions' tables are passed over now: the repeated command makes them itself. */
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
  /** How owners were restored. */
  roleOf: (role: string) => string;
  ownersLeftOut: boolean;
}

export function definitionReplay({
  client,
  parse,
  sandbox,
  decodeText,
  mayBeMissing,
  roleOf,
  ownersLeftOut,
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
  /** @returns false where it is passed over, as what it is about is not there */
  const attempt = async (message: DefinitionMessage, what: () => Promise<void>): Promise<boolean> => {
    const { tag } = message;
    // What was of temporary objects alone, as statistics are, does not look so when it is dropped.
    const wasNeverThere = message.event === 'drop' && message.dropped?.length === 1;
    await client.query('SAVEPOINT definition');
    try {
      await what();
    } catch (error) {
      if (isSessionLost(error) || error instanceof OperationError) throw error;
      if (error instanceof TooManyRights) throw windowEnds(`${tag} cannot be repeated. ${error.message}`);
      if ((mayBeMissing || wasNeverThere) && UNDEFINED.has((error as { code?: string }).code ?? '')) {
        await client.query('ROLLBACK TO SAVEPOINT definition');
        return false;
      }
      throw windowEnds(`${tag} could not be repeated: ${(error as Error).message}`);
    }
    await client.query('RELEASE SAVEPOINT definition');
    return true;
  };
  const run = async (message: DefinitionMessage, sql: string): Promise<(() => Promise<void>) | null> => {
    await assertIsCommand(parse, message.tag, sql);
    const context = await contextOf(message);
    const missing = message.event === 'end' ? await readMissing(client, message.missing, decodeText) : null;
    if (!(await attempt(message, () => sandbox.run(context, [sql])))) return null;
    const fill = (await missing?.statements()) ?? [];
    if (fill.length === 0) return null;
    return async () => {
      // Written by the session itself, as all rows are, in whose settings values are read exactly.
      const write = message.exact
        ? async () => {
            for (const statement of fill) await client.query(statement);
          }
        : () => sandbox.run(context, fill);
      await attempt(message, write);
    };
  };

  return {
    get warnings() {
      return [...warnings, ...sandbox.warnings];
    },
    views,
    get makesRows() {
      return extension !== null;
    },
    async repeat(message, begun) {
      const { tag, event } = message;
      if (extension !== null) {
        if (event === 'end' && tag === extension) {
          extension = null;
          started = null;
        }
        return null;
      }
      if (isNeverRepeated(tag)) {
        if (tag !== 'REINDEX') warnings.push(`${tag} was not repeated: it would copy from another server`);
        return null;
      }
      const judged = judgeDefinitionChange(message, begun);
      switch (judged.kind) {
        case 'passed':
          return null;
        case 'obstacle':
          throw windowEnds(judged.reason);
        case 'exact when empty': {
          if (message.event !== 'rewrite') throw windowEnds(judged.reason);
          const { schema, table } = message;
          if (await isEmpty(client, await decodeText(schema), await decodeText(table))) return null;
          throw windowEnds(judged.reason);
        }
        case 'privileges':
          await attempt(message, async () => {
            warnings.push(...(await givePrivileges(client, judged.acls, { decodeText, roleOf, ownersLeftOut })));
          });
          return null;
        case 'text':
          break;
      }
      if (event === 'end' && tag === 'CREATE MATERIALIZED VIEW' && !WITHOUT_DATA.test(message.query.trim())) {
        for (const view of message.views) views.add(await decodeText(view));
      }
      if (event === 'end' && AT_START.has(tag)) {
        // It was to be repeated when it began.
        if (started !== tag) throw windowEnds(`The beginning of ${tag} was not captured`);
        started = null;
        return null;
      }
      const query = await decodeText(message.query);
      if (event === 'start') {
        started = tag;
        if (EXTENSIONS.has(tag)) extension = tag;
        return run(message, EXTENSIONS.has(tag) ? query : withoutData(query));
      }
      const dropped = event === 'drop' && tag === 'DROP INDEX' ? message.dropped : null;
      const mayLack = dropped !== null && (await lacks(client, dropped, decodeText));
      return run(message, withoutConcurrently(mayLack ? withIfExists(query) : query));
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

/** An index that was left invalid is in no backup, and who drops it changes nothing. */
function withIfExists(query: string): string {
  const words = [...tokens(query)].filter(({ kind }) => kind === 'word');
  const text = (index: number): string => query.slice(words[index]?.start, words[index]?.end).toLowerCase();
  const last = text(2) === 'concurrently' ? 2 : 1;
  const at = words[last]?.end ?? query.length;
  return text(last + 1) === 'if' ? query : `${query.slice(0, at)} IF EXISTS ${query.slice(at)}`;
}

/** Whether one of the relations is not there. */
async function lacks(
  client: pg.Client,
  names: readonly string[],
  decodeText: (bytes: string) => Promise<string>,
): Promise<boolean> {
  for (const name of names) {
    const { rows } = await client.query('SELECT WHERE pg_catalog.to_regclass($1) IS NULL', [await decodeText(name)]);
    if (rows.length > 0) return true;
  }
  return false;
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
