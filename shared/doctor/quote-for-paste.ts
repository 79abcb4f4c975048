import { forPaste, UNSAFE } from '../postgres/for-paste.ts';
import { quoteIdentifier } from '../postgres/identifiers.ts';

/**
 * Quotes an identifier so that a statement may be pasted into a terminal: names come from the server, and one may hold line breaks or
 * what a terminal takes for commands. Such characters are written as their numbers (`U&"..."`).
 */
export function quoteForPaste(name: string): string {
  return forPaste(quoteIdentifier(name));
}

/** A name within a sentence, in quotation marks, without what would change how the sentence looks. */
export function quoteForReading(name: string): string {
  return `"${name.replaceAll(UNSAFE, '�')}"`;
}
