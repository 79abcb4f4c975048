import * as z from 'zod';
import { defineRoute } from './define-route.ts';
import { databaseQuerySchema } from './schemas/common.ts';
import {
  complianceQuerySchema,
  complianceSchema,
  ruleIdSchema,
  waiverRequestSchema,
  waiversSchema,
} from './schemas/compliance.ts';

const ruleParams = z.strictObject({ rule: ruleIdSchema });

/** The routes of compliance. */
export const complianceRoutes = [
  defineRoute({
    operationId: 'getCompliance',
    reach: 'server',
    method: 'GET',
    path: '/security/compliance',
    leastRole: 'auditor',
    servedBy: 'compliance-api',
    tag: 'Security',
    summary: 'Get the compliance report of a database',
    description:
      'Reads the server, AWS and this system now, and judges every rule: what was found, what is expected, the exact statements that mend it, and the controls it maps to. What could not be read is `unknown`, never a pass. Each run is kept for the trend.',
    query: complianceQuerySchema,
    responses: {
      200: {
        description: 'The report.',
        schema: complianceSchema,
        otherTypes: ['text/csv; charset=utf-8', 'text/html; charset=utf-8'],
      },
    },
  }),
  defineRoute({
    operationId: 'waiveRule',
    method: 'PUT',
    path: '/security/compliance/waivers/{rule}',
    leastRole: 'admin',
    servedBy: 'settings-api',
    tag: 'Security',
    summary: 'Waive a rule for a database',
    description:
      'Until its last day the rule does not count, and every report shows the reason. It replaces an earlier one.',
    params: ruleParams,
    query: databaseQuerySchema,
    body: waiverRequestSchema,
    bodyExample: { reason: 'The replica logs in with this role until the move is done', until: '2027-03-31' },
    responses: { 200: { description: 'All waivers of the database.', schema: waiversSchema } },
    refusals: { 400: 'The last day has passed or is too far away; `errors` names the field.' },
  }),
  defineRoute({
    operationId: 'endWaiver',
    method: 'DELETE',
    path: '/security/compliance/waivers/{rule}',
    leastRole: 'admin',
    servedBy: 'settings-api',
    tag: 'Security',
    summary: 'End the waiver of a rule',
    description: 'The rule counts again.',
    params: ruleParams,
    query: databaseQuerySchema,
    responses: { 200: { description: 'All waivers of the database.', schema: waiversSchema } },
    refusals: { 404: 'There is no such rule, or it is not waived.' },
  }),
] as const;
