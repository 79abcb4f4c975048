import { unescapeCopyText } from './copy-text.ts';

/**
 * Text of `test_decoding` is read as latin1: one character for one byte, whatever the database's encoding. Every encoding that
 * a server may have keeps ASCII bytes to ASCII characters, so what gives the text its form is never part of another character.
 */

const QUOTE = 0x22;

/**
 * Where an identifier ends that begins at `at`: behind its closing quote, or before the first character that no unquoted one has.
 *
 * @throws Error when a quote is not closed
 */
export function identifierEnd(text: string, at: number): number {
  if (text.charCodeAt(at) !== QUOTE) {
    let end = at;
    while (end < text.length && isPlain(text.charCodeAt(end))) end += 1;
    return end;
  }
  for (let from = at + 1; ; ) {
    const quote = text.indexOf('"', from);
    if (quote < 0) throw new Error('A quoted name has no end');
    if (text.charCodeAt(quote + 1) !== QUOTE) return quote + 1;
    from = quote + 2;
  }
}

/** What `quote_identifier` leaves without quotes. */
function isPlain(code: number): boolean {
  return (code >= 0x61 && code <= 0x7a) || code === 0x5f || (code >= 0x30 && code <= 0x39);
}

/** The name itself, without quotes and without COPY's escapes. */
export function unquoted(identifier: string): string {
  if (identifier.charCodeAt(0) !== QUOTE) return identifier;
  return unescapeCopyText(identifier.slice(1, -1).replaceAll('""', '"'));
}

/** `schema.name` as written; see {@link splitQualified}. */
export function qualifiedEnd(text: string, at: number): number {
  const schemaEnd = identifierEnd(text, at);
  if (text[schemaEnd] !== '.') throw new Error('A table is named without its schema');
  return identifierEnd(text, schemaEnd + 1);
}

export interface QualifiedName {
  schema: string;
  name: string;
}

/** Schema and name, unquoted, of a qualified name as the server writes it. */
export function splitQualified(text: string): QualifiedName {
  const end = identifierEnd(text, 0);
  return { schema: unquoted(text.slice(0, end)), name: unquoted(text.slice(end + 1)) };
}
