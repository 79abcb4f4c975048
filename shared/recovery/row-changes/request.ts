import * as z from 'zod';
import { OperationError } from '../../errors.ts';
import { foldIdentifier, type TableName } from './renames.ts';

const IDENTIFIER = '("(?:[^"]|"")+"|[^".\\s]+)';
const TABLE = new RegExp(`^${IDENTIFIER}(?:\\.${IDENTIFIER})?$`);

/** The table that a request names as SQL does; without a schema, it is of `public`. @throws OperationError `invalid_request` */
export function parseTable(text: string): TableName {
  const parts = TABLE.exec(text);
  if (!parts) {
    throw new OperationError(
      'invalid_request',
      'The table is not written as SQL writes it',
      'Write it as schema.table, with quotes around names that need them: table=shop.orders.',
    );
  }
  const [, first = '', second] = parts;
  return second === undefined
    ? { schema: 'public', name: foldIdentifier(first) }
    : { schema: foldIdentifier(first), name: foldIdentifier(second) };
}

const keySchema = z.record(z.string(), z.union([z.string(), z.number(), z.boolean()]));

/**
 * The key that a request names: one value, or a JSON object of columns and values.
 *
 * @returns `columns`: null where they are those that the table has now
 * @throws OperationError `invalid_request`
 */
export function parseKey(text: string): { columns: string[] | null; values: string[] } {
  if (!text.startsWith('{')) return { columns: null, values: [text] };
  try {
    const key = Object.entries(keySchema.parse(JSON.parse(text)));
    if (key.length === 0) throw new Error('It names no column');
    return { columns: key.map(([column]) => column), values: key.map(([, value]) => String(value)) };
  } catch {
    throw new OperationError(
      'invalid_request',
      'The key is no JSON object of columns and their values',
      'Write it as key={"id":"42"}, or as key=42 where the key is one column.',
    );
  }
}
