import * as z from 'zod';
import { databaseIdSchema } from '../../configuration/runtime.ts';

/** `?database=` of lists and of what starts a job. */
export const databaseQuerySchema = z.strictObject({
  database: databaseIdSchema
    .optional()
    .meta({ description: 'Id of a configured database; without it, the first configured one.', examples: ['shop'] }),
});

const MAX_PAGE = 200;
const DEFAULT_PAGE = 50;

/** Query of a list that is read page by page. */
export const pageQuerySchema = databaseQuerySchema.extend({
  limit: z
    .preprocess(
      // Only plain digits: a coercion would also take '', '1e2' and '0x10'.
      (value) => (typeof value === 'string' && /^\d{1,9}$/.test(value) ? Number(value) : value),
      z
        .int({ error: `must be a whole number from 1 to ${MAX_PAGE}` })
        .min(1)
        .max(MAX_PAGE),
    )
    .default(DEFAULT_PAGE)
    .meta({ description: `How many entries a page holds at most; ${DEFAULT_PAGE} without it.` }),
  cursor: z
    .string()
    .min(1)
    .max(1024)
    .optional()
    .meta({ description: '`next_cursor` of the page before; without it, the first page.' }),
});

/** A page of a list, newest first. */
export function pageOf<Item extends z.ZodType>(item: Item) {
  return z.object({
    items: z.array(item),
    next_cursor: z.string().nullable().meta({ description: 'Ask for the next page with it; null on the last page.' }),
  });
}

/** An error answer (RFC 9457, `application/problem+json`). */
export const problemSchema = z
  .object({
    type: z.string().meta({ description: 'Names the kind of problem: `urn:problem:<code>`.' }),
    title: z.string().meta({ description: 'The status in words.' }),
    status: z.int(),
    code: z.string().meta({ description: 'Stable and machine-readable.' }),
    detail: z.string().meta({ description: 'The cause in words.' }),
    next_step: z.string().optional().meta({ description: 'What to do about it.' }),
    instance: z.string().meta({ description: 'Id of the request; the log names it too.' }),
    errors: z
      .array(z.object({ field: z.string(), message: z.string() }))
      .optional()
      .meta({ description: 'The failing fields, as `path.*`, `query.*`, `body.*` or `headers.*`.' }),
  })
  .meta({
    id: 'Problem',
    description: 'An error answer (RFC 9457).',
    examples: [
      {
        type: 'urn:problem:invalid_request',
        title: 'Bad Request',
        status: 400,
        code: 'invalid_request',
        detail: 'The request does not fit the contract: body.custom_name',
        next_step: 'Correct the fields named in errors.',
        instance: '8f5c6b0e-4f0f-4df4-8f0b-1f8d7d3c9a52',
        errors: [{ field: 'body.custom_name', message: 'starts with a letter or digit' }],
      },
    ],
  });

export type Problem = z.output<typeof problemSchema>;
