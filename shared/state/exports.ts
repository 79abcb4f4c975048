import { GetCommand, PutCommand, UpdateCommand } from '@aws-sdk/lib-dynamodb';
import * as z from 'zod';
import { type JobError, jobErrorSchema } from '../contract/schemas/job.ts';
import { OperationError } from '../errors.ts';
import { type StateTable, stateKeys, wasWritten } from './table.ts';

/** Two holders keep a snapshot by turns; a track is the sequence of those that follow each other. */
export const trackSchema = z.enum(['a', 'b']);

const holderSchema = z.object({
  /** Counts all holders of the snapshot, from 1. */
  generation: z.number(),
  snapshot_id: z.string(),
  /** Changes as long as its session is there. */
  beat: z.number(),
  /** Seconds until it means to leave; negative when it is overdue. A duration, as the clocks of two functions may differ. */
  leaves_in: z.number(),
  /** It has locked the tables of the plan. */
  locked: z.boolean(),
});

const planSchema = z.object({
  planned_at: z.string(),
  lanes: z.number(),
  /** Of each lane. */
  connections: z.number(),
  tables: z.number(),
  rows: z.number().nullable(),
  bytes: z.number(),
});

const laneProgressSchema = z.object({ bytes: z.number(), rows: z.number(), tables: z.number() });

const exportSchema = z.object({
  id: z.string(),
  job_id: z.string(),
  backup_id: z.string(),
  database: z.string(),
  started_at: z.string(),
  /** What the first holder said of the snapshot; null until it is taken. */
  snapshot: z
    .object({
      transactions: z.string(),
      lsn: z.string().nullable(),
      lsnUnknown: z.string().optional(),
      takenAt: z.string(),
      serverVersion: z.number(),
      blockSize: z.number(),
    })
    .nullable(),
  generations: z.number(),
  holders: z.record(z.string(), holderSchema),
  /** The plan is stored: holders lock its tables. */
  plan: planSchema.nullable(),
  /** How many rounds of the lanes are over. */
  rounds: z.number(),
  /** What is stored of those. */
  done: laneProgressSchema,
  /** What each lane, by its number, has done since. */
  lanes: z.record(z.string(), laneProgressSchema),
  /** All rows are stored; what remains is the manifest. */
  finishing: z.boolean(),
  /** What went wrong with a holder, last. */
  trouble: jobErrorSchema.nullable(),
  /** Nobody holds the snapshot any more. */
  lost: z.boolean(),
  /** The snapshot is not needed any more. */
  ended: z.boolean(),
});

/** What the functions of one distributed backup tell each other. */
export type ExportState = z.output<typeof exportSchema>;
export type ExportPlan = z.output<typeof planSchema>;
export type LaneProgress = z.output<typeof laneProgressSchema>;
export type Track = z.output<typeof trackSchema>;
type Holder = z.output<typeof holderSchema>;
type Snapshot = NonNullable<ExportState['snapshot']>;

/** DynamoDB removes the record by itself some days after the longest job. */
const KEPT_SECONDS = 400 * 86_400;

export interface ExportStore {
  /** Again for one that is there is no change. */
  create(begun: Pick<ExportState, 'id' | 'job_id' | 'backup_id' | 'database'>): Promise<void>;
  /** @throws OperationError `unknown_export` */
  get(id: string): Promise<ExportState>;
  /** Publishes the first holder, and what it says of the snapshot. @returns false when another one was first */
  begin(
    id: string,
    track: Track,
    holder: Pick<Holder, 'snapshot_id' | 'leaves_in'>,
    snapshot: Snapshot,
  ): Promise<boolean>;
  /** Publishes a holder in place of the former one of its track. @returns its generation */
  publish(id: string, track: Track, holder: Pick<Holder, 'snapshot_id' | 'leaves_in'>): Promise<number>;
  /** Says that a holder is there. @returns the state as it is now; null when a later holder has its place */
  beat(id: string, track: Track, holder: Omit<Holder, 'snapshot_id'>): Promise<ExportState | null>;
  recordPlan(id: string, plan: ExportPlan): Promise<void>;
  /** A round is over; again for the same round is no change. @param done - what is stored of this round and all before */
  recordRound(id: string, round: number, done: LaneProgress): Promise<void>;
  /** @returns the state as it is now */
  reportLane(id: string, lane: number, progress: LaneProgress): Promise<ExportState>;
  recordFinishing(id: string): Promise<void>;
  recordTrouble(id: string, trouble: JobError): Promise<void>;
  markLost(id: string): Promise<void>;
  /** Lets holders and lanes end. */
  end(id: string): Promise<void>;
}

export function createExportStore(table: StateTable, now: () => Date = () => new Date()): ExportStore {
  const keyOf = (id: string) => ({ pk: `EXPORT#${id}`, sk: 'EXPORT' });
  const update = async (
    id: string,
    expression: string,
    names: Record<string, string>,
    values: Record<string, unknown>,
    condition = 'attribute_exists(pk)',
  ): Promise<ExportState> => {
    const { Attributes } = await table.documents.send(
      new UpdateCommand({
        TableName: table.name,
        Key: keyOf(id),
        UpdateExpression: expression,
        ConditionExpression: condition,
        ExpressionAttributeNames: names,
        ExpressionAttributeValues: values,
        ReturnValues: 'ALL_NEW',
      }),
    );
    return exportSchema.parse(Attributes);
  };
  const set = async (id: string, name: keyof ExportState, value: unknown): Promise<void> => {
    await update(id, 'SET #name = :value', { '#name': name }, { ':value': value });
  };
  const holderNames = (track: Track) => ({ '#holders': 'holders', '#track': track });

  return {
    async create(begun) {
      const state: ExportState = {
        ...begun,
        started_at: now().toISOString(),
        snapshot: null,
        generations: 0,
        holders: {},
        plan: null,
        rounds: 0,
        done: { bytes: 0, rows: 0, tables: 0 },
        lanes: {},
        finishing: false,
        trouble: null,
        lost: false,
        ended: false,
      };
      const expires = Math.floor(now().getTime() / 1000) + KEPT_SECONDS;
      await wasWritten(
        table.documents.send(
          new PutCommand({
            TableName: table.name,
            Item: { ...keyOf(begun.id), ...state, [stateKeys.timeToLive]: expires },
            ConditionExpression: 'attribute_not_exists(pk)',
          }),
        ),
      );
    },
    async get(id) {
      const { Item } = await table.documents.send(
        new GetCommand({ TableName: table.name, Key: keyOf(id), ConsistentRead: true }),
      );
      if (!Item) throw new OperationError('unknown_export', `No export ${id} is under way`, 'Start a new backup.');
      return exportSchema.parse(Item);
    },
    begin: (id, track, holder, snapshot) =>
      wasWritten(
        update(
          id,
          'SET #snapshot = :snapshot, #generations = :one, #holders = :holders',
          { '#snapshot': 'snapshot', '#generations': 'generations', '#holders': 'holders' },
          {
            ':snapshot': snapshot,
            ':one': 1,
            ':holders': { [track]: { ...holder, generation: 1, beat: 0, locked: false } },
            ':none': 'NULL',
          },
          'attribute_type(#snapshot, :none)',
        ),
      ),
    async publish(id, track, holder) {
      const { generations: generation } = await update(
        id,
        'ADD #generations :one',
        { '#generations': 'generations' },
        { ':one': 1 },
      );
      const published: Holder = { ...holder, generation, beat: 0, locked: false };
      await update(id, 'SET #holders.#track = :holder', holderNames(track), { ':holder': published });
      return generation;
    },
    async beat(id, track, { generation, beat, leaves_in, locked }) {
      try {
        return await update(
          id,
          'SET #holders.#track.#beat = :beat, #holders.#track.#leaves = :leaves, #holders.#track.#locked = :locked',
          {
            ...holderNames(track),
            '#beat': 'beat',
            '#leaves': 'leaves_in',
            '#locked': 'locked',
            '#generation': 'generation',
          },
          { ':beat': beat, ':leaves': leaves_in, ':locked': locked, ':generation': generation },
          '#holders.#track.#generation = :generation',
        );
      } catch (error) {
        if ((error as Error).name === 'ConditionalCheckFailedException') return null;
        throw error;
      }
    },
    recordPlan: (id, plan) => set(id, 'plan', plan),
    async recordRound(id, round, done) {
      await wasWritten(
        update(
          id,
          'SET #rounds = :round, #done = :done, #lanes = :none',
          { '#rounds': 'rounds', '#done': 'done', '#lanes': 'lanes' },
          { ':round': round, ':done': done, ':none': {} },
          '#rounds < :round',
        ),
      );
    },
    reportLane: (id, lane, progress) =>
      update(
        id,
        'SET #lanes.#lane = :progress',
        { '#lanes': 'lanes', '#lane': String(lane) },
        { ':progress': progress },
      ),
    recordFinishing: (id) => set(id, 'finishing', true),
    recordTrouble: (id, trouble) => set(id, 'trouble', trouble),
    markLost: (id) => set(id, 'lost', true),
    end: (id) => set(id, 'ended', true),
  };
}
