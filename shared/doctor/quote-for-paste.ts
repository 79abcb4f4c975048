import { quoteIdentifier } from '../postgres/identifiers.ts';

/** Control characters, those that format text (such as the direction of writing), and separators of lines. */
const UNSAFE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Co}\p{Cn}\p{Cs}]/gu;

/**
 * Quotes an identifier so that a statement may be pasted into a terminal: names come from the server, and one may hold line breaks or
 * what a terminal takes for commands. Such characters are written as their numbers (`U&"..."`).
 */
export function quoteForPaste(name: string): string {
  if (name.search(UNSAFE) < 0) return quoteIdentifier(name);
  const numbers = name
    .replaceAll('\\', '\\\\')
    .replaceAll(UNSAFE, (character) => `\\+${(character.codePointAt(0) ?? 0).toString(16).padStart(6, '0')}`);
  return `U&${quoteIdentifier(numbers)}`;
}

/** A name within a sentence, in quotation marks, without what would change how the sentence looks. */
export function quoteForReading(name: string): string {
  return `"${name.replaceAll(UNSAFE, '�')}"`;
}
