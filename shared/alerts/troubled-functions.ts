import { DeleteCommand, PutCommand, QueryCommand } from '@aws-sdk/lib-dynamodb';
import type { RuntimeConfiguration } from '../configuration/runtime.ts';
import { newAlertId } from '../state/ids.ts';
import { type StateTable, wasWritten } from '../state/table.ts';
import { alertOfCause, getAlert, type NewAlert, openAlert, resolveAlert } from './alert-store.ts';
import type { FunctionTrouble, TroubledFunction } from './function-reports.ts';
import { mailAbout, mailSubject } from './news.ts';

export interface TroubleDependencies {
  table: StateTable;
  configuration: Pick<RuntimeConfiguration, 'alert_emails'>;
}

/** The partition of the functions that have an alert now. The sampler reads it as a range. */
export const FUNCTIONS_PARTITION = 'FUNCTIONS';
/** An alert is over when its trouble has not been seen for this long. */
export const QUIET_MS = 600_000;
/** Items read at a time: a deployment has some forty functions, and three troubles for each. */
const MOST_TROUBLES = 200;

const titles: Record<FunctionTrouble, string> = {
  errors: 'A function failed',
  duration: 'A function takes long',
  throttles: 'A function was held back',
};

const whatToDo: Record<FunctionTrouble, string> = {
  errors: 'Look into the log of the function, and at the events in its dead-letter queue.',
  duration: 'Look into the log of the function: what it waited for. Its next run may not end in its time.',
  throttles:
    "Lambda did not start it: the account's concurrent executions were used up. Ask for a higher quota, or find the function that takes them all.",
};

/** These alerts are mailed at any hour: they are about this system itself. */
const RULES = { quiet_hours: null, time_zone: 'UTC' };

/**
 * Opens an alert for each troubled function that has none, and remembers when it was last seen.
 *
 * @returns the alerts that were opened
 */
export async function openTroubles(
  { table, configuration }: TroubleDependencies,
  troubled: readonly TroubledFunction[],
): Promise<string[]> {
  const opened: string[] = [];
  for (const { name, trouble, at, detail } of troubled) {
    const alert: NewAlert = {
      id: newAlertId(),
      database: null,
      cause: causeOf(name, trouble),
      title: titles[trouble],
      level: 'ERROR',
      value: null,
      threshold: null,
      unit: 'None',
      what_to_do: whatToDo[trouble],
      detail: `${name}: ${detail}`,
    };
    const mail = mailAbout(mailSubject(alert, 'opened', [], at.getTime()), RULES, configuration, at.getTime());
    const answer = await openAlert(table, alert, mail, at);
    if (answer.opened) opened.push(answer.id);
    await table.documents.send(
      new PutCommand({ TableName: table.name, Item: { ...keyOf(name, trouble), last_seen_at: at.getTime() } }),
    );
  }
  return opened;
}

/** What is remembered of troubled functions: an item for each trouble, and one while throttled-functions.ts looks after the account. */
export type TroubleItem = { pk: string; sk: string; last_seen_at?: number; looked_at?: number };

export async function readTroubles(table: StateTable): Promise<TroubleItem[]> {
  const { Items = [] } = await table.documents.send(
    new QueryCommand({
      TableName: table.name,
      KeyConditionExpression: 'pk = :pk',
      ExpressionAttributeValues: { ':pk': FUNCTIONS_PARTITION },
      Limit: MOST_TROUBLES,
    }),
  );
  return Items as TroubleItem[];
}

/**
 * Resolves the alerts of functions whose trouble has not been seen for a while.
 *
 * @returns the alerts that were resolved
 */
export async function endQuietTroubles(
  { table, configuration }: TroubleDependencies,
  items: readonly TroubleItem[],
  now = Date.now(),
): Promise<string[]> {
  const resolved: string[] = [];
  for (const { pk, sk, last_seen_at } of items) {
    if (last_seen_at === undefined || now - Number(last_seen_at) < QUIET_MS) continue;
    const [name = '', trouble] = String(sk).split('#');
    const id = await alertOfCause(table, { database: null, cause: causeOf(name, trouble as FunctionTrouble) });
    if (id !== null) {
      const standing = { ...(await getAlert(table, id)), value: null };
      const mail = mailAbout(mailSubject(standing, 'resolved', [], now), RULES, configuration, now);
      if (await resolveAlert(table, standing, mail, new Date(now))) resolved.push(id);
    }
    // Seen again meanwhile, it has an item, and an alert, of its own.
    await wasWritten(
      table.documents.send(
        new DeleteCommand({
          TableName: table.name,
          Key: { pk, sk },
          ConditionExpression: 'last_seen_at = :seen',
          ExpressionAttributeValues: { ':seen': last_seen_at },
        }),
      ),
    );
  }
  return resolved;
}

const causeOf = (name: string, trouble: FunctionTrouble) => `function:${name}/${trouble}`;
const keyOf = (name: string, trouble: FunctionTrouble) => ({ pk: FUNCTIONS_PARTITION, sk: `${name}#${trouble}` });
