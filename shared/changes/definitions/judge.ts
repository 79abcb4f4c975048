import { OperationError } from '../../errors.ts';
import { splitStatements } from '../../postgres/statements.ts';
import { tokens } from '../../postgres/tokens.ts';
import type { AclChange, DefinitionMessage } from './message.ts';
import type { Verdict } from './signature.ts';

/** Reasons of a rewrite; src/include/commands/event_trigger.h. */
const REWRITE = { persistence: 1, default: 2, type: 4 } as const;

/** They would begin, or end, to copy from another server; and what changes nothing. */
const NEVER_REPEATED = /^((CREATE|ALTER|DROP) SUBSCRIPTION|REINDEX)$/;

/** Whether a command is passed over by a replay. */
export const isNeverRepeated = (tag: string): boolean => NEVER_REPEATED.test(tag);

/** What reaches beyond this database. */
const REACHES_OUT = new Set(['IMPORT FOREIGN SCHEMA']);

/** Commands whose text may read tables, or be of their types. */
const READS_TABLES = new Set([
  ...[
    'CREATE TABLE',
    'CREATE TABLE AS',
    'CREATE MATERIALIZED VIEW',
    'CREATE FOREIGN TABLE',
    'CREATE VIEW',
    'CREATE RULE',
  ],
  ...['CREATE FUNCTION', 'CREATE PROCEDURE', 'CREATE AGGREGATE', 'CREATE OPERATOR', 'CREATE CAST', 'CREATE STATISTICS'],
  ...[
    'CREATE POLICY',
    'ALTER POLICY',
    'CREATE TRIGGER',
    'CREATE PUBLICATION',
    'ALTER PUBLICATION',
    'CREATE TYPE',
    'CREATE DOMAIN',
  ],
]);

/** What becomes of one event of a change of definitions. */
export type Judgement =
  /** Nothing is to be done. */
  | { kind: 'passed' }
  /** It cannot be repeated exactly. */
  | { kind: 'obstacle'; reason: string }
  /** By event triggers that did not tell whether there were rows: it is exact where the table has none. */
  | { kind: 'exact when empty'; reason: string }
  /** Its text is run. */
  | { kind: 'text' }
  /** Objects are given the privileges that they had after it. */
  | { kind: 'privileges'; acls: readonly AclChange[] };

const PASSED = { kind: 'passed' } as const;
const TEXT = { kind: 'text' } as const;
const obstacle = (reason: string): Judgement => ({ kind: 'obstacle', reason });

/**
 * Says what becomes of a change of definitions, by what the event triggers told: whether it can be repeated exactly, as it was sent alone,
 * as the text that is in the log, and what it does follows from that text and the database's state alone. Both who captures it and who
 * repeats it ask here, so that what is called covered is what is repeated.
 *
 * @param begun - of an event that tells of a beginning: whether the command changed something that lasts; null where nobody looked
 */
export function judgeDefinitionChange(message: DefinitionMessage, begun: boolean | null = null): Judgement {
  const { tag, exact } = message;
  if (isNeverRepeated(tag)) return PASSED;
  if (message.event === 'start' && begun === false) return PASSED;
  if (message.event === 'end' && message.acls !== null && !message.oversized) {
    return { kind: 'privileges', acls: message.acls };
  }
  if (message.nested) return obstacle(`${tag} was run by a function or a DO block`);
  if (message.oversized) return obstacle(`The text of ${tag} was too long to be captured`);
  if (message.settings.standard_conforming_strings === 'off') {
    // Where a text ends would depend on it, and with that how many statements there are.
    return obstacle(`${tag} was run with standard_conforming_strings off`);
  }
  const words = significantWords(message.query);
  if (words === null) return obstacle(`The text of ${tag} was not understood`);
  if (words.statements !== 1) return obstacle(`${tag} was sent together with other statements`);
  if (REACHES_OUT.has(tag)) return obstacle(`${tag} depends on another server`);
  switch (message.event) {
    case 'drop':
      return message.mixed ? obstacle(`${tag} dropped temporary objects together with others`) : TEXT;
    case 'rewrite': {
      if (message.reason & REWRITE.persistence) return obstacle(`${tag} changed whether a table is logged`);
      if (message.reason & REWRITE.default && message.bytes !== 0) {
        const reason = `${tag} gave every row a value of its own`;
        return fillsRows(message) && message.bytes === null ? { kind: 'exact when empty', reason } : obstacle(reason);
      }
      return message.reason & REWRITE.type && words.list.includes('using') && message.bytes !== 0
        ? obstacle(`${tag} changed a column's type by an expression`)
        : PASSED;
    }
    case 'start':
    case 'end': {
      if (!exact && isTemporary(words.list)) return PASSED;
      if (tag === 'SELECT INTO') return obstacle('SELECT INTO is not repeated: use CREATE TABLE AS');
      if (tag === 'CREATE TABLE AS' && words.list.includes('execute')) {
        return obstacle('CREATE TABLE AS ran a prepared statement');
      }
      if (words.parameters) return obstacle(`${tag} was run with parameters, which are not in its text`);
      const names = READS_TABLES.has(tag) ? message.temporary.map(lowerAscii) : [];
      const reads = words.names.find((word) => names.includes(word) || word === 'pg_temp.');
      if (exact && reads !== undefined) return obstacle(`${tag} names ${reads}, which is temporary`);
      return TEXT;
    }
  }
}

/** Why it cannot be repeated, as far as it is known before a replay; null when it can. */
export function obstacleOf(judgement: Judgement): string | null {
  return judgement.kind === 'obstacle' ? judgement.reason : null;
}

/** Why what is noted without a signature, or in a way that is not known, is not repeated. */
export function notRepeated(verdict: Extract<Verdict, { kind: 'unsigned' | 'unknown_version' }>): string {
  return verdict.kind === 'unsigned'
    ? `${verdict.message.tag} was noted by event triggers that did not sign: nobody can tell whether it was run`
    : 'A change of a definition was noted by event triggers of a version that is not known';
}

/** Whether all rows of a table were given a value by themselves, which is exact where there are none. */
function fillsRows(message: DefinitionMessage): boolean {
  return message.event === 'rewrite' && message.reason === REWRITE.default;
}

/** Whether a statement, by its words, makes a temporary table: `CREATE TEMP TABLE`, `SELECT ... INTO TEMP`. */
function isTemporary(words: readonly string[]): boolean {
  const at = words[0] === 'create' ? 1 : words.indexOf('into') + 1;
  const next = words[at] === 'global' || words[at] === 'local' ? words[at + 1] : words[at];
  return next === 'temp' || next === 'temporary' || words.includes('pg_temp');
}

const lowerAscii = (text: string): string => text.replace(/[A-Z]+/g, (letters) => letters.toLowerCase());

/** What the tokens of a text say. */
interface Words {
  statements: number;
  /** Words, lower-case. */
  list: string[];
  /** Words and what is in quotes as a name, lower-case. */
  names: string[];
  /** Whether there are parameters, as `$1`. */
  parameters: boolean;
}

/** Counts the statements of a text and lists its words; null for text that is not understood. */
function significantWords(query: string): Words | null {
  try {
    const found: Words = { statements: splitStatements(query).length, list: [], names: [], parameters: false };
    let before = '';
    for (const { kind, start, end } of tokens(query)) {
      const text = lowerAscii(query.slice(start, end));
      if (kind === 'word') {
        found.list.push(text);
        found.names.push(text);
      } else if (kind === 'quoted-name') found.names.push(text.slice(1, -1).replaceAll('""', '"'));
      else if (before === '$' && /^[0-9]/.test(text)) found.parameters = true;
      else if (before === 'pg_temp' && text === '.') found.names.push('pg_temp.');
      before = text;
    }
    return found;
  } catch (error) {
    if (error instanceof OperationError) return null;
    throw error;
  }
}
