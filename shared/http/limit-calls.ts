import { countCall } from '../security/access/count-calls.ts';
import { readSecuritySettings } from '../security/settings/read-settings.ts';
import type { StateTable } from '../state/table.ts';
import type { ApiEvent } from './event.ts';
import { Refusal } from './problem.ts';

/**
 * Counts a verified caller's call. It is not counted by API Gateway, which knows callers only by keys of its own.
 *
 * @throws Refusal 429 when the caller has made too many in this minute; the SDK's errors
 */
export async function limitCalls(table: StateTable, { requestContext }: ApiEvent): Promise<void> {
  const sub = requestContext.authorizer?.sub;
  if (typeof sub !== 'string' || sub === '') return;
  const { requests_per_minute: limit } = await readSecuritySettings(table);
  const seconds = await countCall(table, sub, limit);
  if (seconds === null) return;
  throw new Refusal(
    'too_many_calls',
    `More than ${limit} calls in a minute`,
    `Wait ${seconds} seconds. An administrator sets the limit with PUT security/settings.`,
    { headers: { 'Retry-After': String(seconds) } },
  );
}
