import { OperationError } from '../errors.ts';

/** `symbol` is any other single character, `meta` a psql backslash. */
export type TokenKind = 'space' | 'comment' | 'word' | 'quoted-name' | 'string' | 'symbol' | 'meta';

export interface Token {
  kind: TokenKind;
  /** Where it begins and ends (exclusive), in UTF-16 units. */
  start: number;
  end: number;
}

const SPACE = /[ \t\n\r\f\v]+/y;
const WORD = /[A-Za-z_\u0080-\uffff][A-Za-z0-9_$\u0080-\uffff]*/y;
const NUMBER = /[0-9][0-9A-Za-z_.]*/y;
const DOLLAR_TAG = /\$(?:[A-Za-z_\u0080-\uffff][A-Za-z0-9_\u0080-\uffff]*)?\$/y;
const LINE_COMMENT = /--[^\n\r]*/y;
const COMMENT_EDGE = /\/\*|\*\//g;
const QUOTE_OR_BACKSLASH = /['\\]/g;
/** Two strings with a line break between them are one; the second is read by the first one's rules. */
const CONTINUATION = /(?:[ \t\f\v]|--[^\n\r]*(?=[\n\r]))*[\n\r](?:[ \t\n\r\f\v]|--[^\n\r]*[\n\r])*(?=')/y;

/**
 * Cuts SQL into tokens by the rules of the server's scanner (src/backend/parser/scan.l, `standard_conforming_strings` on),
 * as far as finding the ends of statements needs them. The tokens cover the whole text without gaps.
 *
 * @param from - where to begin
 * @throws OperationError `sql_unterminated` when a comment, string or quoted name has no end
 */
export function* tokens(sql: string, from = 0): Generator<Token, void> {
  let position = from;
  const match = (pattern: RegExp, at = position): number => {
    pattern.lastIndex = at;
    return pattern.test(sql) ? pattern.lastIndex : -1;
  };
  const must = (end: number, what: string): number => {
    if (end >= 0) return end;
    throw new OperationError(
      'sql_unterminated',
      `The ${what} that begins in line ${lineOf(sql, position)} has no end`,
      'Check that the SQL text is complete.',
    );
  };
  const word = (): { end: number; kind: TokenKind } => {
    const end = match(WORD);
    const escapes = end - position === 1 && /[eE]/.test(sql[position] ?? '') && sql[end] === "'";
    return escapes ? { end: must(escapeStringEnd(end), 'string'), kind: 'string' } : { end, kind: 'word' };
  };
  const escapeStringEnd = (start: number): number => {
    let end = escapedEnd(sql, start);
    for (let next = start; end >= 0 && next >= 0; ) {
      next = match(CONTINUATION, end);
      if (next >= 0) end = escapedEnd(sql, next);
    }
    return end;
  };
  const dollarQuoteEnd = (): number => {
    const tagEnd = match(DOLLAR_TAG);
    if (tagEnd < 0) return -1;
    const tag = sql.slice(position, tagEnd);
    const close = sql.indexOf(tag, tagEnd);
    return must(close < 0 ? -1 : close + tag.length, 'dollar-quoted string');
  };

  while (position < sql.length) {
    const start = position;
    const character = sql[start] ?? '';
    let kind: TokenKind = 'symbol';
    let end = start + 1;
    if (match(SPACE) >= 0) [kind, end] = ['space', match(SPACE)];
    else if (match(LINE_COMMENT) >= 0) [kind, end] = ['comment', match(LINE_COMMENT)];
    else if (sql.startsWith('/*', start)) [kind, end] = ['comment', must(blockCommentEnd(sql, start), 'comment')];
    else if (match(WORD) >= 0) ({ kind, end } = word());
    else if (match(NUMBER) >= 0) end = match(NUMBER);
    else if (character === "'") [kind, end] = ['string', must(quotedEnd(sql, start, "'"), 'string')];
    else if (character === '"') [kind, end] = ['quoted-name', must(quotedEnd(sql, start, '"'), 'quoted name')];
    else if (character === '$') {
      const quoteEnd = dollarQuoteEnd();
      if (quoteEnd >= 0) [kind, end] = ['string', quoteEnd];
    } else if (character === '\\') kind = 'meta';
    position = end;
    yield { kind, start, end };
  }
}

/** Where a quoted text ends in which only the doubled quote is special. Searched by hand: a pattern's stack has an end. */
function quotedEnd(sql: string, start: number, quote: string): number {
  let at = sql.indexOf(quote, start + 1);
  while (at >= 0 && sql[at + 1] === quote) at = sql.indexOf(quote, at + 2);
  return at < 0 ? -1 : at + 1;
}

/** Where a text ends in which a backslash takes away the next character's meaning. */
function escapedEnd(sql: string, start: number): number {
  QUOTE_OR_BACKSLASH.lastIndex = start + 1;
  for (let found = QUOTE_OR_BACKSLASH.exec(sql); found; found = QUOTE_OR_BACKSLASH.exec(sql)) {
    const next = found.index + 1;
    if (found[0] === "'" && sql[next] !== "'") return next;
    QUOTE_OR_BACKSLASH.lastIndex = next + 1;
  }
  return -1;
}

/**
 * Whether a plain string (`'…'`) ends where it does whatever `standard_conforming_strings` is: where that is off, a backslash takes away the
 * meaning of a quote.
 */
export function endsUnderAnySetting(sql: string, { start, end }: Pick<Token, 'start' | 'end'>): boolean {
  return sql[start] !== "'" || escapedEnd(sql, start) === end;
}

/** Comments nest. */
function blockCommentEnd(sql: string, start: number): number {
  let depth = 0;
  COMMENT_EDGE.lastIndex = start;
  for (let edge = COMMENT_EDGE.exec(sql); edge; edge = COMMENT_EDGE.exec(sql)) {
    depth += edge[0] === '/*' ? 1 : -1;
    if (depth === 0) return COMMENT_EDGE.lastIndex;
  }
  return -1;
}

/** Number of the line (from 1) that holds a position. */
export function lineOf(sql: string, position: number): number {
  let line = 1;
  for (let at = sql.indexOf('\n'); at >= 0 && at < position; at = sql.indexOf('\n', at + 1)) line += 1;
  return line;
}
