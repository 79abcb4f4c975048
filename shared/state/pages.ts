import { QueryCommand } from '@aws-sdk/lib-dynamodb';
import * as z from 'zod';
import { OperationError } from '../errors.ts';
import { type StateTable, stateKeys } from './table.ts';

export interface Page<Item> {
  items: Item[];
  next_cursor: string | null;
}

export interface PageRequest {
  limit: number;
  cursor?: string | undefined;
}

interface CollectionQuery extends PageRequest {
  /** `JOBS#<database>`, `BACKUPS#<database>`. */
  collection: string;
  /** The whole primary key of an entry, from its id. */
  keyOf: (id: string) => { pk: string; sk: string };
  idSchema: z.ZodType<string>;
  /** Only entries that have this status. */
  status?: string | undefined;
}

/** Queries of one page: a filter that matches little gives a short page and a cursor instead of reading on and on. */
const MAX_QUERIES = 20;

/** A cursor: the position after which the next page begins. */
export const encodePosition = (after: string | number): string =>
  Buffer.from(JSON.stringify({ after })).toString('base64url');

/** @throws OperationError `invalid_cursor` */
export function decodePosition<Position extends string | number>(
  cursor: string,
  schema: z.ZodType<Position>,
): Position {
  try {
    const text = Buffer.from(cursor, 'base64url').toString('utf8');
    const after = schema.parse(z.strictObject({ after: z.unknown() }).parse(JSON.parse(text)).after);
    if (encodePosition(after) === cursor) return after;
  } catch {
    // Not what this system gave out; said below.
  }
  throw new OperationError(
    'invalid_cursor',
    'The cursor is not one that this list gave',
    'Use next_cursor of the page before, unchanged.',
  );
}

/**
 * Reads one page of a collection, newest first.
 *
 * @throws OperationError `invalid_cursor`
 */
export async function queryPage(table: StateTable, query: CollectionQuery): Promise<Page<Record<string, unknown>>> {
  const { collection, keyOf, idSchema, status, limit, cursor } = query;
  // A cursor is a position (an id), not a key: whatever a caller puts into it, it stays within the asked collection.
  const after = cursor === undefined ? undefined : decodePosition(cursor, idSchema);
  let position = after === undefined ? undefined : { ...keyOf(after), collection, sort: after };
  const items: Record<string, unknown>[] = [];
  for (let queries = 0; queries < MAX_QUERIES; queries++) {
    const answer = await table.documents.send(
      new QueryCommand({
        TableName: table.name,
        IndexName: stateKeys.index,
        KeyConditionExpression: '#collection = :collection',
        ...(status === undefined ? {} : { FilterExpression: '#status = :status' }),
        ExpressionAttributeNames: {
          '#collection': stateKeys.indexPartition,
          ...(status === undefined ? {} : { '#status': 'status' }),
        },
        ExpressionAttributeValues: {
          ':collection': collection,
          ...(status === undefined ? {} : { ':status': status }),
        },
        ScanIndexForward: false,
        Limit: limit + 1,
        ...(position === undefined ? {} : { ExclusiveStartKey: position }),
      }),
    );
    items.push(...(answer.Items ?? []));
    position = answer.LastEvaluatedKey as typeof position;
    if (items.length > limit) {
      const page = items.slice(0, limit);
      return { items: page, next_cursor: encodePosition(String(page.at(-1)?.[stateKeys.indexSort])) };
    }
    if (position === undefined) return { items, next_cursor: null };
  }
  return { items, next_cursor: position === undefined ? null : encodePosition(position.sort) };
}
