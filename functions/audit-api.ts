import { dynamodbClient, kmsClient } from '../shared/aws/clients.ts';
import { readEnvironment } from '../shared/configuration/environment.ts';
import { findDatabase, loadConfiguration } from '../shared/configuration/load.ts';
import { createApiHandler } from '../shared/http/api-handler.ts';
import { chainOf } from '../shared/security/audit/chain-names.ts';
import { readPublicKey } from '../shared/security/audit/digest.ts';
import { recordsAsCsv, recordsAsJsonLines } from '../shared/security/audit/export-records.ts';
import { listRecords } from '../shared/security/audit/list-records.ts';
import { openArchive } from '../shared/security/audit/open-archive.ts';
import { verifyChain } from '../shared/security/audit/verify-chain.ts';
import { openTable } from '../shared/state/table.ts';

const environment = readEnvironment(['auditTable', 'auditKeyArn']);
const configuration = loadConfiguration();
const table = openTable(dynamodbClient(), environment.auditTable);
const store = openArchive();

/** Of the 28 seconds of a call, those in which a chain is read. */
const READING_MS = 20_000;
const ENDING_MS = 25_000;

interface Scope {
  scope: 'database' | 'system';
  database?: string | undefined;
}

const chainNamed = ({ scope, database }: Scope): string =>
  chainOf(scope === 'system' ? null : findDatabase(configuration, database).id);

export const handler = createApiHandler('audit-api', {
  listAudit: async ({ query: { format, ...query } }) => {
    const page = await listRecords(table, chainNamed(query), query);
    if (format === 'json') return { status: 200, body: page };
    const headers: Record<string, string> = page.next_cursor === null ? {} : { 'Next-Cursor': page.next_cursor };
    return format === 'csv'
      ? { status: 200, headers, text: recordsAsCsv(page.items), contentType: 'text/csv; charset=utf-8' }
      : { status: 200, headers, text: recordsAsJsonLines(page.items), contentType: 'application/jsonl; charset=utf-8' };
  },
  verifyAudit: async ({ query }) => {
    const publicKey = await readPublicKey({ kms: kmsClient(), keyArn: environment.auditKeyArn });
    const body = await verifyChain(chainNamed(query), query, {
      table,
      store,
      publicKey,
      timeIsOver: AbortSignal.timeout(READING_MS),
      signal: AbortSignal.timeout(ENDING_MS),
    });
    return { status: 200, body };
  },
});
