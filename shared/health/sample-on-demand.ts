import { setTimeout as sleep } from 'node:timers/promises';
import { InvokeCommand, type LambdaClient } from '@aws-sdk/client-lambda';
import { PutCommand } from '@aws-sdk/lib-dynamodb';
import { type StateTable, stateKeys, wasWritten } from '../state/table.ts';
import { readWatch, type WatchState } from './sample-store.ts';

/** Asks the sampler for a round now; resolves when it was asked, not when it is done. */
export type AskSampler = (signal: AbortSignal) => Promise<void>;

/** Beginning of the keys of the items that say when somebody asked last. */
export const ASKED_PREFIX = 'ASKED#';

/** What the sampler is started with when somebody asks, in place of EventBridge's event. */
const ON_DEMAND = { on_demand: true };

export function samplerOf(lambda: LambdaClient, functionArn: string): AskSampler {
  return async (abortSignal) => {
    const Payload = Buffer.from(JSON.stringify(ON_DEMAND));
    await lambda.send(new InvokeCommand({ FunctionName: functionArn, InvocationType: 'Event', Payload }), {
      abortSignal,
    });
  };
}

export interface OnDemand {
  table: StateTable;
  database: string;
  isFresh: (state: WatchState) => boolean;
  ask: AskSampler;
  /** How long is waited for a sample, milliseconds. */
  withinMs?: number;
  pollMs?: number;
}

/** A caller waits so long at most: a cold start, two attempts to connect, and the sample itself. */
const WITHIN_MS = 12_000;
const POLL_MS = 250;
/** Of many who ask at a time, one starts the sampler. */
const ASK_AGAIN_MS = 10_000;

/**
 * What is known of a database, sampled now where the last sample is too old. The sampler alone reads the database and writes samples; who
 * asks only waits for it, and no longer than is said.
 *
 * @returns the state, and why it is not fresh; null when it is
 */
export async function watchOnDemand({
  table,
  database,
  isFresh,
  ask,
  withinMs = WITHIN_MS,
  pollMs = POLL_MS,
}: OnDemand): Promise<{ state: WatchState; unsampled: string | null }> {
  const until = Date.now() + withinMs;
  let state = await readWatch(table, database);
  if (isFresh(state)) return { state, unsampled: null };
  const failure = (await mayAsk(table, database)) ? await reasonOf(ask(AbortSignal.timeout(withinMs / 2))) : null;
  while (failure === null && Date.now() + pollMs < until) {
    await sleep(pollMs);
    state = await readWatch(table, database);
    if (isFresh(state)) return { state, unsampled: null };
  }
  const unsampled =
    failure === null
      ? `The sampler was asked and has stored no sample within ${withinMs / 1000} s; it is asked each minute as well`
      : `The sampler could not be asked (${failure}); it is asked each minute as well`;
  return { state, unsampled };
}

/** Whether nobody has asked for a sample just now. */
async function mayAsk(table: StateTable, database: string): Promise<boolean> {
  const now = Date.now();
  return wasWritten(
    table.documents.send(
      new PutCommand({
        TableName: table.name,
        Item: {
          pk: `${ASKED_PREFIX}${database}`,
          sk: 'ASKED',
          at: now,
          [stateKeys.timeToLive]: Math.ceil(now / 1000) + 3_600,
        },
        ConditionExpression: 'attribute_not_exists(pk) OR #at < :before',
        ExpressionAttributeNames: { '#at': 'at' },
        ExpressionAttributeValues: { ':before': now - ASK_AGAIN_MS },
      }),
    ),
  );
}

async function reasonOf(asking: Promise<void>): Promise<string | null> {
  try {
    await asking;
    return null;
  } catch (error) {
    return (error as Error).name;
  }
}
