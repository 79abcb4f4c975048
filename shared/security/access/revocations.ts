import { GetCommand, QueryCommand, UpdateCommand } from '@aws-sdk/lib-dynamodb';
import * as z from 'zod';
import type { Revocation, RevocationRequest } from '../../contract/schemas/access.ts';
import { OperationError } from '../../errors.ts';
import { type StateTable, setExpression, stateKeys, wasWritten } from '../../state/table.ts';

const storedSchema = z.object({
  jti: z.string().nullable(),
  sub: z.string().nullable(),
  before: z.iso.datetime().nullable(),
  by: z.string(),
  at: z.iso.datetime(),
});

/** A token as far as revocations speak of it. */
export interface RevocableToken {
  jti: string | null;
  sub: string;
  /** When its session began, in seconds since the epoch. */
  began: number;
}

/** No session is older than seven days (`session_max_age_minutes`): what is revoked has then ended by itself. */
const KEPT_MS = 8 * 86_400_000;
const SHOWN = 100;

const COLLECTION = 'TOKEN_REVOCATIONS';
export const REVOCATION_PREFIX = 'TOKEN_REVOCATION#';
const itemKey = (id: string) => ({ pk: `${REVOCATION_PREFIX}${id}`, sk: 'REVOCATION' });
const idOf = (kind: 'jti' | 'sub', text: string): string => `${kind}#${text}`;

/**
 * Revokes a token, or the sessions of a caller. An earlier revocation that reaches as far stays as it is.
 *
 * @throws OperationError `revocation_in_future`; the SDK's errors
 */
export async function revokeTokens(
  table: StateTable,
  { jti, sub, ...request }: RevocationRequest,
  by: string,
  now = Date.now(),
): Promise<void> {
  const at = new Date(now).toISOString();
  const isOne = jti !== undefined;
  const before = isOne ? null : new Date(request.before ?? now).toISOString();
  if (before !== null && Date.parse(before) > now) {
    throw new OperationError(
      'revocation_in_future',
      'Sessions that have not begun yet cannot be revoked',
      'Give a moment that has passed, or none for now.',
    );
  }
  const revocation: Revocation = { jti: jti ?? null, sub: sub ?? null, before, by, at };
  const id = isOne ? idOf('jti', jti) : idOf('sub', sub ?? '');
  const { ExpressionAttributeNames, ExpressionAttributeValues, UpdateExpression } = setExpression({
    ...revocation,
    [stateKeys.indexPartition]: COLLECTION,
    [stateKeys.indexSort]: `${at}#${id}`,
    [stateKeys.timeToLive]: Math.ceil((now + KEPT_MS) / 1000),
  });
  await wasWritten(
    table.documents.send(
      new UpdateCommand({
        TableName: table.name,
        Key: itemKey(id),
        UpdateExpression,
        ExpressionAttributeNames,
        ExpressionAttributeValues,
        ConditionExpression: isOne ? 'attribute_not_exists(pk)' : 'attribute_not_exists(pk) OR #before < :before',
      }),
    ),
  );
}

/** Those that still matter, the newest first. @throws the SDK's errors */
export async function listRevocations(table: StateTable, now = Date.now()): Promise<Revocation[]> {
  const { Items = [] } = await table.documents.send(
    new QueryCommand({
      TableName: table.name,
      IndexName: stateKeys.index,
      KeyConditionExpression: '#collection = :revocations',
      ExpressionAttributeNames: { '#collection': stateKeys.indexPartition },
      ExpressionAttributeValues: { ':revocations': COLLECTION },
      ScanIndexForward: false,
      Limit: SHOWN,
    }),
  );
  return z
    .array(storedSchema)
    .parse(Items)
    .filter(({ at }) => Date.parse(at) > now - KEPT_MS);
}

/** Whether a token was revoked, by itself or with its session. @throws the SDK's errors: what is not known is not let in */
export async function isRevoked(table: StateTable, { jti, sub, began }: RevocableToken): Promise<boolean> {
  const read = async (id: string): Promise<Revocation | null> => {
    const { Item } = await table.documents.send(
      new GetCommand({ TableName: table.name, Key: itemKey(id), ConsistentRead: true }),
    );
    return Item ? storedSchema.parse(Item) : null;
  };
  const [ofToken, ofCaller] = await Promise.all([jti === null ? null : read(idOf('jti', jti)), read(idOf('sub', sub))]);
  // `began` is in whole seconds: a session that began in the second of the revocation counts as older.
  return ofToken !== null || (ofCaller?.before != null && began * 1000 < Date.parse(ofCaller.before));
}
