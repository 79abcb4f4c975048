import { GetCommand, UpdateCommand } from '@aws-sdk/lib-dynamodb';
import * as z from 'zod';
import { longestWaiverDays, type Waiver, type WaiverRequest } from '../../contract/schemas/compliance.ts';
import { OperationError } from '../../errors.ts';
import { type StateTable, wasWritten } from '../../state/table.ts';
import { ruleIds } from './registry.ts';

const storedSchema = z.object({
  waivers: z.record(z.string(), z.object({ reason: z.string(), until: z.string(), by: z.string(), at: z.string() })),
});

export const WAIVERS_PREFIX = 'COMPLIANCE_WAIVERS#';
const keyOf = (database: string) => ({ pk: `${WAIVERS_PREFIX}${database}`, sk: 'WAIVERS' });
const DAY_MS = 86_400_000;

/** Waivers of a database by rule, those included that have ended. */
export async function readWaivers(table: StateTable, database: string): Promise<Record<string, Waiver>> {
  const { Item } = await table.documents.send(
    new GetCommand({ TableName: table.name, Key: keyOf(database), ConsistentRead: true }),
  );
  return Item ? storedSchema.parse(Item).waivers : {};
}

/** Whether a waiver holds: up to the end of its last day (UTC). @param now - milliseconds since the epoch */
export function holds({ until }: Waiver, now: number): boolean {
  return now < Date.parse(`${until}T00:00:00Z`) + DAY_MS;
}

/**
 * Waives a rule for a database.
 *
 * @throws OperationError `unknown_rule` or `waiver_end`
 */
export async function waiveRule(
  table: StateTable,
  { database, rule, by, request }: { database: string; rule: string; by: string; request: WaiverRequest },
  now = Date.now(),
): Promise<void> {
  assertKnown(rule);
  const waiver = { ...request, by, at: new Date(now).toISOString() };
  const days = (Date.parse(request.until) - now) / DAY_MS;
  if (!holds(waiver, now) || days > longestWaiverDays) {
    throw new OperationError(
      'waiver_end',
      `A waiver ends today at the earliest, and in ${longestWaiverDays} days at the latest`,
      'Give another last day; a waiver can be renewed.',
    );
  }
  // A map must be there before something can be put into it.
  const update = { TableName: table.name, Key: keyOf(database) };
  await table.documents.send(
    new UpdateCommand({
      ...update,
      UpdateExpression: 'SET #waivers = if_not_exists(#waivers, :none)',
      ExpressionAttributeNames: { '#waivers': 'waivers' },
      ExpressionAttributeValues: { ':none': {} },
    }),
  );
  await table.documents.send(
    new UpdateCommand({
      ...update,
      UpdateExpression: 'SET #waivers.#rule = :waiver',
      ExpressionAttributeNames: { '#waivers': 'waivers', '#rule': rule },
      ExpressionAttributeValues: { ':waiver': waiver },
    }),
  );
}

/** @throws OperationError `unknown_rule` or `not_waived` */
export async function endWaiver(table: StateTable, database: string, rule: string): Promise<void> {
  assertKnown(rule);
  const removed = await wasWritten(
    table.documents.send(
      new UpdateCommand({
        TableName: table.name,
        Key: keyOf(database),
        UpdateExpression: 'REMOVE #waivers.#rule',
        ConditionExpression: 'attribute_exists(#waivers.#rule)',
        ExpressionAttributeNames: { '#waivers': 'waivers', '#rule': rule },
      }),
    ),
  );
  if (!removed) {
    throw new OperationError(
      'not_waived',
      `The rule ${rule} is not waived for ${database}`,
      'Look at the report for waivers.',
    );
  }
}

function assertKnown(rule: string): void {
  if (ruleIds.includes(rule)) return;
  throw new OperationError('unknown_rule', `There is no rule ${rule}`, 'GET /security/compliance names every rule.');
}
