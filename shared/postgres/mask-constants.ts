import { endsUnderAnySetting, tokens } from './tokens.ts';

/**
 * A statement to show: strings and numbers become `?`, comments a space, as both may hold what belongs to nobody else. What cannot be told apart ends
 * with an ellipsis: a text that the server has cut off, and one with a string whose end depends on `standard_conforming_strings` of the session
 * that sent it, which nobody here knows.
 */
export function maskConstants(sql: string): string {
  let shown = '';
  try {
    for (const token of tokens(sql)) {
      const { kind, start, end } = token;
      const text = sql.slice(start, end);
      if (kind === 'string' && !endsUnderAnySetting(sql, token)) return `${shown}?…`.trim();
      if (kind === 'string' || /^[0-9]/.test(text)) shown += '?';
      else shown += kind === 'comment' || kind === 'space' ? ' ' : text;
    }
  } catch {
    // The rest is a string or comment without an end.
    shown += '…';
  }
  return shown.trim();
}
