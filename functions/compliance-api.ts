import { findDatabase } from '../shared/configuration/load.ts';
import { createApiHandler } from '../shared/http/api-handler.ts';
import { asCsv } from '../shared/security/compliance/csv.ts';
import { asPage, reportPolicy } from '../shared/security/compliance/html.ts';
import { reportCompliance } from '../shared/security/compliance/report.ts';
import { configuration, readDependencies } from './compliance/dependencies.ts';

/** All ends before API Gateway gives up waiting. */
const REPORT_MS = 22_000;

export const handler = createApiHandler('compliance-api', {
  getCompliance: async ({ query }) => {
    const database = findDatabase(configuration, query.database);
    const report = await reportCompliance(database, readDependencies(database, AbortSignal.timeout(REPORT_MS)));
    if (query.format === 'json') return { status: 200, body: report };
    const name = `compliance-${report.database}-${report.at.slice(0, 10)}`;
    if (query.format === 'csv') {
      const headers = { 'Content-Disposition': `attachment; filename="${name}.csv"` };
      return { status: 200, headers, text: asCsv(report), contentType: 'text/csv; charset=utf-8' };
    }
    const headers = { 'Content-Security-Policy': reportPolicy };
    return { status: 200, headers, text: asPage(report), contentType: 'text/html; charset=utf-8' };
  },
});
