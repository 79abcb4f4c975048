import { z } from 'zod';
import { AwsError } from '../errors.ts';
import type { Answer, Engine } from './engine.ts';

const attributes = z.record(z.string(), z.unknown());
const conditioned = z.looseObject({ TableName: z.string() });
const keyed = conditioned.extend({ Key: attributes });

const writes = z.object({
  ClientRequestToken: z.string().min(1).max(36).optional(),
  TransactItems: z
    .array(
      z.object({
        Put: conditioned.extend({ Item: attributes }).optional(),
        Update: keyed.optional(),
        Delete: keyed.optional(),
        ConditionCheck: keyed.optional(),
      }),
    )
    .min(1)
    .max(100),
});
const reads = z.object({
  TransactItems: z
    .array(z.object({ Get: keyed }))
    .min(1)
    .max(100),
});

type Write = z.output<typeof writes>['TransactItems'][number];
type Undo = () => Promise<unknown>;

/**
 * TransactWriteItems made of single writes: each is undone when a later one is refused. The caller sees to it that nothing
 * else reads or writes meanwhile.
 *
 * @throws AwsError `TransactionCanceledException` with the reason of the first refused write
 */
async function transactWrite(engine: Engine, input: unknown): Promise<Answer> {
  const { TransactItems: items } = writes.parse(input);
  const undos: Undo[] = [];
  for (const [index, item] of items.entries()) {
    try {
      undos.push(await write(engine, item));
    } catch (error) {
      for (const undo of undos.reverse()) await undo();
      if (error instanceof AwsError && error.code === 'ConditionalCheckFailedException')
        throw cancelled(items.length, index, error);
      throw error;
    }
  }
  return {};
}

/** What a token was sent with, and when; by the token. */
type Applied = Map<string, { request: string; at: number }>;
/** DynamoDB knows a token for ten minutes after its request was done. */
const TOKEN_MS = 600_000;

/**
 * TransactWriteItems that knows what it has applied: a request that comes again with the token of one that was, as after a lost answer,
 * is answered as that one and changes nothing.
 *
 * @throws AwsError as {@link transactWrite}; `IdempotentParameterMismatchException` for another request with a known token
 */
export function createTransactWrite(engine: Engine): (input: unknown) => Promise<Answer> {
  const applied: Applied = new Map();
  return async (input) => {
    const { ClientRequestToken: token } = writes.parse(input);
    if (token === undefined) return transactWrite(engine, input);
    for (const [old, { at }] of applied) {
      if (at > Date.now() - TOKEN_MS) break;
      applied.delete(old);
    }
    const request = JSON.stringify(input);
    const known = applied.get(token);
    if (known && known.request !== request) {
      throw new AwsError('IdempotentParameterMismatchException', 'The token was sent before, with another request');
    }
    if (known) return {};
    const answer = await transactWrite(engine, input);
    applied.set(token, { request, at: Date.now() });
    return answer;
  };
}

/** Reads several items as of one moment; the same holds for the caller. */
export async function transactGet(engine: Engine, input: unknown): Promise<Answer> {
  const { TransactItems } = reads.parse(input);
  const answers: Answer[] = [];
  for (const { Get } of TransactItems) answers.push(await engine.call('GetItem', { ...Get, ConsistentRead: true }));
  return { Responses: answers.map(({ Item }) => ({ Item })) };
}

async function write(engine: Engine, { Put, Update, Delete, ConditionCheck }: Write): Promise<Undo> {
  if (Put) {
    const { Attributes: before } = await engine.call('PutItem', { ...Put, ReturnValues: 'ALL_OLD' });
    const Key = await keyOf(engine, Put.TableName, Put.Item);
    return () => putBack(engine, Put.TableName, Key, before);
  }
  if (Update) {
    const { Attributes: before } = await engine.call('UpdateItem', { ...Update, ReturnValues: 'ALL_OLD' });
    return () => putBack(engine, Update.TableName, Update.Key, before);
  }
  if (Delete) {
    const { Attributes: before } = await engine.call('DeleteItem', { ...Delete, ReturnValues: 'ALL_OLD' });
    return () => putBack(engine, Delete.TableName, Delete.Key, before);
  }
  if (!ConditionCheck)
    throw new AwsError(
      'ValidationException',
      'A transaction item needs a Put, an Update, a Delete or a ConditionCheck',
    );
  // A write that changes nothing tests the condition: the item as it is put again, or one that is not there deleted.
  const { Key, ...condition } = ConditionCheck;
  const { Item } = await engine.call('GetItem', { TableName: ConditionCheck.TableName, Key, ConsistentRead: true });
  if (Item) await engine.call('PutItem', { ...condition, Item });
  else await engine.call('DeleteItem', { ...condition, Key });
  return async () => undefined;
}

async function putBack(engine: Engine, TableName: string, Key: object, before: unknown): Promise<void> {
  if (before) await engine.call('PutItem', { TableName, Item: before });
  else await engine.call('DeleteItem', { TableName, Key });
}

const describedTable = z.object({ Table: z.object({ KeySchema: z.array(z.object({ AttributeName: z.string() })) }) });

/** The primary key among an item's attributes. */
export async function keyOf(
  engine: Engine,
  TableName: string,
  item: Readonly<Record<string, unknown>>,
): Promise<Record<string, unknown>> {
  const { Table } = describedTable.parse(await engine.call('DescribeTable', { TableName }));
  return Object.fromEntries(Table.KeySchema.map(({ AttributeName }) => [AttributeName, item[AttributeName]]));
}

function cancelled(count: number, refused: number, { message }: AwsError): AwsError {
  const reasons = Array.from({ length: count }, (_, index) =>
    index === refused ? { Code: 'ConditionalCheckFailed', Message: message } : { Code: 'None' },
  );
  const codes = reasons.map(({ Code }) => Code).join(', ');
  return new AwsError(
    'TransactionCanceledException',
    `Transaction cancelled, please refer cancellation reasons for specific reasons [${codes}]`,
    400,
    {
      CancellationReasons: reasons,
    },
  );
}
