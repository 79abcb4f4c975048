import { tokens } from './tokens.ts';

/** Control characters, those that format text (such as the direction of writing), and separators of lines. */
export const UNSAFE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Co}\p{Cn}\p{Cs}]/gu;

/**
 * A statement that may be pasted into a terminal: names and texts in it come from the server, and one may hold line breaks or what a terminal takes for
 * commands. Such characters of quoted names and strings are written as their numbers (`U&"..."`, `U&'...'`).
 *
 * @param statement - with its names quoted, as this system or the server does it
 */
export function forPaste(statement: string): string {
  if (statement.search(UNSAFE) < 0) return statement;
  let text = '';
  for (const { kind, start, end } of tokens(statement)) {
    const token = statement.slice(start, end);
    const isQuoted = kind === 'quoted-name' || (kind === 'string' && token.startsWith("'"));
    text += isQuoted && token.search(UNSAFE) >= 0 ? `U&${inNumbers(token)}` : token;
  }
  return text;
}

function inNumbers(quoted: string): string {
  return quoted
    .replaceAll('\\', '\\\\')
    .replaceAll(UNSAFE, (character) => `\\+${(character.codePointAt(0) ?? 0).toString(16).padStart(6, '0')}`);
}
