import { defineRoute } from './define-route.ts';
import { databaseQuerySchema } from './schemas/common.ts';
import { changedMaskingSchema, maskingChangeSchema, maskingSchema, personalDataSchema } from './schemas/masking.ts';

/** The routes of masking; masked backups are asked for with those of the backups. */
export const maskingRoutes = [
  defineRoute({
    operationId: 'getMasking',
    method: 'GET',
    path: '/security/masking',
    leastRole: 'operator',
    servedBy: 'masking-api',
    tag: 'Security',
    summary: 'Show the rules of masking',
    description: 'Which columns of the database are masked in masked backups, and how.',
    query: databaseQuerySchema,
    responses: { 200: { description: 'The rules.', schema: maskingSchema } },
  }),
  defineRoute({
    operationId: 'changeMasking',
    method: 'PUT',
    path: '/security/masking',
    leastRole: 'admin',
    servedBy: 'masking-api',
    tag: 'Security',
    summary: 'Change the rules of masking',
    description:
      "Puts rules in place of the former ones. They are held against the database first: types, lengths, NOT NULL, unique and exclusion constraints, foreign keys, partition keys; and some rows of each table are masked and held against its CHECK constraints and domains, except those that call functions of the database: `warnings` names these. With one problem, nothing is changed, and the answer names all of them. The same value becomes the same one in all tables of all databases, by a key that only the deployment's KMS key opens.",
    query: databaseQuerySchema,
    body: maskingChangeSchema,
    bodyExample: {
      version: 0,
      rules: [
        { table: 'shop.customers', column: 'email', mask: { rule: 'email' } },
        { table: 'shop.customers', column: 'name', mask: { rule: 'name', part: 'full' } },
      ],
    },
    responses: { 200: { description: 'The rules as they are now.', schema: changedMaskingSchema } },
    refusals: {
      409: 'The rules were changed since that version, or do not fit the database; all problems are named in `errors`.',
      503: 'The server or KMS is out of reach.',
    },
  }),
  defineRoute({
    operationId: 'findPersonalData',
    method: 'POST',
    path: '/security/masking/find',
    leastRole: 'admin',
    servedBy: 'masking-api',
    tag: 'Security',
    summary: 'Find columns with personal data',
    description:
      'Looks at the names of columns and at some hundred rows of each table: e-mail addresses, telephone numbers, cards and IBANs by their check digits, numbers of persons of several countries, addresses, IP addresses, names, dates of birth, free text. Proposes a rule for each, with its confidence; changes nothing, and tells no value.',
    query: databaseQuerySchema,
    responses: { 200: { description: 'What was found.', schema: personalDataSchema } },
    refusals: { 503: 'The server is out of reach.' },
  }),
] as const;
