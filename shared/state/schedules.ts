import { GetCommand, UpdateCommand } from '@aws-sdk/lib-dynamodb';
import * as z from 'zod';
import { databaseIdSchema } from '../configuration/runtime.ts';
import { backupTypeSchema } from '../contract/schemas/backup.ts';
import { queryPage } from './pages.ts';
import { type StateTable, setExpression, wasWritten } from './table.ts';

const planSchema = z.object({
  cron: z.string(),
  time_zone: z.string(),
  enabled: z.boolean(),
  /** Absent: they are not. */
  masked: z.boolean().optional(),
});

const changedSchema = z.object({
  /** null: backups of the type do not run by themselves. */
  plan: planSchema.nullable(),
  changed_by: z.string(),
  changed_at: z.string(),
});

/** A schedule as EventBridge Scheduler was last told, and since when it has been so. */
const appliedSchema = planSchema.extend({ since: z.string() });

const storedSchema = z.object({
  database: databaseIdSchema,
  version: z.int().default(0),
  /** What was changed through the API; any other type is as configured. */
  changed: z.partialRecord(backupTypeSchema, changedSchema).default({}),
  applied: z.partialRecord(backupTypeSchema, appliedSchema).default({}),
});

/** When backups of one type run. */
export type Plan = z.output<typeof planSchema>;
export type AppliedPlan = z.output<typeof appliedSchema>;
export type StoredSchedules = z.output<typeof storedSchema>;

export interface ScheduleStore {
  /** What is stored of a database's schedules; version 0 when there is nothing. */
  read(database: string): Promise<StoredSchedules>;
  /** @returns false when the stored version is not `version` (any more), and nothing is changed */
  change(database: string, version: number, changed: StoredSchedules['changed']): Promise<boolean>;
  recordApplied(database: string, applied: StoredSchedules['applied']): Promise<void>;
  /** Every database of which there is something stored. */
  databases(): Promise<string[]>;
}

const COLLECTION = 'SCHEDULES';
const PAGE = 500;

export const SCHEDULES_PREFIX = 'SCHEDULES#';
const scheduleKey = (database: string): { pk: string; sk: string } => ({
  pk: `${SCHEDULES_PREFIX}${database}`,
  sk: 'SCHEDULES',
});

export function createScheduleStore(table: StateTable): ScheduleStore {
  const update = (database: string, values: Record<string, unknown>, condition?: string, at?: number) => {
    const set = setExpression({ ...values, database, collection: COLLECTION, sort: database });
    const send = table.documents.send(
      new UpdateCommand({
        TableName: table.name,
        Key: scheduleKey(database),
        ...set,
        ...(condition ? { ConditionExpression: condition } : {}),
        ExpressionAttributeValues: { ...set.ExpressionAttributeValues, ...(condition && at ? { ':at': at } : {}) },
      }),
    );
    return wasWritten(send);
  };
  return {
    async read(database) {
      const { Item } = await table.documents.send(
        new GetCommand({ TableName: table.name, Key: scheduleKey(database), ConsistentRead: true }),
      );
      return storedSchema.parse(Item ?? { database });
    },
    change: (database, version, changed) =>
      update(
        database,
        { version: version + 1, changed },
        version === 0 ? 'attribute_not_exists(#version)' : '#version = :at',
        version,
      ),
    async recordApplied(database, applied) {
      await update(database, { applied });
    },
    async databases() {
      const found: string[] = [];
      let cursor: string | undefined;
      do {
        const request = { collection: COLLECTION, keyOf: scheduleKey, idSchema: databaseIdSchema, limit: PAGE, cursor };
        const page = await queryPage(table, request);
        found.push(...page.items.map((item) => storedSchema.parse(item).database));
        cursor = page.next_cursor ?? undefined;
      } while (cursor !== undefined);
      return found;
    },
  };
}
