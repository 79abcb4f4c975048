import { defineRoute } from './define-route.ts';
import { auditPageSchema, auditQuerySchema, verificationSchema, verifyQuerySchema } from './schemas/audit-trail.ts';
import { settingsChangeSchema, settingsViewSchema } from './schemas/security-settings.ts';

/** The routes of the audit trail and of the settings of access and audit. */
export const auditRoutes = [
  defineRoute({
    operationId: 'listAudit',
    method: 'GET',
    path: '/security/audit',
    leastRole: 'auditor',
    servedBy: 'audit-api',
    tag: 'Security',
    summary: 'List audit records',
    description:
      'Newest first: calls, steps of jobs, and what the server told of itself. A change has two records, before it begins and when it ends; a call that reads has one. Also of a database that has left the configuration.',
    query: auditQuerySchema,
    responses: {
      200: {
        description: 'A page of records.',
        schema: auditPageSchema,
        otherTypes: ['text/csv; charset=utf-8', 'application/jsonl; charset=utf-8'],
        headers: { 'Next-Cursor': 'Of a file: the cursor of the next page; absent on the last one.' },
      },
    },
  }),
  defineRoute({
    operationId: 'verifyAudit',
    method: 'GET',
    path: '/security/audit/verify',
    leastRole: 'auditor',
    servedBy: 'audit-api',
    tag: 'Security',
    summary: 'Verify the audit trail',
    description:
      'Reads the chain and its shards from the archive and the table, holds each record against its hash, the record before it, the seals and the head, and names the first that is not as it was written. `sealing` says from which time on the chain is not sealed yet.',
    query: verifyQuerySchema,
    responses: { 200: { description: 'What was found.', schema: verificationSchema } },
  }),
  defineRoute({
    operationId: 'getSecuritySettings',
    method: 'GET',
    path: '/security/settings',
    leastRole: 'auditor',
    servedBy: 'settings-api',
    tag: 'Security',
    summary: 'Show the settings of access and audit',
    description: 'With the versions before, and what the configuration says.',
    responses: { 200: { description: 'The settings.', schema: settingsViewSchema } },
  }),
  defineRoute({
    operationId: 'putSecuritySettings',
    method: 'PUT',
    path: '/security/settings',
    leastRole: 'admin',
    servedBy: 'settings-api',
    tag: 'Security',
    summary: 'Change the settings of access and audit',
    description:
      'What is not named stays as it is. What is set here goes before the configuration, and is known everywhere within some seconds. Audit that is turned off opens an alert; this call is in the audit trail all the same.',
    body: settingsChangeSchema,
    bodyExample: { version: 0, settings: { max_audit_retention_days: 365 } },
    alwaysAudited: true,
    responses: { 200: { description: 'The settings as they are now.', schema: settingsViewSchema } },
    refusals: {
      409: 'The settings were changed since that version, or calls from your own address would be refused.',
    },
  }),
] as const;
