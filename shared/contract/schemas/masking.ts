import * as z from 'zod';
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

export const changedMaskingSchema = maskingSchema
  .extend({
    warnings: z.array(z.string()).meta({
      description:
        'What masked backups will warn of as well: constraints that were not tried, as they call functions that are not of PostgreSQL, and texts in definitions.',
    }),
  })
  .meta({ id: 'ChangedMasking', description: 'The rules after a change.' });

export const personalDataSchema = z
  .object({
    database: databaseIdSchema,
    findings: z
      .array(
        z.object({
          table: z.object({ schema: z.string(), table: z.string() }),
          column: z.string(),
          kind: z.string().meta({ description: 'What it holds, as far as one can tell.', examples: ['email'] }),
          confidence: z.number().meta({ description: 'From 0 to 1, of its name and its values together.' }),
          sampled: z.int().meta({ description: 'Values that were looked at; 0: the name alone speaks.' }),
          mask: maskSchema.nullable().meta({
            description: 'A rule that fits its type and its keys, together with the other proposals; null: none does.',
          }),
          problem: z.string().nullable().meta({ description: 'Why no rule is proposed; null where one is.' }),
          is_masked: z.boolean().meta({ description: 'Whether it has a rule already.' }),
        }),
      )
      .meta({ description: 'The surest first. No value is told.' }),
    tables: z.int().meta({ description: 'Tables that were looked at.' }),
    tables_left: z.int().meta({
      description: 'Of them, those of which only the names of columns were: they could not be read, or not in time.',
    }),
    findings_left: z.int().meta({ description: 'Findings beyond the first 5000, which the answer does not hold.' }),
    rules_checked: z.boolean().meta({
      description:
        'Whether `PUT security/masking` with all proposals was found to fit the database; false: there was no time to hold them against it.',
    }),
  })
  .meta({ id: 'PersonalData', description: 'Columns that seem to hold personal data.' });

export type PersonalData = z.output<typeof personalDataSchema>;
export type MaskingChange = z.output<typeof maskingChangeSchema>;
export type Masking = z.output<typeof maskingSchema>;
