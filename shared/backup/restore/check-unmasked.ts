import { personalByName } from '../../masking/find/personal-names.ts';
import { quoteQualified } from '../../postgres/identifiers.ts';
import type { Manifest } from '../manifest.ts';
import { type Finding, listed } from './findings.ts';

/**
 * Names the columns of a backup that seem to hold personal data and are not masked, where the target is trusted less.
 *
 * @param ruled - the columns of a table that are masked while they are loaded
 */
export function checkUnmasked(
  { tables, masking }: Manifest,
  ruled: (table: Manifest['tables'][number]) => readonly string[],
  problems: Finding[],
): void {
  const key = (schema: string, table: string, column: string): string => JSON.stringify([schema, table, column]);
  const masked = new Set(masking?.columns.map(({ schema, table, column }) => key(schema, table, column)));
  const found = tables.flatMap((table) => {
    const { schema, name, columns, types, rows } = table;
    const isRuled = new Set(ruled(table));
    return columns.flatMap((column, index) => {
      if (rows === 0 || isRuled.has(column) || masked.has(key(schema, name, column))) return [];
      const kind = personalByName(column, types?.[index]);
      return kind ? [`${quoteQualified(schema, name)}.${column} (${kind})`] : [];
    });
  });
  if (found.length === 0) return;
  problems.push({
    code: 'unmasked_personal_data',
    message: `The environment is trusted less than that of the backup, and columns seem to hold personal data that is not masked: ${listed(found)}`,
    nextStep: 'Restore a masked backup, mask these columns too, or send "allow_unmasked": true.',
  });
}
