import { z } from 'zod';
import { databaseIdSchema } from '../../configuration/runtime.ts';
import { maskSchema } from '../../masking/rules/registry.ts';
import { nameSchema, tableSchema } from './restore.ts';

const MOST_RULES = 1000;

const ruleFields = {
  column: nameSchema.meta({ description: 'The exact name of the column.' }),
  mask: maskSchema.meta({ description: 'How its values are replaced; what there is beside `rule` depends on it.' }),
};

/** What is asked for: all rules of the database, in place of the former ones. */
export const maskingChangeSchema = z.strictObject({
  version: z.int().min(0).meta({
    description: 'The `version` of the rules that this change is of. When they were changed since, it is refused.',
  }),
  rules: z
    .array(
      z.strictObject({
        table: tableSchema.meta({
          description:
            'An ordinary or partitioned table. The rule is that of its partitions, and of what inherits it, as well.',
        }),
        ...ruleFields,
      }),
    )
    .max(MOST_RULES)
    .meta({ description: 'All of them, one for each column; the former ones are gone.' }),
});

export const maskingSchema = z
  .object({
    database: databaseIdSchema,
    version: z.int().meta({ description: 'Counts the changes; 0: there were never any rules.' }),
    changed_by: z.string().nullable().meta({ description: '`sub` of who changed them last.' }),
    changed_at: z.iso.datetime().nullable(),
    rules: z.array(z.object({ table: z.object({ schema: z.string(), table: z.string() }), ...ruleFields })),
  })
  .meta({ id: 'Masking', description: 'The rules by which the values of a database are masked.' });

export type MaskingChange = z.output<typeof maskingChangeSchema>;
export type Masking = z.output<typeof maskingSchema>;
