import { GetCommand, PutCommand, QueryCommand } from '@aws-sdk/lib-dynamodb';
import type { Pooler } from '../postgres/pooler.ts';
import { pack, unpack } from '../state/packed.ts';
import { type StateTable, stateKeys, wasWritten } from '../state/table.ts';
import type { DoctorHealth } from './doctor-health.ts';
import type { MetricValues } from './metrics.ts';
import type { NotedServer } from './noted-server.ts';
import type { Suspension } from './pausing.ts';
import { type RollUp, rollUpLevels } from './roll-ups.ts';
import type { Details, SessionGroup } from './sample/read-details.ts';
import { type Counters, noSlots, type Reading } from './sample/take-reading.ts';
import type { Fits } from './trends.ts';

/** A sample as it is kept. */
export interface Sample {
  /** Milliseconds since the epoch. */
  at: number;
  values: MetricValues;
}

/** What the sampler remembers of a database from one sample to the next, and what shows its present state. */
export interface WatchState {
  /** Counts the writes, so that of two samplers only one goes on. */
  version: number;
  latest: Sample | null;
  earlier: { at: number; counters: Counters | null } | null;
  details: Details | null;
  sessions: SessionGroup[];
  slots: Reading['slots'];
  /** Processor, memory, disk, ages of backups, forecasts: what is asked for as rarely as the details. */
  slow: MetricValues;
  /** What the latest report of the doctor says is missing. */
  doctor: DoctorHealth['details'];
  /** When that was. */
  slow_at: number | null;
  /** The lines behind the forecasts. */
  fits: Fits;
  failures: Reading['failures'];
  /** Why the database could not be reached; null when it could. */
  unreachable: { code: string; message: string; next_step: string } | null;
  /** The connection pooler that the sampler has gone through; null: it met the server itself, or has not met it yet. */
  pooler: Pooler | null;
  /** What AWS says of the server; null where it does not keep it, or has not said yet. */
  server: NotedServer | null;
  /** While the database is left alone so that it can pause. */
  suspended: Suspension | null;
  /** Since when it is not reached because it may be resuming, in milliseconds since the epoch; null: it is not. */
  resumingSince: number | null;
  /** The open period of each level of roll-ups. */
  open: (RollUp | null)[];
}

export const emptyWatch: WatchState = {
  version: 0,
  latest: null,
  earlier: null,
  details: null,
  sessions: [],
  slots: noSlots,
  slow: {},
  doctor: { failing: null, limited: null },
  slow_at: null,
  fits: {},
  failures: [],
  unreachable: null,
  pooler: null,
  server: null,
  suspended: null,
  resumingSince: null,
  open: rollUpLevels.map(() => null),
};

/** Beginnings of the partition keys of samples and roll-ups: the only ones that are read as ranges. */
export const samplePartitions = ['SAMPLES#', 'ROLLUPS#'] as const;

const HOUR_MS = 3_600_000;
const watchKey = (database: string) => ({ pk: `WATCH#${database}`, sk: 'WATCH' });
const partitions = {
  samples: (database: string) => `${samplePartitions[0]}${database}`,
  rollUps: (database: string, seconds: number) => `${samplePartitions[1]}${database}#${seconds}`,
};

/** Whole seconds since the epoch at which DynamoDB may remove what was sampled at a time. */
const expiry = (at: number, retentionHours: number): number => Math.ceil((at + retentionHours * HOUR_MS) / 1000);

export async function readWatch(table: StateTable, database: string): Promise<WatchState> {
  const { Item } = await table.documents.send(
    new GetCommand({ TableName: table.name, Key: watchKey(database), ConsistentRead: true }),
  );
  return Item ? { ...emptyWatch, ...(unpack(Item.state) as Partial<WatchState>) } : emptyWatch;
}

/**
 * Writes what is remembered, if nobody else has meanwhile.
 *
 * @returns what is stored now; null when another sampler was first
 */
export async function writeWatch(table: StateTable, database: string, state: WatchState): Promise<WatchState | null> {
  const next = { ...state, version: state.version + 1 };
  const written = await wasWritten(
    table.documents.send(
      new PutCommand({
        TableName: table.name,
        Item: { ...watchKey(database), version: next.version, state: pack(next) },
        ConditionExpression: 'attribute_not_exists(pk) OR version = :version',
        ExpressionAttributeValues: { ':version': state.version },
      }),
    ),
  );
  return written ? next : null;
}

export async function putSample(
  table: StateTable,
  database: string,
  { at, values }: Sample,
  retentionHours: number,
): Promise<void> {
  const known = Object.fromEntries(Object.entries(values).filter(([, value]) => value !== null));
  await put(table, partitions.samples(database), at, { values: pack(known) }, expiry(at, retentionHours));
}

export async function putRollUp(
  table: StateTable,
  database: string,
  seconds: number,
  { at, metrics }: RollUp,
  retentionHours: number,
): Promise<void> {
  const lasts = expiry(at + seconds * 1000, retentionHours);
  await put(table, partitions.rollUps(database, seconds), at, { metrics: pack(metrics) }, lasts);
}

async function put(table: StateTable, pk: string, at: number, what: object, expires: number): Promise<void> {
  const Item = { pk, sk: new Date(at).toISOString(), ...what, [stateKeys.timeToLive]: expires };
  await table.documents.send(new PutCommand({ TableName: table.name, Item }));
}

/** The samples of a time, oldest first. DynamoDB may be late with removing: what is older than `from` is not given. */
export async function readSamples(table: StateTable, database: string, from: number, to: number): Promise<Sample[]> {
  const items = await readRange(table, partitions.samples(database), from, to);
  return items.map(({ sk, values }) => ({ at: Date.parse(String(sk)), values: unpack(values) as MetricValues }));
}

/** The closed periods of a level within a time, oldest first. */
export async function readRollUps(
  table: StateTable,
  database: string,
  seconds: number,
  from: number,
  to: number,
): Promise<RollUp[]> {
  const items = await readRange(table, partitions.rollUps(database, seconds), from, to);
  return items.map(({ sk, metrics }) => ({
    at: Date.parse(String(sk)),
    metrics: unpack(metrics) as RollUp['metrics'],
  }));
}

/** Pages of one range: far more than the levels of roll-ups lead to. */
const MOST_PAGES = 50;

async function readRange(table: StateTable, pk: string, from: number, to: number): Promise<Record<string, unknown>[]> {
  const items: Record<string, unknown>[] = [];
  let position: Record<string, unknown> | undefined;
  for (let page = 0; page < MOST_PAGES; page++) {
    const answer = await table.documents.send(
      new QueryCommand({
        TableName: table.name,
        KeyConditionExpression: 'pk = :pk AND sk BETWEEN :from AND :to',
        ExpressionAttributeValues: {
          ':pk': pk,
          ':from': new Date(from).toISOString(),
          ':to': new Date(to).toISOString(),
        },
        ...(position ? { ExclusiveStartKey: position } : {}),
      }),
    );
    items.push(...(answer.Items ?? []));
    position = answer.LastEvaluatedKey;
    if (!position) break;
  }
  return items;
}
