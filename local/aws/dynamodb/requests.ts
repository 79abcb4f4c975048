import * as z from 'zod';
import { encryptionContext, type Permissions, via } from '../../iam/access.ts';
import type { Context } from '../../iam/conditions.ts';
import type { AccessRequest } from '../../iam/evaluate.ts';
import { localAccount, localArn } from '../account.ts';

const attributes = z.record(z.string(), z.unknown());
const single = z.looseObject({
  TableName: z.string(),
  IndexName: z.string().optional(),
  Key: attributes.optional(),
  Item: attributes.optional(),
  KeyConditionExpression: z.string().optional(),
  ExpressionAttributeNames: z.record(z.string(), z.string()).default({}),
  ExpressionAttributeValues: attributes.default({}),
});
const transaction = z.looseObject({ TransactItems: z.array(z.record(z.string(), single)) });
const batch = z.looseObject({ RequestItems: z.record(z.string(), z.unknown()) });

type Single = z.output<typeof single>;

/** The right that each part of a transaction needs. */
const transacted: Readonly<Record<string, string>> = {
  Put: 'PutItem',
  Update: 'UpdateItem',
  Delete: 'DeleteItem',
  ConditionCheck: 'ConditionCheckItem',
  Get: 'GetItem',
};

/**
 * The rights that a call needs: each part of a transaction on its own, and the use of the table's key. Nothing for a call of another form,
 * which the operation refuses.
 */
export function dynamoDbRequests(operation: string, input: unknown, tables: Permissions['tables']): AccessRequest[] {
  const parts = transaction.safeParse(input);
  if (parts.success) {
    const enclosing = { 'dynamodb:EnclosingOperation': operation };
    return parts.data.TransactItems.flatMap((item) =>
      Object.entries(item).flatMap(([kind, part]) => requestsOf(transacted[kind] ?? kind, part, tables, enclosing)),
    );
  }
  const batched = batch.safeParse(input);
  if (batched.success) {
    return Object.keys(batched.data.RequestItems).flatMap((TableName) =>
      requestsOf(operation, single.parse({ TableName }), tables, {}),
    );
  }
  const one = single.safeParse(input);
  if (one.success) return requestsOf(operation, one.data, tables, {});
  return operation === 'ListTables' ? [{ action: 'dynamodb:ListTables', resource: '*' }] : [];
}

function requestsOf(operation: string, call: Single, tables: Permissions['tables'], more: Context): AccessRequest[] {
  const { TableName, IndexName } = call;
  const { partitionKeys, keyArn } = tables[TableName] ?? {};
  const leading = leadingKey(call, partitionKeys?.[IndexName ?? '']);
  const resource = localArn('dynamodb', `table/${TableName}${IndexName === undefined ? '' : `/index/${IndexName}`}`);
  const context = { ...more, ...(leading === undefined ? {} : { 'dynamodb:LeadingKeys': [leading] }) };
  const decryption = {
    ...via('dynamodb'),
    ...encryptionContext({ 'aws:dynamodb:tableName': TableName, 'aws:dynamodb:subscriberId': localAccount.accountId }),
  };
  return [
    { action: `dynamodb:${operation}`, resource, context },
    ...(keyArn === undefined || !/Item$|^Query$|^Scan$/.test(operation)
      ? []
      : [{ action: 'kms:Decrypt', resource: keyArn, context: decryption }]),
  ];
}

/** The value of the partition key that a call names. */
function leadingKey(call: Single, partitionKey: string | undefined): string | undefined {
  if (partitionKey === undefined) return undefined;
  const { Key, Item, KeyConditionExpression, ExpressionAttributeNames, ExpressionAttributeValues } = call;
  if (KeyConditionExpression === undefined) return textOf((Key ?? Item)?.[partitionKey]);
  for (const [, name = '', value = ''] of KeyConditionExpression.matchAll(/([#\w]+)\s*=\s*(:\w+)/g)) {
    if ((ExpressionAttributeNames[name] ?? name) === partitionKey) return textOf(ExpressionAttributeValues[value]);
  }
  return undefined;
}

const textOf = (value: unknown): string | undefined => z.object({ S: z.string() }).safeParse(value).data?.S;
