import type { LogEvents } from '../../../aws/read-subscription.ts';
import type { RuntimeConfiguration } from '../../../configuration/runtime.ts';
import type { Auditor } from '../auditor.ts';
import { readLogLine } from './read-line.ts';
import { splitLine } from './split-line.ts';

/** Records that are handed over at a time: the chain takes them in few transactions. */
const AT_A_TIME = 100;
/** What a line says. That the server's log has it is known, and no more: sessions choose some of its words. */
const CLAIMED = ['actor', 'operation', 'target', 'address', 'outcome', 'error', 'request'];

/**
 * Takes what a server's log tells of logins and statements into the trail of its database. CloudWatch may send a line twice: both have
 * its id.
 *
 * @returns how many records were appended, and how many lines were of a known format: none of many, and the log is not read at all
 * @throws OperationError `audit_unavailable`: the delivery is then to be repeated
 */
export async function ingestLog(
  { logGroup, events }: LogEvents,
  { auditor, databases }: { auditor: Auditor; databases: RuntimeConfiguration['databases'] },
): Promise<{ records: number; readable: number }> {
  const onServer = databases.filter(({ log_group }) => log_group === logGroup);
  let readable = 0;
  const told = events.flatMap(({ id, at, message }) => {
    const split = splitLine(message);
    if (split) readable += 1;
    const line = split && readLogLine(split);
    if (!line || onServer.length === 0) return [];
    const { databaseName, outcome, error, request, ...who } = line;
    // A login to another database of the server is told in the trail of the first: it is the server's.
    const database = onServer.find(({ name }) => name === databaseName) ?? onServer[0];
    const told = { ...(request as object | null), database: databaseName, logged_at: at.toISOString() };
    const subject = {
      source: 'database',
      ...who,
      database: database?.id ?? null,
      request_id: id,
      request: told,
      claimed: CLAIMED,
    } as const;
    return [{ subject, outcome: { outcome, error } }];
  });
  for (let start = 0; start < told.length; start += AT_A_TIME) {
    const group = told.slice(start, start + AT_A_TIME);
    await Promise.all(group.map(({ subject, outcome }) => auditor.happened(subject, outcome)));
  }
  return { records: told.length, readable };
}
