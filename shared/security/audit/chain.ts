import { randomInt, randomUUID } from 'node:crypto';
import { DynamoDBServiceException, TransactionCanceledException } from '@aws-sdk/client-dynamodb';
import { TransactWriteCommand } from '@aws-sdk/lib-dynamodb';
import * as z from 'zod';
import { serviceClock } from '../../aws/service-clock.ts';
import { type AuditEntry, type AuditRecord, SHARDS } from '../../contract/schemas/audit.ts';
import { OperationError } from '../../errors.ts';
import type { StateTable } from '../../state/table.ts';
import { DAY_MS } from '../../time.ts';
import { readHead } from './heads.ts';
import { CHAINS_PARTITION, type ChainHead, headKey, linkRecords, recordItem, type Shard } from './record.ts';

/** The Audit table: to its functions it only grows. */
export type AuditTable = StateTable;

/** Code of the failure that keeps an operation from being begun. */
export const AUDIT_UNAVAILABLE = 'audit_unavailable';

/** Records that one transaction appends; DynamoDB takes a hundred items of four megabytes in all. */
const MOST_AT_ONCE = 25;
/** How long an append waits for its turn. An API call has 28 seconds in all. */
const PATIENCE_MS = 18_000;
/**
 * Random waits between two tries, up to a limit that doubles: of 200 writers at a time each must try about once a second, or they
 * do little but get in each other's way.
 */
const FIRST_WAIT_MS = 10;
const LONGEST_WAIT_MS = 2000;
/** Shards that a writer tries before it waits as well. */
const MOVES_WITHOUT_WAIT = 3;
/** Requests of one transaction, each with the SDK's own repetitions, until somebody knows what became of it. */
const MOST_QUESTIONS = 4;

export interface Chain {
  /**
   * Appends one record. Those that are waiting in this process go in one transaction.
   *
   * @param keepDays - after so long the table need not have it any more
   * @throws OperationError `audit_unavailable`, when it was not appended for certain, or nobody knows
   */
  append(entry: AuditEntry, keepDays: number): Promise<AuditRecord>;
}

interface Waiting {
  entry: AuditEntry;
  keepDays: number;
  resolve(record: AuditRecord): void;
  reject(error: unknown): void;
}

/** Where a writer appends. */
interface Place {
  shard: Shard;
  /** Where it tries next, when another writer was faster so many times. @returns rounds of waiting before that */
  lost(times: number): { shard: Shard; waits: number };
}

/**
 * One chain, as this process appends to it. Of writers that append at the same time each finds the head that another has moved,
 * and tries again behind it.
 *
 * @param now - the clock that records are dated with
 * @param patienceMs - how long an append waits for its turn before it fails
 */
export function openChain(table: AuditTable, chain: string, now?: () => Date, patienceMs?: number): Chain {
  const place: Place = { shard: undefined, lost: (times) => ({ shard: undefined, waits: times }) };
  return openWriter(table, chain, place, now, patienceMs);
}

/**
 * The shards of one chain, as this process appends to them: it stays in one as long as nobody else appends there at the same time, and then
 * moves to another. Writers do not wait for each other, unless there are more of them than shards.
 */
export function openShards(
  table: AuditTable,
  chain: string,
  now?: () => Date,
  patienceMs?: number,
  shards: number = SHARDS,
): Chain {
  const any = (): number => randomInt(shards);
  const lost = (times: number) => ({ shard: any(), waits: Math.max(0, times - MOVES_WITHOUT_WAIT) });
  return openWriter(table, chain, { shard: any(), lost }, now, patienceMs);
}

function openWriter(
  table: AuditTable,
  chain: string,
  { shard: firstShard, lost }: Place,
  now: () => Date = serviceClock(table.documents),
  patienceMs: number = PATIENCE_MS,
): Chain {
  let shard = firstShard;
  let head: ChainHead | null | undefined;
  let waiting: Waiting[] = [];
  let writing = false;

  /** @returns whether the records follow the head, and are stored */
  const write = async (
    records: readonly AuditRecord[],
    expires: readonly number[],
    until: number,
  ): Promise<boolean> => {
    const last = records.at(-1);
    if (!last) return true;
    const { sequence, hash, at } = last;
    const request = new TransactWriteCommand({
      // DynamoDB knows by it for ten minutes what it has stored already: the request again is the question what became of it.
      ClientRequestToken: randomUUID(),
      TransactItems: [
        {
          Put: {
            TableName: table.name,
            Item: { ...headKey(chain, shard), sequence, hash, at },
            ...(head
              ? {
                  ConditionExpression: '#hash = :hash',
                  ExpressionAttributeNames: { '#hash': 'hash' },
                  ExpressionAttributeValues: { ':hash': head.hash },
                }
              : { ConditionExpression: 'attribute_not_exists(pk)' }),
          },
        },
        ...records.map((record, index) => ({
          Put: {
            TableName: table.name,
            Item: recordItem(record, expires[index] ?? 0),
            ConditionExpression: 'attribute_not_exists(pk)',
          },
        })),
        ...(head ? [] : [{ Put: { TableName: table.name, Item: { pk: CHAINS_PARTITION, sk: chain } } }]),
      ],
    });
    for (let question = 1; ; question++) {
      try {
        await table.documents.send(request);
        return true;
      } catch (error) {
        // Nothing of this transaction was stored, by no request: it is another's turn.
        if (error instanceof TransactionCanceledException && isLost(error)) return false;
        if (isRefused(error) || question === MOST_QUESTIONS || performance.now() > until) throw error;
        await pause(question);
      }
    }
  };

  const appendAll = async (batch: readonly Waiting[]): Promise<AuditRecord[]> => {
    const until = performance.now() + patienceMs;
    for (let attempt = 1; ; attempt++) {
      if (head === undefined) head = await readHead(table, chain, shard);
      const moment = now();
      const records = linkRecords(
        chain,
        shard,
        head,
        batch.map(({ entry }) => entry),
        moment,
      );
      const expires = batch.map(({ keepDays }) => Math.ceil((moment.getTime() + keepDays * DAY_MS) / 1000));
      if (await write(records, expires, until)) {
        head = records.at(-1) ?? head;
        return records;
      }
      head = undefined;
      if (performance.now() > until) throw new Error(`Other writers were faster ${attempt} times`);
      const next = lost(attempt);
      shard = next.shard;
      if (next.waits > 0) await pause(next.waits);
    }
  };

  const work = async (): Promise<void> => {
    if (writing) return;
    writing = true;
    try {
      while (waiting.length > 0) {
        const batch = waiting.slice(0, MOST_AT_ONCE);
        waiting = waiting.slice(MOST_AT_ONCE);
        try {
          const records = await appendAll(batch);
          records.forEach((record, index) => {
            batch[index]?.resolve(record);
          });
        } catch (error) {
          // Whether anything was stored is not known: the next append looks.
          head = undefined;
          for (const { reject } of batch) reject(unavailable(chain, error));
        }
      }
    } finally {
      writing = false;
    }
  };

  return {
    append: (entry, keepDays) =>
      new Promise((resolve, reject) => {
        waiting.push({ entry, keepDays, resolve, reject });
        void work();
      }),
  };
}

/** Waits a random time before the next try. */
const pause = (attempt: number): Promise<void> =>
  new Promise((resolve) =>
    setTimeout(resolve, Math.random() * Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** attempt)),
  );

/** Whether DynamoDB has said that it does nothing; after a lost answer, or a failure of its own, nobody knows. */
function isRefused(error: unknown): boolean {
  if (!(error instanceof DynamoDBServiceException)) return false;
  return error.name !== 'TransactionInProgressException' && error.$fault === 'client' && !error.$retryable;
}

/** Whether another writer was faster, or DynamoDB has too much to do, and nothing else is wrong. */
function isLost({ CancellationReasons = [] }: TransactionCanceledException): boolean {
  const passing = ['None', 'ConditionalCheckFailed', 'TransactionConflict', 'ThrottlingError'];
  return CancellationReasons.every(({ Code = 'None' }) => passing.includes(Code));
}

function unavailable(chain: string, cause: unknown): OperationError {
  const reason = cause instanceof z.ZodError || !(cause instanceof Error) ? 'its head is no head' : cause.name;
  return new OperationError(
    AUDIT_UNAVAILABLE,
    `Nothing was done or given out, because the audit trail (${chain}) could not be written: ${reason}`,
    'Try again in a minute; if it persists, look at the Audit table, its key, and the rights of the function.',
    { cause },
  );
}
