import * as z from 'zod';
import { ALL_KINDS, defineRule, writeText } from './define-rule.ts';

export const nullRule = defineRule({
  name: 'null',
  summary: 'NULL in place of every value.',
  options: z.strictObject({}),
  serves: ALL_KINDS,
  // To a unique key NULLs differ from each other, unless it says otherwise; that is looked at where keys are.
  keepsDistinct: () => false,
  refusal: (_, { isNullable }) => (isNullable ? null : 'the column is NOT NULL'),
  make: () => () => -1,
});

const MOST_CHARACTERS = 500;

export const fixedRule = defineRule({
  name: 'fixed',
  summary: 'The same value in place of every value that is not NULL.',
  options: z.strictObject({
    value: z
      .string()
      .max(MOST_CHARACTERS)
      .refine((text) => text.isWellFormed() && !text.includes('\0'), 'must be Unicode text without NUL characters')
      .meta({ description: "The value as text in PostgreSQL's own form.", examples: ['{}'] }),
  }),
  serves: ALL_KINDS,
  keepsDistinct: () => false,
  refusal: ({ value }, { maxCharacters }) =>
    maxCharacters !== null && [...value].length > maxCharacters
      ? `the value has ${[...value].length} characters, the column has ${maxCharacters}`
      : null,
  make({ value }) {
    const text = Buffer.from(value);
    return (_source, _from, _to, out, at) => writeText(text, out, at);
  },
});

export const shuffleRule = defineRule({
  name: 'shuffle',
  summary:
    'The values of other rows that are exported together with it. They are real ones: use it where a value says nothing without its row.',
  options: z.strictObject({}),
  serves: ALL_KINDS,
  // Of a key of several columns, two rows could get the same values; and what refers to a key would refer to another row.
  keepsDistinct: () => false,
});
