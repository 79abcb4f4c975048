import type pg from 'pg';
import { quoteIdentifier, quoteLiteral, quoteQualified } from '../../postgres/identifiers.ts';
import type { MissingValue } from '../definitions/message.ts';
import { columnsBeforeSql, missingValuesSql } from './missing-values.sql.ts';

/** What rows that were there before a command are to have in the columns that it adds. */
export interface MissingValues {
  /** Statements that write them over what the repeated command found; to be asked for when it is over. */
  statements(): Promise<string[]>;
}

/**
 * Columns that are added give the rows that are there a value: that of the moment, with a default such as now(). Only columns that the
 * command adds are filled: those of a table that was there before it, by its OID, with a higher number than any that it had. A table or
 * a column that has another name by now keeps what is in it.
 *
 * @param missing - as the event trigger told, by the names after the command
 * @returns null where there are none
 */
export async function readMissing(
  client: pg.Client,
  missing: readonly MissingValue[],
  decodeText: (bytes: string) => Promise<string>,
): Promise<MissingValues | null> {
  if (missing.length === 0) return null;
  const values: MissingValue[] = [];
  for (const { schema, table, column, value } of missing) {
    values.push({
      schema: await decodeText(schema),
      table: await decodeText(table),
      column: await decodeText(column),
      value: value === null ? null : await decodeText(value),
    });
  }
  const tables = [values.map(({ schema }) => schema), values.map(({ table }) => table)];
  const { rows } = await client.query<{ place: string; oid: string; columns: number }>(columnsBeforeSql, tables);
  const before = new Map(rows.map(({ place, oid, columns }) => [place, { oid, columns }]));
  return {
    async statements() {
      const { rows: found } = await client.query<{ place: string; oid: string; number: number; value: string | null }>(
        missingValuesSql,
        [...tables, values.map(({ column }) => column)],
      );
      return found.flatMap(({ place, oid, number, value: present }) => {
        const known = before.get(place);
        const wanted = values[Number(place) - 1];
        if (!wanted || known?.oid !== oid || number <= known.columns || present === wanted.value) return [];
        const { schema, table, column, value } = wanted;
        const literal = value === null ? 'NULL' : quoteLiteral(value);
        return [`UPDATE ONLY ${quoteQualified(schema, table)} SET ${quoteIdentifier(column)} = ${literal}`];
      });
    },
  };
}
