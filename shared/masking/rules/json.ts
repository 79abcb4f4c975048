import * as z from 'zod';
import { readPath } from '../within/json-path.ts';
import { defineRule } from './define-rule.ts';

const MOST_PATHS = 100;
const MOST_CHARACTERS = 300;

const pathSchema = z
  .string()
  .max(MOST_CHARACTERS)
  .refine(
    (path) => readPath(path) !== null,
    'must be a path such as $.contact.email or $.people.*.email; names with dots, blanks or brackets in double quotes',
  );

/**
 * The rule of documents.
 *
 * @param leaf - the rules of their values
 */
export const jsonRuleOf = <Leaf extends z.ZodType>(leaf: Leaf) =>
  defineRule({
    name: 'json',
    summary:
      'Values at paths of a document by rules of their own; all else stays as it is. An object or array at a path is masked value for value; what a rule cannot serve becomes null.',
    options: z.strictObject({
      paths: z
        .record(pathSchema, leaf)
        .refine((paths) => Object.keys(paths).length > 0, 'must name a path')
        .refine((paths) => Object.keys(paths).length <= MOST_PATHS, `must be at most ${MOST_PATHS} paths`)
        .meta({
          description:
            'A rule for each path. `*` stands for any member, or any element of an array. Every rule but `shuffle` and `json`.',
          examples: [{ '$.contact.email': { rule: 'email' }, '$.people.*.name': { rule: 'name' } }],
        }),
    }),
    serves: ['json'],
    keepsDistinct: () => false,
  });
