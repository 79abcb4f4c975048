import { TransactionCanceledException } from '@aws-sdk/client-dynamodb';
import { GetCommand, TransactWriteCommand, type TransactWriteCommandInput, UpdateCommand } from '@aws-sdk/lib-dynamodb';
import { type Alert, type AlertEvent, alertIdSchema, alertSchema } from '../contract/schemas/alert.ts';
import type { Level } from '../contract/schemas/health.ts';
import { OperationError } from '../errors.ts';
import { type Page, type PageRequest, queryPage } from '../state/pages.ts';
import { type StateTable, stateKeys, wasWritten } from '../state/table.ts';
import { DAY_MS } from '../time.ts';

type Write = NonNullable<TransactWriteCommandInput['TransactItems']>[number];

/** What an alert begins with. */
export type NewAlert = Pick<
  Alert,
  'id' | 'database' | 'cause' | 'title' | 'level' | 'value' | 'threshold' | 'unit' | 'what_to_do' | 'detail'
>;

export interface Rise {
  event: 'raised' | 'escalated';
  level: Level;
  value: number | null;
  threshold: number | null;
}

/** Who does something to an alert: the `sub` of a caller. */
export interface Actor {
  by: string;
  note?: string | undefined;
  now: Date;
}

/** How long a resolved alert stays in the list, from its end; see docs/monitoring.md. */
const RESOLVED_KEPT_DAYS = 365;

const alertKey = (id: string) => ({ pk: `ALERT#${id}`, sk: 'ALERT' });
const collectionOf = (database: string | null): string => `ALERTS#${database ?? '*'}`;
/** A cause has an item of its own while it lasts, so that of several who see it one opens the alert. */
const causeKey = ({ database, cause }: Pick<Alert, 'database' | 'cause'>) => ({
  pk: `CAUSE#${database ?? '*'}#${cause}`,
  sk: 'CAUSE',
});

async function transact(table: StateTable, writes: readonly Write[]): Promise<boolean> {
  try {
    await table.documents.send(new TransactWriteCommand({ TransactItems: [...writes] }));
    return true;
  } catch (error) {
    if (error instanceof TransactionCanceledException) {
      const refused = error.CancellationReasons?.some(({ Code }) => Code === 'ConditionalCheckFailed');
      if (refused) return false;
    }
    throw error;
  }
}

/**
 * Opens an alert, unless its cause has one already.
 *
 * @param mail - an item of the mail queue that is written with it, or none
 * @returns the id of the cause's alert, and whether it was opened now
 */
export async function openAlert(
  table: StateTable,
  alert: NewAlert,
  mail: Record<string, unknown> | null,
  now: Date,
): Promise<{ id: string; opened: boolean }> {
  const at = now.toISOString();
  const stored: Alert = {
    ...alert,
    status: 'open',
    opened_at: at,
    acknowledged_at: null,
    acknowledged_by: null,
    resolved_at: null,
    resolved_by: null,
    events: [{ at, event: 'opened', level: alert.level, value: alert.value, by: 'system', note: null }],
    mail: { status: mail ? 'waiting' : 'none', at: mail ? at : null, error: null },
  };
  const opened = await transact(table, [
    {
      Put: {
        TableName: table.name,
        Item: { ...causeKey(alert), alert_id: alert.id },
        ConditionExpression: 'attribute_not_exists(pk)',
      },
    },
    {
      Put: {
        TableName: table.name,
        Item: { ...alertKey(alert.id), collection: collectionOf(alert.database), sort: alert.id, ...stored },
      },
    },
    ...putMail(table, mail),
  ]);
  return { id: opened ? alert.id : ((await alertOfCause(table, alert)) ?? alert.id), opened };
}

/** The alert that a cause has now. */
export async function alertOfCause(
  table: StateTable,
  cause: Pick<Alert, 'database' | 'cause'>,
): Promise<string | null> {
  const { Item } = await table.documents.send(
    new GetCommand({ TableName: table.name, Key: causeKey(cause), ConsistentRead: true }),
  );
  return typeof Item?.alert_id === 'string' ? Item.alert_id : null;
}

/**
 * Raises an alert's level; with time, only while nobody has acknowledged it.
 *
 * @returns false when it is resolved, or acknowledged in that case
 */
export function raiseAlert(
  table: StateTable,
  id: string,
  { event, level, value, threshold }: Rise,
  mail: Record<string, unknown> | null,
  now: Date,
): Promise<boolean> {
  const happened = { at: now.toISOString(), event, level, value, by: 'system', note: null };
  const from: Alert['status'][] = event === 'escalated' ? ['open'] : ['open', 'acknowledged'];
  const values = { level, value, threshold, ...mailWaiting(mail, now) };
  return transact(table, [change(table, id, values, happened, from), ...putMail(table, mail)]);
}

/**
 * The cause is gone: its alert, if somebody has not resolved it before, is resolved, and it may open another.
 *
 * @returns false when the alert had been resolved by hand
 */
export async function resolveAlert(
  table: StateTable,
  alert: Pick<Alert, 'id' | 'database' | 'cause' | 'level'> & { value: number | null },
  mail: Record<string, unknown> | null,
  now: Date,
): Promise<boolean> {
  const { id, level, value } = alert;
  const at = now.toISOString();
  const happened = { at, event: 'resolved', level, value, by: 'system', note: null } as const;
  const values = { status: 'resolved', resolved_at: at, resolved_by: 'system', ...mailWaiting(mail, now) } as const;
  const removeCause: Write = {
    Delete: {
      TableName: table.name,
      Key: causeKey(alert),
      ConditionExpression: 'attribute_not_exists(pk) OR alert_id = :id',
      ExpressionAttributeValues: { ':id': id },
    },
  };
  const open: Alert['status'][] = ['open', 'acknowledged'];
  const resolved = await transact(table, [
    removeCause,
    change(table, id, values, happened, open),
    ...putMail(table, mail),
  ]);
  if (!resolved) await transact(table, [removeCause]);
  return resolved;
}

/**
 * Somebody has seen an alert: it no longer rises with time. Again is no change.
 *
 * @throws OperationError `unknown_alert` or `alert_resolved`
 */
export async function acknowledgeAlert(table: StateTable, id: string, { by, note, now }: Actor): Promise<Alert> {
  const at = now.toISOString();
  return act(table, id, ['open'], { status: 'acknowledged', acknowledged_at: at, acknowledged_by: by }, (alert) => ({
    at,
    event: 'acknowledged',
    level: alert.level,
    value: alert.value,
    by,
    note: note ?? null,
  }));
}

/**
 * Somebody has resolved an alert. While its cause lasts it does not open another.
 *
 * @throws OperationError `unknown_alert` or `alert_resolved`
 */
export async function resolveByHand(table: StateTable, id: string, { by, note, now }: Actor): Promise<Alert> {
  const at = now.toISOString();
  const values = { status: 'resolved', resolved_at: at, resolved_by: by } as const;
  return act(table, id, ['open', 'acknowledged'], values, (alert) => ({
    at,
    event: 'resolved',
    level: alert.level,
    value: alert.value,
    by,
    note: note ?? null,
  }));
}

async function act(
  table: StateTable,
  id: string,
  from: Alert['status'][],
  values: Partial<Alert>,
  happened: (alert: Alert) => AlertEvent,
): Promise<Alert> {
  const alert = await getAlert(table, id);
  const write = change(table, id, values, happened(alert), from).Update;
  if (write && (await wasWritten(table.documents.send(new UpdateCommand(write))))) return getAlert(table, id);
  const now = await getAlert(table, id);
  if (now.status === values.status && now.status !== 'resolved') return now;
  throw new OperationError('alert_resolved', `The alert ${id} is resolved`, 'Look for a newer one with GET alerts.');
}

/** @throws OperationError `unknown_alert` */
export async function getAlert(table: StateTable, id: string): Promise<Alert> {
  const { Item } = await table.documents.send(
    new GetCommand({ TableName: table.name, Key: alertKey(id), ConsistentRead: true }),
  );
  if (Item) return alertSchema.parse(Item);
  throw unknownAlert(id);
}

/** @throws OperationError `invalid_cursor` */
export async function listAlerts(
  table: StateTable,
  { database, status, limit, cursor }: PageRequest & { database: string | null; status?: Alert['status'] | undefined },
): Promise<Page<Alert>> {
  const collection = collectionOf(database);
  const page = await queryPage(table, { collection, keyOf: alertKey, idSchema: alertIdSchema, status, limit, cursor });
  return { items: page.items.map((item) => alertSchema.parse(item)), next_cursor: page.next_cursor };
}

/** Notes at an alert what became of its last mail. */
export async function recordMail(table: StateTable, id: string, mail: Alert['mail']): Promise<void> {
  await wasWritten(
    table.documents.send(
      new UpdateCommand({
        TableName: table.name,
        Key: alertKey(id),
        UpdateExpression: 'SET mail = :mail',
        ConditionExpression: 'attribute_exists(pk)',
        ExpressionAttributeValues: { ':mail': mail },
      }),
    ),
  );
}

function mailWaiting(mail: Record<string, unknown> | null, now: Date): Partial<Alert> {
  return mail ? { mail: { status: 'waiting', at: now.toISOString(), error: null } } : {};
}

function putMail(table: StateTable, mail: Record<string, unknown> | null): Write[] {
  // One mail for each alert and change: the same change a second time finds it there.
  return mail === null
    ? []
    : [{ Put: { TableName: table.name, Item: mail, ConditionExpression: 'attribute_not_exists(pk)' } }];
}

/** Changes an alert that is in one of the states `from` and adds to what has happened to it. One that is resolved expires in time. */
function change(
  table: StateTable,
  id: string,
  values: Partial<Alert>,
  happened: AlertEvent,
  from: readonly Alert['status'][],
): { Update: NonNullable<Write['Update']> } {
  const expires = Math.ceil((Date.parse(happened.at) + RESOLVED_KEPT_DAYS * DAY_MS) / 1000);
  const entries = Object.entries({
    ...values,
    ...(values.status === 'resolved' ? { [stateKeys.timeToLive]: expires } : {}),
  });
  const states = Object.fromEntries(from.map((status) => [`:from_${status}`, status]));
  return {
    Update: {
      TableName: table.name,
      Key: alertKey(id),
      UpdateExpression: `SET ${entries.map(([name]) => `#${name} = :${name}`).join(', ')}, #events = list_append(#events, :happened)`,
      ConditionExpression: `#status IN (${Object.keys(states).join(', ')})`,
      ExpressionAttributeNames: {
        ...Object.fromEntries(entries.map(([name]) => [`#${name}`, name])),
        '#events': 'events',
        '#status': 'status',
      },
      ExpressionAttributeValues: {
        ...Object.fromEntries(entries.map(([name, value]) => [`:${name}`, value])),
        ...states,
        ':happened': [happened],
      },
    },
  };
}

export const unknownAlert = (id: string): OperationError =>
  new OperationError('unknown_alert', `There is no alert ${id}`, 'List the alerts with GET alerts.');
