import { GetCommand, QueryCommand, UpdateCommand } from '@aws-sdk/lib-dynamodb';
import * as z from 'zod';
import { levelSchema } from '../contract/schemas/health.ts';
import { type StateTable, setExpression, stateKeys, wasWritten } from '../state/table.ts';

const numberOrNull = z.number().nullable();

/** One alert's news, as a mail tells it. */
export const mailSubjectSchema = z.object({
  alert_id: z.string(),
  database: z.string().nullable(),
  event: z.enum(['opened', 'raised', 'escalated', 'resolved']),
  level: levelSchema,
  title: z.string(),
  value: numberOrNull,
  threshold: numberOrNull,
  unit: z.string(),
  what_to_do: z.string(),
  detail: z.string().nullable(),
  /** The last values, oldest first. */
  recent: z.array(z.number()),
  at: z.iso.datetime(),
});

const mailSchema = z.object({
  /** Alert and change that it tells of: there is one mail for each. */
  id: z.string(),
  /** More than one in a digest. */
  subjects: z.array(mailSubjectSchema).min(1),
  digest: z.boolean(),
  status: z.enum(['waiting', 'sending', 'sent', 'failed', 'unknown', 'returned']),
  attempts: z.int(),
  /** Milliseconds since the epoch before which it is not sent. */
  not_before: z.number(),
  /** When the attempt under way began. */
  sending_since: numberOrNull,
  error: z.string().nullable(),
  message_id: z.string().nullable(),
});

export type MailSubject = z.output<typeof mailSubjectSchema>;
export type Mail = z.output<typeof mailSchema>;

const COLLECTION = 'MAILS';
/** Mails are kept for a while to be looked at. */
const KEPT_SECONDS = 30 * 86_400;
const mailKey = (id: string) => ({ pk: `MAIL#${id}`, sk: 'MAIL' });

/** Name of the tag by which SES's events tell which mail they are about; values take few characters. */
export const MAIL_TAG = 'mail';
export const tagOf = ({ id }: Pick<Mail, 'id'>): string => Buffer.from(id).toString('base64url');

/** The mail of a tag's value; null for one that is gone, or was never one. */
export async function mailOfTag(table: StateTable, tag: string | undefined): Promise<Mail | null> {
  const id = Buffer.from(tag ?? '', 'base64url').toString();
  if (id === '') return null;
  const { Item } = await table.documents.send(new GetCommand({ TableName: table.name, Key: mailKey(id) }));
  return Item ? mailSchema.parse(Item) : null;
}

/** Notes that a mail that SES had taken did not reach everybody. */
export async function markReturned(table: StateTable, id: string, error: string): Promise<void> {
  const set = setExpression({ status: 'returned', error } satisfies Partial<Mail>);
  await wasWritten(
    table.documents.send(
      new UpdateCommand({
        TableName: table.name,
        Key: mailKey(id),
        ...set,
        ConditionExpression: 'attribute_exists(pk)',
      }),
    ),
  );
}

/** A mail that waits, as it is stored: in the collection only until it is settled. */
export function waitingMail(
  id: string,
  subjects: MailSubject[],
  { digest = false, notBefore, now }: { digest?: boolean; notBefore: number; now: number },
): Record<string, unknown> {
  const mail: Mail = {
    id,
    subjects,
    digest,
    status: 'waiting',
    attempts: 0,
    not_before: notBefore,
    sending_since: null,
    error: null,
    message_id: null,
  };
  const expires = Math.ceil(notBefore / 1000) + KEPT_SECONDS;
  return {
    ...mailKey(id),
    collection: COLLECTION,
    sort: `${new Date(now).toISOString()}#${id}`,
    ...mail,
    [stateKeys.timeToLive]: expires,
  };
}

/** Mails that are not settled, the oldest first. */
export async function unsettledMails(table: StateTable, limit: number): Promise<Mail[]> {
  const { Items = [] } = await table.documents.send(
    new QueryCommand({
      TableName: table.name,
      IndexName: stateKeys.index,
      KeyConditionExpression: '#collection = :mails',
      ExpressionAttributeNames: { '#collection': stateKeys.indexPartition },
      ExpressionAttributeValues: { ':mails': COLLECTION },
      Limit: limit,
    }),
  );
  return Items.map((item) => mailSchema.parse(item));
}

/**
 * Takes a waiting mail to send it: of several senders, one.
 *
 * @returns false when another has it
 */
export function claimMail(table: StateTable, { id, attempts }: Mail, now: number): Promise<boolean> {
  return change(
    table,
    id,
    { status: 'sending', attempts: attempts + 1, sending_since: now },
    { attempts, status: 'waiting' },
  );
}

/** Notes what became of a mail that was being sent; one that `waiting` is said of is tried again. */
export async function settleMail(
  table: StateTable,
  id: string,
  attempts: number,
  outcome: Partial<Pick<Mail, 'status' | 'error' | 'message_id' | 'not_before'>>,
): Promise<void> {
  const settled = outcome.status !== 'waiting';
  await change(table, id, { ...outcome, sending_since: null }, { attempts, status: 'sending' }, settled);
}

function change(
  table: StateTable,
  id: string,
  values: Partial<Mail>,
  expected: Pick<Mail, 'attempts' | 'status'>,
  settled = false,
): Promise<boolean> {
  const set = setExpression(values);
  return wasWritten(
    table.documents.send(
      new UpdateCommand({
        TableName: table.name,
        Key: mailKey(id),
        ...set,
        UpdateExpression: `${set.UpdateExpression}${settled ? ' REMOVE #collection, #sort' : ''}`,
        ConditionExpression: '#attempts = :was_attempts AND #status = :was_status',
        ExpressionAttributeNames: {
          ...set.ExpressionAttributeNames,
          '#attempts': 'attempts',
          '#status': 'status',
          ...(settled ? { '#collection': stateKeys.indexPartition, '#sort': stateKeys.indexSort } : {}),
        },
        ExpressionAttributeValues: {
          ...set.ExpressionAttributeValues,
          ':was_attempts': expected.attempts,
          ':was_status': expected.status,
        },
      }),
    ),
  );
}
