import type { DynamoDBDocumentClient } from '@aws-sdk/lib-dynamodb';

/** A service tells its time in whole seconds; answers take a while. Clocks that differ by less agree. */
const TOLERANCE_MS = 2_500;
/** The middle of the second that an answer names. */
const HALF_A_SECOND_MS = 500;

const clocks = new WeakMap<DynamoDBDocumentClient, () => Date>();

/**
 * The time as DynamoDB has it: this machine's clock, set right by what the last answers said. Records of all machines then have times of one
 * clock, whatever their own say. Until the first answer, and where answers do not tell the time, it is this machine's.
 */
export function serviceClock(client: DynamoDBDocumentClient): () => Date {
  const known = clocks.get(client);
  if (known) return known;
  let offsetMs = 0;
  client.middlewareStack.add(
    (next) => async (args) => {
      const result = await next(args);
      const told = timeToldBy(result.response);
      const difference = told - Date.now();
      if (Math.abs(difference - offsetMs) > TOLERANCE_MS) {
        offsetMs = Math.abs(difference) > TOLERANCE_MS ? difference : 0;
      }
      return result;
    },
    // Beneath the SDK's own, which throws when the answer is an error.
    { step: 'deserialize', name: 'serviceClock', priority: 'low', override: true },
  );
  const clock = () => new Date(Date.now() + offsetMs);
  clocks.set(client, clock);
  return clock;
}

/** NaN where an answer does not tell the time: nothing is more than a tolerance away from that. */
function timeToldBy(response: unknown): number {
  const { headers = {} } = response as { headers?: Record<string, string> };
  const [, date = ''] = Object.entries(headers).find(([name]) => name.toLowerCase() === 'date') ?? [];
  return Date.parse(date) + HALF_A_SECOND_MS;
}
