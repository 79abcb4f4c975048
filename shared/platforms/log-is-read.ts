import { readablePrefixes } from './platforms.ts';

/**
 * Whether a server writes its log in a form whose lines join the audit trail.
 *
 * @param formats - of `log_destination`
 * @param prefix - `log_line_prefix`
 */
export function logIsRead(formats: readonly string[], prefix: string): boolean {
  return (
    formats.some((format) => format === 'csvlog' || format === 'jsonlog') ||
    (formats.includes('stderr') && readablePrefixes.includes(prefix))
  );
}
