import { existsSync } from 'node:fs';
import { readFile, rm } from 'node:fs/promises';
import * as z from 'zod';
import type { StateDisk } from '../../state-disk.ts';
import { AwsError } from '../errors.ts';
import { writeWhole } from '../state-file.ts';
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

/** An item as it was before a transaction; `before` is null for one that was not there. */
type Former = { TableName: string; Key: Record<string, unknown>; before: unknown };

/**
 * TransactWriteItems made of single writes: all are undone when one is refused. Before the first, what undoes them is written to a file, so
 * that a transaction that was cut short, or that a full disk let neither end nor undo, is undone when the tables are opened next. The caller
 * sees to it that nothing else reads or writes meanwhile.
 *
 * @throws AwsError `TransactionCanceledException` with the reason of the first refused write
 */
async function transactWrite(engine: Engine, journal: string, disk: StateDisk, input: unknown): Promise<Answer> {
  const { TransactItems: items } = writes.parse(input);
  const former: Former[] = [];
  for (const item of items) former.push(...(await formerOf(engine, item)));
  await disk.written(writeWhole(journal, JSON.stringify(former)));
  for (const [index, item] of items.entries()) {
    try {
      await write(engine, item);
    } catch (error) {
      await undo(engine, journal, former);
      if (error instanceof AwsError && error.code === 'ConditionalCheckFailedException')
        throw cancelled(items.length, index, error);
      throw error;
    }
  }
  await rm(journal);
  return {};
}

/** @throws the engine's errors; then the journal stays */
async function undo(engine: Engine, journal: string, former: readonly Former[]): Promise<void> {
  for (const { TableName, Key, before } of former.toReversed()) {
    if (before) await engine.call('PutItem', { TableName, Item: before });
    else await engine.call('DeleteItem', { TableName, Key });
  }
  await rm(journal);
}

/** What a token was sent with, and when; by the token. */
type Applied = Map<string, { request: string; at: number }>;
/** DynamoDB knows a token for ten minutes after its request was done. */
const TOKEN_MS = 600_000;

/**
 * TransactWriteItems that knows what it has applied: a request that comes again with the token of one that was, as after a lost answer,
 * is answered as that one and changes nothing. A transaction that was cut short is undone first.
 *
 * @param journal - path of the file that keeps what undoes a transaction
 * @throws AwsError as {@link transactWrite}; `IdempotentParameterMismatchException` for another request with a known token
 */
export async function openTransactions(
  engine: Engine,
  journal: string,
  disk: StateDisk,
): Promise<(input: unknown) => Promise<Answer>> {
  const undoUnfinished = async (): Promise<void> => {
    if (existsSync(journal)) await undo(engine, journal, JSON.parse(await readFile(journal, 'utf8')) as Former[]);
  };
  await undoUnfinished();
  const applied: Applied = new Map();
  return async (input) => {
    await undoUnfinished();
    const { ClientRequestToken: token } = writes.parse(input);
    if (token === undefined) return transactWrite(engine, journal, disk, input);
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
    const answer = await transactWrite(engine, journal, disk, input);
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

/** What undoes a write; nothing for one that only tests a condition. */
async function formerOf(engine: Engine, { Put, Update, Delete }: Write): Promise<Former[]> {
  const TableName = (Put ?? Update ?? Delete)?.TableName;
  if (TableName === undefined) return [];
  const Key = Put ? await keyOf(engine, TableName, Put.Item) : ((Update ?? Delete)?.Key ?? {});
  const { Item } = await engine.call('GetItem', { TableName, Key, ConsistentRead: true });
  return [{ TableName, Key, before: Item ?? null }];
}

async function write(engine: Engine, { Put, Update, Delete, ConditionCheck }: Write): Promise<void> {
  if (Put) await engine.call('PutItem', Put);
  else if (Update) await engine.call('UpdateItem', Update);
  else if (Delete) await engine.call('DeleteItem', Delete);
  else if (ConditionCheck) await testCondition(engine, ConditionCheck);
  else {
    throw new AwsError(
      'ValidationException',
      'A transaction item needs a Put, an Update, a Delete or a ConditionCheck',
    );
  }
}

/** A write that changes nothing tests the condition: the item as it is put again, or one that is not there deleted. */
async function testCondition(engine: Engine, check: NonNullable<Write['ConditionCheck']>): Promise<void> {
  const { Key, ...condition } = check;
  const { Item } = await engine.call('GetItem', { TableName: check.TableName, Key, ConsistentRead: true });
  if (Item) await engine.call('PutItem', { ...condition, Item });
  else await engine.call('DeleteItem', { ...condition, Key });
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
