import { tokens } from './tokens.ts';

/**
 * A statement to show: strings and numbers become `?`, comments a space, as both may hold what belongs to nobody else. A text that
 * the server has cut off ends with an ellipsis.
 */
export function maskConstants(sql: string): string {
  let shown = '';
  try {
    for (const { kind, start, end } of tokens(sql)) {
      const text = sql.slice(start, end);
      if (kind === 'string' || /^[0-9]/.test(text)) shown += '?';
      else shown += kind === 'comment' || kind === 'space' ? ' ' : text;
    }
  } catch {
    // The rest is a string or comment without an end.
    shown += '…';
  }
  return shown.trim();
}
