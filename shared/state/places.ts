import { GetCommand, UpdateCommand } from '@aws-sdk/lib-dynamodb';
import * as z from 'zod';
import { createJobStore, isEnded } from './jobs.ts';
import { type StateTable, wasWritten } from './table.ts';

/** What there is a limited number of: jobs that run at the same time, and invocations that distributed backups share. */
export type PlaceKind = 'jobs' | 'exports';

export interface PlaceRequest {
  /** Who takes them; what a job holds is free again when the job has ended, however it ended. */
  jobId: string;
  /** With fewer, the job takes none. */
  least: number;
  most: number;
  /** How many there are in all. */
  capacity: number;
}

export interface PlaceStore {
  /** @returns how many the job has now, also when it took them before; 0: too few are free */
  take(kind: PlaceKind, request: PlaceRequest): Promise<number>;
}

const itemSchema = z.object({ revision: z.number(), holders: z.record(z.string(), z.number()) });

/** Others who write at the same time; each lets one of them through. */
const MAX_CONFLICTS = 8;

const sum = (numbers: Iterable<number>): number => [...numbers].reduce((total, each) => total + each, 0);

/** Places that jobs hold, in one item of the State table for each kind. */
export function createPlaceStore(table: StateTable): PlaceStore {
  const jobs = createJobStore(table);

  async function read(kind: PlaceKind): Promise<z.output<typeof itemSchema>> {
    const Key = { pk: `PLACES#${kind}`, sk: 'PLACES' };
    const { Item } = await table.documents.send(new GetCommand({ TableName: table.name, Key, ConsistentRead: true }));
    return Item ? itemSchema.parse(Item) : { revision: 0, holders: {} };
  }

  const write = (kind: PlaceKind, revision: number, holders: Record<string, number>): Promise<boolean> =>
    wasWritten(
      table.documents.send(
        new UpdateCommand({
          TableName: table.name,
          Key: { pk: `PLACES#${kind}`, sk: 'PLACES' },
          UpdateExpression: 'SET #revision = :next, #holders = :holders',
          ConditionExpression: revision === 0 ? 'attribute_not_exists(pk)' : '#revision = :revision',
          ExpressionAttributeNames: { '#revision': 'revision', '#holders': 'holders' },
          ExpressionAttributeValues: {
            ':next': revision + 1,
            ':holders': holders,
            ...(revision === 0 ? {} : { ':revision': revision }),
          },
        }),
      ),
    );

  /** Nobody gives places back, who might die before: whoever needs them looks which jobs have ended. */
  async function stillHeld(holders: Record<string, number>): Promise<Record<string, number>> {
    const found = await Promise.all(
      Object.entries(holders).map(async ([id, places]) => {
        const job = await jobs.find(id);
        return job === null || isEnded(job) ? [] : [[id, places] as const];
      }),
    );
    return Object.fromEntries(found.flat());
  }

  return {
    async take(kind, { jobId, least, most, capacity }) {
      for (let conflicts = 0; conflicts < MAX_CONFLICTS; conflicts++) {
        const { revision, holders } = await read(kind);
        const own = holders[jobId];
        if (own !== undefined) return own;
        const isFull = capacity - sum(Object.values(holders)) < most;
        const held = isFull ? await stillHeld(holders) : holders;
        const places = Math.min(most, capacity - sum(Object.values(held)));
        if (places < least) return 0;
        if (await write(kind, revision, { ...held, [jobId]: places })) return places;
      }
      return 0;
    },
  };
}
