import { OperationError } from '../errors.ts';
import { lineOf, type Token, tokens } from './tokens.ts';

/** One statement of a script. */
export interface Statement {
  /** Its text, without the semicolon and without comments around it. */
  sql: string;
  /** Where it begins in the script, in UTF-16 units. */
  start: number;
  /** The lines that follow a `COPY ... FROM STDIN`, without the closing `\.`. */
  copyData?: string;
}

export interface ScriptOptions {
  /** What to do with a psql command on a line of its own. One within a statement is always refused. */
  metaCommands?: 'refuse' | 'skip';
}

/**
 * Splits SQL text at the semicolons that end statements, not at those within quotes, comments, parentheses (rules with
 * several actions) or SQL-standard function bodies. Empty statements are left out.
 *
 * @throws OperationError `sql_unterminated`, `meta_command_refused`, or `copy_data_refused` for rows within the text
 * @example
 * splitStatements('SELECT 1; SELECT $$;$$') // ['SELECT 1', 'SELECT $$;$$']
 */
export function splitStatements(sql: string): string[] {
  return readScript(sql).map((statement) => {
    if (statement.copyData === undefined) return statement.sql;
    throw new OperationError(
      'copy_data_refused',
      `Line ${lineOf(sql, statement.start)} begins a COPY from the script itself`,
      'Run such a script with psql, or read it with its COPY data.',
    );
  });
}

/**
 * Reads a script as psql would: statements, the data of `COPY ... FROM STDIN`, and psql's own commands.
 *
 * @throws OperationError `sql_unterminated` or `meta_command_refused`
 */
export function readScript(text: string, { metaCommands = 'refuse' }: ScriptOptions = {}): Statement[] {
  const statements: Statement[] = [];
  let position = 0;
  while (position < text.length) {
    const found = readStatement(text, position, metaCommands);
    position = found.next;
    if (!found.statement) continue;
    if (isCopyFromStdin(found.statement.sql)) {
      const { data, next } = readCopyData(text, position);
      position = next;
      statements.push({ ...found.statement, copyData: data });
    } else statements.push(found.statement);
  }
  return statements;
}

function readStatement(
  text: string,
  from: number,
  metaCommands: 'refuse' | 'skip',
): { statement?: Statement; next: number } {
  const body = bodyTracker();
  let start = -1;
  let end = from;
  for (const token of tokens(text, from)) {
    if (token.kind === 'space' || token.kind === 'comment') continue;
    if (token.kind === 'meta') return { next: passMetaCommand(text, token, start, metaCommands) };
    const content = text.slice(token.start, token.end);
    if (content === ';' && !body.inside) {
      return { next: token.end, ...(start < 0 ? {} : { statement: { sql: text.slice(start, end), start } }) };
    }
    body.see(token, content);
    if (start < 0) start = token.start;
    end = token.end;
  }
  return { next: text.length, ...(start < 0 ? {} : { statement: { sql: text.slice(start, end), start } }) };
}

/** psql reads its commands to the end of the line. */
function passMetaCommand(
  text: string,
  { start: at }: Token,
  statementStart: number,
  policy: 'refuse' | 'skip',
): number {
  const lineEnd = text.indexOf('\n', at);
  const end = lineEnd < 0 ? text.length : lineEnd + 1;
  if (policy === 'skip' && statementStart < 0) return end;
  const command = /^\\\S*/.exec(text.slice(at, end))?.[0] ?? '\\';
  throw new OperationError(
    'meta_command_refused',
    `Line ${lineOf(text, at)} holds the psql command ${command}, which is not SQL`,
    'Take the command out, or run the script with psql.',
  );
}

/** Tells when a semicolon is inside parentheses or inside a function's BEGIN ATOMIC ... END. */
function bodyTracker(): { readonly inside: boolean; see(token: Token, content: string): void } {
  /** The statement's first words, to know a routine's definition. */
  const opening: string[] = [];
  let routine = false;
  let parentheses = 0;
  let blocks = 0;
  let previous = '';

  const seeWord = (word: string): void => {
    if (opening.length < 4) {
      opening.push(word);
      routine ||= /^create (?:or replace )?(?:function|procedure)$/.test(opening.join(' '));
    }
    if (!routine || previous === '.' || previous === 'as') return;
    if (blocks === 0) {
      if (word === 'atomic' && previous === 'begin' && parentheses === 0) blocks = 1;
    } else if (word === 'case') blocks += 1;
    else if (word === 'end') blocks -= 1;
  };

  return {
    get inside() {
      return parentheses > 0 || blocks > 0;
    },
    see({ kind }, content) {
      const normal = kind === 'word' ? content.toLowerCase() : content;
      if (kind === 'word') seeWord(normal);
      else if (kind === 'symbol') {
        if (content === '(') parentheses += 1;
        if (content === ')' && parentheses > 0) parentheses -= 1;
      }
      previous = normal;
    },
  };
}

/** `COPY table [(columns)] FROM STDIN [...]`, by its words outside quotes and parentheses. */
function isCopyFromStdin(sql: string): boolean {
  if (!/^copy\b/i.test(sql)) return false;
  let parentheses = 0;
  let previous = '';
  for (const { kind, start, end } of tokens(sql)) {
    if (kind === 'space' || kind === 'comment') continue;
    const content = sql.slice(start, end).toLowerCase();
    if (kind === 'symbol' && content === '(') parentheses += 1;
    if (kind === 'symbol' && content === ')') parentheses -= 1;
    if (kind === 'word' && parentheses === 0 && previous === 'from') return content === 'stdin';
    previous = kind === 'word' ? content : '';
  }
  return false;
}

/** The rows begin on the line after the statement and end before a line that is `\.` or with the text. */
function readCopyData(text: string, from: number): { data: string; next: number } {
  const lineEnd = text.indexOf('\n', from);
  const start = lineEnd < 0 ? text.length : lineEnd + 1;
  const closing = /^\\\.\r?(?:\n|$)/gm;
  closing.lastIndex = start;
  const found = closing.exec(text);
  if (!found) return { data: text.slice(start), next: text.length };
  return { data: text.slice(start, found.index), next: found.index + found[0].length };
}
