import { GetCommand, PutCommand, UpdateCommand } from '@aws-sdk/lib-dynamodb';
import * as z from 'zod';
import type { BackupType } from '../contract/schemas/backup.ts';
import { DAY_MS } from '../time.ts';
import { queryPage } from './pages.ts';
import { type StateTable, setExpression, stateKeys, wasWritten } from './table.ts';

/** A schedule of a database and type of backup. */
export interface ScheduleName {
  database: string;
  backupType: BackupType;
}

const runSchema = z.object({
  due_at: z.iso.datetime(),
  /** `started`: the job tells the rest. */
  outcome: z.enum(['started', 'skipped', 'missed']),
  started_at: z.string().nullable(),
  /** The durable execution that it is; null for one that never came. */
  execution: z.string().nullable(),
  job_id: z.string().nullable(),
  backup_id: z.string().nullable(),
  /** Why it was skipped, when no other backup was in its way. */
  reason: z.string().nullable().default(null),
});

export type RecordedRun = z.output<typeof runSchema>;

/** The execution that was last let in to take the backup of a schedule. */
export interface Turn {
  execution: string;
  taken_at: string;
}

export interface ScheduleRunStore {
  /**
   * Records a run that has come; again for the same execution is no change.
   *
   * @returns false when another execution is this run: EventBridge Scheduler delivers at least once
   */
  receive(schedule: ScheduleName, dueAt: string, execution: string): Promise<boolean>;
  /** Notes what came of a run. */
  conclude(schedule: ScheduleName, dueAt: string, end: Partial<Omit<RecordedRun, 'due_at'>>): Promise<void>;
  /** Records a run that never came. @returns false when it has come, or is recorded already */
  recordMissed(schedule: ScheduleName, dueAt: string): Promise<boolean>;
  /** The latest runs, newest first. */
  latest(schedule: ScheduleName, limit: number): Promise<RecordedRun[]>;
  /** Who has the turn. */
  turn(schedule: ScheduleName): Promise<Turn | null>;
  /** Takes the turn over from who had it. @returns false when somebody else was quicker */
  takeTurn(schedule: ScheduleName, from: Turn | null, execution: string): Promise<boolean>;
}

/** Runs are forgotten some time after nobody asks for them any more; see shared/schedules/missed.ts. */
const KEPT_DAYS = 100;

const partition = ({ database, backupType }: ScheduleName): string => `SCHEDULE#${database}#${backupType}`;
const runKey = (schedule: ScheduleName, dueAt: string) => ({ pk: partition(schedule), sk: `RUN#${dueAt}` });
const turnKey = (schedule: ScheduleName) => ({ pk: partition(schedule), sk: 'TURN' });

export function createScheduleRunStore(table: StateTable, now: () => Date = () => new Date()): ScheduleRunStore {
  const put = (schedule: ScheduleName, run: RecordedRun, condition: string, values: Record<string, unknown> = {}) =>
    wasWritten(
      table.documents.send(
        new PutCommand({
          TableName: table.name,
          Item: {
            ...runKey(schedule, run.due_at),
            collection: `RUNS#${schedule.database}#${schedule.backupType}`,
            sort: run.due_at,
            [stateKeys.timeToLive]: Math.floor((now().getTime() + KEPT_DAYS * DAY_MS) / 1000),
            ...run,
          },
          ConditionExpression: condition,
          ...(Object.keys(values).length > 0 ? { ExpressionAttributeValues: values } : {}),
        }),
      ),
    );
  const nothing = { started_at: null, execution: null, job_id: null, backup_id: null, reason: null };

  return {
    receive: (schedule, due_at, execution) =>
      put(
        schedule,
        { ...nothing, due_at, outcome: 'started', started_at: now().toISOString(), execution },
        'attribute_not_exists(pk) OR outcome = :missed OR execution = :execution',
        { ':missed': 'missed', ':execution': execution },
      ),
    async conclude(schedule, dueAt, end) {
      await table.documents.send(
        new UpdateCommand({ TableName: table.name, Key: runKey(schedule, dueAt), ...setExpression(end) }),
      );
    },
    recordMissed: (schedule, due_at) =>
      put(schedule, { ...nothing, due_at, outcome: 'missed' }, 'attribute_not_exists(pk)'),
    async latest(schedule, limit) {
      const page = await queryPage(table, {
        collection: `RUNS#${schedule.database}#${schedule.backupType}`,
        keyOf: (dueAt) => runKey(schedule, dueAt),
        idSchema: z.string(),
        limit,
      });
      return page.items.map((item) => runSchema.parse(item));
    },
    async turn(schedule) {
      const { Item } = await table.documents.send(
        new GetCommand({ TableName: table.name, Key: turnKey(schedule), ConsistentRead: true }),
      );
      return Item ? z.object({ execution: z.string(), taken_at: z.string() }).parse(Item) : null;
    },
    takeTurn: (schedule, from, execution) =>
      wasWritten(
        table.documents.send(
          new PutCommand({
            TableName: table.name,
            Item: { ...turnKey(schedule), execution, taken_at: now().toISOString() },
            ConditionExpression: from === null ? 'attribute_not_exists(pk)' : 'execution = :from',
            ...(from === null ? {} : { ExpressionAttributeValues: { ':from': from.execution } }),
          }),
        ),
      ),
  };
}
