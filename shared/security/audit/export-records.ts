import { stringify } from 'csv-stringify/sync';
import { type AuditRecord, auditRecordSchema } from '../../contract/schemas/audit.ts';

const columns = Object.keys(auditRecordSchema.shape);

/**
 * Records as CSV (RFC 4180) with a line of names; what has fields of its own is JSON. A text that a spreadsheet would take for a
 * formula begins with an apostrophe.
 */
export function recordsAsCsv(records: readonly AuditRecord[]): string {
  return stringify([...records], { columns, header: true, escape_formulas: true, record_delimiter: '\r\n' });
}

/** Records as JSON lines. */
export function recordsAsJsonLines(records: readonly AuditRecord[]): string {
  return records.map((record) => `${JSON.stringify(record)}\n`).join('');
}
