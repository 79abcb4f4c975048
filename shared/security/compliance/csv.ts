import type { Compliance } from '../../contract/schemas/compliance.ts';

/**
 * A cell by RFC 4180. What a spreadsheet would take for a formula gets an apostrophe first (OWASP, CSV Injection): names come
 * from the database.
 */
function cell(text: string): string {
  const plain = /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(plain) ? `"${plain.replaceAll('"', '""')}"` : plain;
}

const columns: readonly [name: string, of: (rule: Compliance['rules'][number]) => string][] = [
  ['rule', ({ id }) => id],
  ['theme', ({ theme }) => theme],
  ['title', ({ title }) => title],
  ['level', ({ level }) => level],
  ['status', ({ status }) => status],
  ['found', ({ found }) => found],
  ['expected', ({ expected }) => expected],
  ['mend', ({ mend }) => mend.map(({ statement }) => statement).join('\n')],
  ['controls', ({ controls }) => controls.map(({ framework, ids }) => `${framework}: ${ids.join(', ')}`).join('; ')],
  ['waived_until', ({ waiver }) => waiver?.until ?? ''],
  ['waiver_reason', ({ waiver }) => waiver?.reason ?? ''],
];

/** The report as CSV: a line for each rule. */
export function asCsv({ database, at, rules }: Compliance): string {
  const head = ['database', 'at', ...columns.map(([name]) => name)];
  const lines = rules.map((rule) => [database, at, ...columns.map(([, of]) => of(rule))]);
  return [head, ...lines].map((line) => `${line.map(cell).join(',')}\r\n`).join('');
}
