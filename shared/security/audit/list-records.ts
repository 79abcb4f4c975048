import { QueryCommand } from '@aws-sdk/lib-dynamodb';
import * as z from 'zod';
import type { AuditRecord } from '../../contract/schemas/audit.ts';
import type { AuditQuery } from '../../contract/schemas/audit-trail.ts';
import { decodePosition, encodePosition, type Page } from '../../state/pages.ts';
import type { AuditTable } from './chain.ts';
import { chainPartition, recordKey, recordOf } from './record.ts';

export type RecordQuery = Pick<
  AuditQuery,
  'from' | 'to' | 'source' | 'actor' | 'operation' | 'target' | 'outcome' | 'limit' | 'cursor'
>;

/** Items that one query looks at; a filter that matches little gives a short page and a cursor instead of reading on and on. */
const LOOKED_AT = 1000;
const MAX_QUERIES = 20;
/** Lambda's answers have six megabytes at most, and CSV doubles quotation marks. */
const MOST_BYTES = 2_000_000;

const positionSchema = z.string().regex(/^\d{4}-\d{2}-\d{2}T[\d:.]+Z#\d{12}(?:\.\d{2})?$/);
/** Equality filters, by the name of the field. */
const filters = ['source', 'actor', 'operation', 'target', 'outcome'] as const;

/** The range of sort keys of a time span; both ends are within. */
export function keyRange({ from, to }: Pick<RecordQuery, 'from' | 'to'>): { first: string; last: string } {
  const iso = (time: string) => new Date(time).toISOString();
  return { first: from === undefined ? '0' : iso(from), last: to === undefined ? '~' : `${iso(to)}#~` };
}

/**
 * One page of a chain's records, newest first.
 *
 * @throws OperationError `invalid_cursor`
 */
export async function listRecords(
  table: AuditTable,
  chain: string,
  { limit, cursor, from, to, ...query }: RecordQuery,
): Promise<Page<AuditRecord>> {
  const { first, last } = keyRange({ from, to });
  // DynamoDB refuses to begin outside of what is asked for.
  const within = positionSchema.refine((key) => first <= key && key <= last);
  const after = cursor === undefined ? undefined : decodePosition(cursor, within);
  const asked = filters.filter((name) => query[name] !== undefined);
  let position = after === undefined ? undefined : { pk: chainPartition(chain), sk: after };
  const items: AuditRecord[] = [];
  let bytes = 0;
  for (let queries = 0; queries < MAX_QUERIES; queries++) {
    const answer = await table.documents.send(
      new QueryCommand({
        TableName: table.name,
        KeyConditionExpression: '#pk = :chain AND #sk BETWEEN :first AND :last',
        ...(asked.length === 0 ? {} : { FilterExpression: asked.map((name) => `#${name} = :${name}`).join(' AND ') }),
        ExpressionAttributeNames: {
          '#pk': 'pk',
          '#sk': 'sk',
          ...Object.fromEntries(asked.map((name) => [`#${name}`, name])),
        },
        ExpressionAttributeValues: {
          ':chain': chainPartition(chain),
          ':first': first,
          ':last': last,
          ...Object.fromEntries(asked.map((name) => [`:${name}`, query[name]])),
        },
        ScanIndexForward: false,
        ConsistentRead: true,
        Limit: asked.length === 0 ? limit + 1 : LOOKED_AT,
        ...(position === undefined ? {} : { ExclusiveStartKey: position }),
      }),
    );
    for (const record of (answer.Items ?? []).flatMap((item) => recordOf(item) ?? [])) {
      const previous = items.at(-1);
      bytes += JSON.stringify(record).length;
      if (previous && (items.length === limit || bytes > MOST_BYTES)) {
        return { items, next_cursor: encodePosition(recordKey(previous).sk) };
      }
      items.push(record);
    }
    position = answer.LastEvaluatedKey as typeof position;
    if (position === undefined) return { items, next_cursor: null };
  }
  return { items, next_cursor: position === undefined ? null : encodePosition(position.sk) };
}
