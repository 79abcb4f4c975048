import { dynamodbClient, kmsClient } from '../shared/aws/clients.ts';
import { serviceClock } from '../shared/aws/service-clock.ts';
import { readEnvironment } from '../shared/configuration/environment.ts';
import { findDatabase, loadConfiguration } from '../shared/configuration/load.ts';
import { createApiHandler } from '../shared/http/api-handler.ts';
import { chainOf } from '../shared/security/audit/chain-names.ts';
import { recordsAsCsv, recordsAsJsonLines } from '../shared/security/audit/export-records.ts';
import { readHeads } from '../shared/security/audit/heads.ts';
import { listRecords } from '../shared/security/audit/list-records.ts';
import { openArchive } from '../shared/security/audit/open-archive.ts';
import { readPublicKey } from '../shared/security/audit/signature.ts';
import { verifyChain } from '../shared/security/audit/verify-chain.ts';
import { openTable } from '../shared/state/table.ts';

const environment = readEnvironment(['auditTable', 'auditKeyArn']);
const configuration = loadConfiguration();
const table = openTable(dynamodbClient(), environment.auditTable);
const clock = serviceClock(table.documents);
const store = openArchive();

/** Of the 28 seconds of a call, those in which a chain is read. */
const READING_MS = 20_000;
const ENDING_MS = 25_000;

interface Scope {
  scope: 'database' | 'system';
  database?: string | undefined;
}

/** Also of a database that was in the configuration: its records stay. @throws OperationError `unknown_database` */
async function chainNamed({ scope, database }: Scope): Promise<string> {
  if (scope === 'system') return chainOf(null);
  const isConfigured = database === undefined || configuration.databases.some(({ id }) => id === database);
  if (!isConfigured && (await readHeads(table, chainOf(database))).size > 0) return chainOf(database);
  return chainOf(findDatabase(configuration, database).id);
}

export const handler = createApiHandler('audit-api', {
  listAudit: async ({ query: { format, ...query } }) => {
    const page = await listRecords(table, await chainNamed(query), query);
    if (format === 'json') return { status: 200, body: page };
    const headers: Record<string, string> = page.next_cursor === null ? {} : { 'Next-Cursor': page.next_cursor };
    return format === 'csv'
      ? { status: 200, headers, text: recordsAsCsv(page.items), contentType: 'text/csv; charset=utf-8' }
      : { status: 200, headers, text: recordsAsJsonLines(page.items), contentType: 'application/jsonl; charset=utf-8' };
  },
  verifyAudit: async ({ query }) => {
    const chain = await chainNamed(query);
    const publicKey = await readPublicKey({ kms: kmsClient(), keyArn: environment.auditKeyArn });
    const body = await verifyChain(chain, query, {
      table,
      store,
      publicKey,
      timeIsOver: AbortSignal.timeout(READING_MS),
      signal: AbortSignal.timeout(ENDING_MS),
      now: clock(),
    });
    return { status: 200, body };
  },
});
