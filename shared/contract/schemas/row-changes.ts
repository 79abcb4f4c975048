import * as z from 'zod';
import { databaseIdSchema } from '../../configuration/runtime.ts';
import { pageQuerySchema } from './common.ts';

const momentSchema = z.iso.datetime({ offset: true, error: 'must be a time in ISO 8601 with its zone' });

export const rowChangesQuerySchema = pageQuerySchema.extend({
  table: z
    .string()
    .min(1)
    .max(300)
    .meta({
      description: 'As SQL writes it, by the name that it has now; without a schema, of `public`.',
      examples: ['shop.orders'],
    }),
  key: z
    .string()
    .min(1)
    .max(2000)
    .optional()
    .meta({
      description:
        'The row: the value of its key as the server writes it, or a JSON object of columns and values. Without it, all rows of the table.',
      examples: ['42', '{"order_id":"42","line":"1"}'],
    }),
  // Longer than that of other lists, as it holds the keys that a row has had.
  cursor: z.string().min(1).max(6000).optional().meta({
    description: '`next_cursor` of the page before, with the same table and key; without it, the first page.',
  }),
  from: momentSchema.optional().meta({ description: 'Without it, an hour before `to`.' }),
  to: momentSchema.optional().meta({ description: 'Without it, the end of what is stored.' }),
});

const rowSchema = z
  .object({
    values: z.record(z.string(), z.string().nullable()).meta({ description: 'Texts, as the server writes them.' }),
    unchanged: z.array(z.string()).meta({
      description: 'Columns with large values that the update left as they were: the WAL does not contain them.',
    }),
    cut: z.array(z.string()).meta({ description: 'Columns of which the first 2,000 characters are shown.' }),
    masked: z.array(z.string()).meta({ description: 'Columns with a rule of masking: their values are not shown.' }),
  })
  .nullable();

export const rowChangesSchema = z
  .object({
    database: databaseIdSchema,
    table: z.string(),
    from: z.iso.datetime(),
    to: z.iso.datetime(),
    names: z
      .array(z.object({ table: z.string(), until_lsn: z.string() }))
      .meta({ description: 'What the table was called before, and until which commit.' }),
    items: z
      .array(
        z.object({
          at: z.iso.datetime().meta({ description: 'When it was committed; restore to a moment before it.' }),
          transaction: z.string().meta({ description: 'For `POST restore` with `"inclusive": false`.' }),
          lsn: z.string().meta({ description: 'End of the commit.' }),
          table: z.string().meta({ description: 'As it was called then; of a partitioned table, the partition.' }),
          operation: z.enum(['insert', 'update', 'delete', 'truncate']),
          before: rowSchema.meta({
            description:
              'As far as the replica identity has it: the key, where it changed or the row was deleted; the whole row with REPLICA IDENTITY FULL. null: the WAL does not contain it.',
          }),
          after: rowSchema.meta({ description: 'null where the row was removed.' }),
        }),
      )
      .meta({ description: 'In the order of the commits.' }),
    next_cursor: z.string().nullable().meta({
      description:
        'Ask for the next page with it; null on the last page. A page may be short, or empty, as the time is over.',
    }),
    not_looked_at: z
      .array(z.object({ from: z.iso.datetime(), to: z.iso.datetime(), reason: z.string() }))
      .meta({ description: 'Parts of the time of which nothing is known, and why.' }),
    notes: z.array(z.string()).meta({ description: 'What may be missing, in words.' }),
  })
  .meta({ id: 'RowChanges', description: 'What happened to a row, or to the rows of a table.' });

export type RowChangesAnswer = z.output<typeof rowChangesSchema>;
