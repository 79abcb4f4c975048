import { OperationError } from '../../errors.ts';
import { splitStatements } from '../../postgres/statements.ts';
import { tokens } from '../../postgres/tokens.ts';
import type { DefinitionMessage } from './message.ts';
import type { Verdict } from './signature.ts';

/** Reasons of a rewrite; src/include/commands/event_trigger.h. */
const REWRITE = { persistence: 1, default: 2, type: 4 } as const;

/** They would begin, or end, to copy from another server; and what changes nothing. */
const NEVER_REPEATED = /^((CREATE|ALTER|DROP) SUBSCRIPTION|REINDEX)$/;

/** Whether a command is passed over by a replay. */
export const isNeverRepeated = (tag: string): boolean => NEVER_REPEATED.test(tag);

/** What reaches beyond this database. */
const REACHES_OUT = new Set(['IMPORT FOREIGN SCHEMA']);

/**
 * Whether a change of definitions can be repeated exactly: it was sent alone, as the text that is in the log, and what it does
 * follows from that text and the database's state alone.
 *
 * @returns why it cannot; null when it can
 */
export function judgeDefinitionChange(message: DefinitionMessage): string | null {
  if (isNeverRepeated(message.tag)) return null;
  if (message.nested) return `${message.tag} was run by a function or a DO block`;
  if (message.oversized) return `The text of ${message.tag} was too long to be captured`;
  if (message.settings.standard_conforming_strings === 'off') {
    // Where a text ends would depend on it, and with that how many statements there are.
    return `${message.tag} was run with standard_conforming_strings off`;
  }
  const words = significantWords(message.query);
  if (words === null) return `The text of ${message.tag} was not understood`;
  if (words.statements !== 1) return `${message.tag} was sent together with other statements`;
  if (REACHES_OUT.has(message.tag)) return `${message.tag} depends on another server`;
  switch (message.event) {
    case 'drop':
      return message.mixed ? `${message.tag} dropped temporary objects together with others` : null;
    case 'rewrite':
      if (message.reason & REWRITE.persistence) return `${message.tag} changed whether a table is logged`;
      if (message.reason & REWRITE.default) return `${message.tag} gave every row a value of its own`;
      return message.reason & REWRITE.type && words.list.includes('using')
        ? `${message.tag} changed a column's type by an expression`
        : null;
    case 'start':
    case 'end':
      if (isTemporary(words.list)) return null;
      if (message.tag === 'SELECT INTO') return 'SELECT INTO is not repeated: use CREATE TABLE AS';
      return message.tag === 'CREATE TABLE AS' && words.list.includes('execute')
        ? 'CREATE TABLE AS ran a prepared statement'
        : null;
  }
}

/** Why what is noted without a signature, or in a way that is not known, is not repeated. */
export function notRepeated(verdict: Extract<Verdict, { kind: 'unsigned' | 'unknown_version' }>): string {
  return verdict.kind === 'unsigned'
    ? `${verdict.message.tag} was noted by event triggers that did not sign: nobody can tell whether it was run`
    : 'A change of a definition was noted by event triggers of a version that is not known';
}

/** Whether all rows of a table were given a value by themselves, which is exact where there are none. */
export function fillsRows(message: DefinitionMessage): boolean {
  return message.event === 'rewrite' && message.reason === REWRITE.default;
}

/** Whether a statement, by its words, makes a temporary table: `CREATE TEMP TABLE`, `SELECT ... INTO TEMP`. */
export function isTemporary(words: readonly string[]): boolean {
  const at = words[0] === 'create' ? 1 : words.indexOf('into') + 1;
  const next = words[at] === 'global' || words[at] === 'local' ? words[at + 1] : words[at];
  return next === 'temp' || next === 'temporary' || words.includes('pg_temp');
}

/** Number of statements, and the lower-case words of the text; null for text that is not understood. */
export function significantWords(query: string): { statements: number; list: string[] } | null {
  try {
    const list = [...tokens(query)]
      .filter(({ kind }) => kind === 'word')
      .map(({ start, end }) => query.slice(start, end).toLowerCase());
    return { statements: splitStatements(query).length, list };
  } catch (error) {
    if (error instanceof OperationError) return null;
    throw error;
  }
}
