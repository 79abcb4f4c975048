import type { HolderEvent, LaneEvent } from '../../../shared/backup/distributed/events.ts';
import { LAST_CHUNK_SHARE, largestChunk, SURE_BYTES_PER_SECOND } from '../../../shared/backup/distributed/limits.ts';
import { divideWork } from '../../../shared/backup/distributed/shares.ts';
import { holdFor, longestHold, otherTrack } from '../../../shared/backup/distributed/turns.ts';
import type { PreparedExport } from '../../../shared/backup/export/prepare.ts';
import { exportTasks, workOf } from '../../../shared/backup/export/tasks.ts';
import type { PlannedTable } from '../../../shared/backup/plan/plan.ts';
import { runtimeConfigurationSchema } from '../../../shared/configuration/runtime.ts';
import type { DistributedSteps } from '../../../shared/jobs/attempts.ts';
import { exportDistributed } from '../../../shared/jobs/distributed-backup.ts';
import type { Track } from '../../../shared/state/exports.ts';
import { virtualClock } from './virtual-clock.ts';

const GIB = 1024 ** 3;
const PART_BYTES = 5 * 1_048_576;
/** What the benchmark's database takes in the bucket, of what its tables take on disk. */
const STORED_SHARE = 0.15;
/** A statement, a data key and an upload of one small object, in seconds: measured with the local endpoints, doubled. */
const OBJECT_SECONDS = 0.05;
/** Until an invoked function is at work: a cold start, a connection, the plan read. */
const START_SECONDS = 5;
const INVOCATION_SECONDS = 900;
/** What a lane stores of its results while it runs: every twentieth of its time. */
const STORES_PER_LANE = 16;

export interface Simulated {
  hours: number;
  rounds: number;
  laneInvocations: number;
  holderInvocations: number;
  durableOperations: number;
  connections: number;
  objects: number;
  kmsCalls: number;
  s3Requests: number;
  dynamoWrites: number;
  dollars: number;
}

/** A database of so many tables, one of which has most of the bytes; the others are as uneven as tables are. */
export function simulatedPlan(tableCount: number, gibibytes: number, largest: number): PreparedExport {
  const settings = runtimeConfigurationSchema.shape.backups.parse({});
  const weightOf = (number: number): number => 1 / (1 + ((number * 7919) % tableCount));
  const weights = Array.from({ length: tableCount }, (_, number) => (number === 0 ? 0 : weightOf(number)));
  const sum = weights.reduce((total, weight) => total + weight, 0);
  const tables = weights.map((weight, number): PlannedTable => {
    const bytes = number === 0 ? largest * GIB : Math.ceil((weight / sum) * (gibibytes - largest) * GIB);
    return {
      number,
      oid: 16_384 + number,
      schema: 'public',
      name: `table_${number}`,
      columns: ['id', 'created_at', 'name', 'amount', 'note'],
      hasColumns: true,
      condition: null,
      heapBytes: bytes,
      tableBytes: bytes,
      estimatedRows: Math.round(bytes / 150),
    };
  });
  return {
    snapshot: { transactions: '1:1:', lsn: '0/1', takenAt: '2026-01-01', serverVersion: 180_000, blockSize: 8192 },
    chunkBytes: Math.min(settings.chunk_bytes, largestChunk(INVOCATION_SECONDS * 1000, settings.connections)),
    wholeBytes: largestChunk(INVOCATION_SECONDS * 1000, settings.connections),
    tables,
    rangeable: tables.map(({ number }) => number),
    properties: { encoding: 'UTF8' } as PreparedExport['properties'],
    largeObjects: [],
    largeObjectBytes: 0,
    sequences: [],
    materializedViews: [],
    extensions: [],
    roles: [],
    types: null,
    warnings: [],
  };
}

/** Runs the product's own plan, shares, turns and rounds, where what takes time passes on a clock of its own. */
export async function simulateExport(prepared: PreparedExport): Promise<Simulated> {
  const settings = runtimeConfigurationSchema.shape.backups.parse({});
  const clock = virtualClock();
  const tasks = exportTasks(prepared);
  const taskOf = (number: number) => tasks[number] ?? { weight: 0 };
  const divide = (left: readonly number[]) => divideWork(left, settings.lanes, (number) => workOf(taskOf(number)));
  const shares: number[][][] = [[], divide([...tasks.keys()])];
  const left = new Set(tasks.keys());
  const ended = Promise.withResolvers<void>();
  const leaves: Record<Track, number | null> = { a: null, b: null };
  const count = { operations: 0, lanes: 0, holders: 0, laneSeconds: 0, holderSeconds: 0, rounds: 0, alone: 0 };

  const hold = async ({ track }: HolderEvent) => {
    const begun = clock.now();
    count.holders += 1;
    await clock.sleep(START_SECONDS);
    const other = leaves[otherTrack(track)];
    const seconds = holdFor(
      other === null ? null : other - clock.now(),
      longestHold({ whole: INVOCATION_SECONDS * 1000 }),
    );
    leaves[track] = clock.now() + seconds;
    let over = false;
    void ended.promise.then(() => {
      over = true;
    });
    await clock.sleep(seconds, ended.promise);
    // The other one has to be there for as long as the next relay takes.
    if (!over && (leaves[otherTrack(track)] ?? 0) < clock.now() + 10 * START_SECONDS) count.alone += 1;
    count.holderSeconds += clock.now() - begun;
    return { status: over ? 'ended' : 'relay' };
  };
  const work = async ({ round, lane }: LaneEvent) => {
    const begun = clock.now();
    count.lanes += 1;
    count.rounds = Math.max(count.rounds, round);
    const todo = [...(shares[round]?.[lane] ?? [])];
    const free = Array.from({ length: settings.connections }, () => START_SECONDS);
    while (todo.length > 0) {
      const next = free.indexOf(Math.min(...free));
      if ((free[next] ?? 0) > INVOCATION_SECONDS * (1 - LAST_CHUNK_SHARE)) break;
      const task = todo.shift() ?? 0;
      free[next] = (free[next] ?? 0) + OBJECT_SECONDS + taskOf(task).weight / SURE_BYTES_PER_SECOND;
      left.delete(task);
    }
    const seconds = Math.max(...free);
    if (seconds > INVOCATION_SECONDS) throw new Error('A lane did not end within its invocation');
    await clock.sleep(seconds);
    count.laneSeconds += clock.now() - begun;
    return { status: 'exported', left: todo.length };
  };
  const steps: DistributedSteps = {
    audited: (_name, work) => work(),
    async step(_name, run) {
      count.operations += 1;
      return await run();
    },
    async wait(_name, seconds) {
      count.operations += 1;
      await clock.sleep(seconds);
    },
    async invoke(_name, functionArn, input) {
      count.operations += 1;
      return functionArn === 'holder' ? hold(input as HolderEvent) : work(input as LaneEvent);
    },
    async parallel(_name, branches) {
      count.operations += 1;
      return Promise.all(branches.map((branch) => branch(steps)));
    },
  };
  const definitions = { schema: { path: '', stored_bytes: 0, sha256: '' }, pgDumpVersion: null };
  const run = exportDistributed<null>(
    steps,
    { name: 'simulated', exportId: 'simulated', operations: 2000 },
    {
      holderFunction: 'holder',
      laneFunction: 'lane',
      takeWorkers: async () => settings.lanes,
      begin: async () => undefined,
      plan: async () => {
        await clock.sleep(60);
        return { lanes: settings.lanes, definitions: null };
      },
      define: async () => {
        await clock.sleep(300);
        return definitions;
      },
      divide: async (_id, round) => {
        await clock.sleep(10);
        const before = (shares[round] ?? []).flat().length;
        shares[round + 1] = divide([...left]);
        return { left: left.size, exported: before - left.size };
      },
      finish: async () => {
        await clock.sleep(60);
        return null;
      },
      giveUp: async () => {
        throw new Error('A track was given up');
      },
      end: async () => ended.resolve(),
    },
  );
  const outcome = await clock.run(run);
  if (outcome.status === 'failed') throw new Error(outcome.error.message);
  if (left.size > 0 || count.alone > 0) throw new Error('Not everything was exported, or the snapshot was not kept');

  const stored = tasks.map(({ weight }) => weight * STORED_SHARE);
  const partsOf = (bytes: number) => (bytes < PART_BYTES ? 1 : Math.ceil(bytes / PART_BYTES) + 2);
  const written = tasks.length + count.lanes * STORES_PER_LANE + count.rounds + 3;
  const read = count.lanes * 3 + count.holders + count.rounds * (settings.lanes + 2);
  const puts = stored.reduce((sum, bytes) => sum + partsOf(bytes), written - tasks.length);
  const dynamoWrites = count.holderSeconds + count.laneSeconds / 2;
  return {
    hours: clock.now() / 3600,
    rounds: count.rounds,
    laneInvocations: count.lanes,
    holderInvocations: count.holders,
    durableOperations: count.operations,
    connections: settings.lanes * settings.connections + 5,
    objects: tasks.length + 2,
    kmsCalls: written + read,
    s3Requests: puts + read,
    dynamoWrites: Math.round(dynamoWrites),
    // On-demand prices of us-east-1: Lambda on arm64 (3 GB and 1 GB) and its durable operations, S3, KMS, DynamoDB.
    dollars:
      (count.laneSeconds * 3 + count.holderSeconds) * 0.0000133334 +
      (count.operations * 8 + dynamoWrites * 0.625) / 1e6 +
      (puts * 0.005 + read * 0.0004) / 1000 +
      ((written + read) * 0.03) / 10_000,
  };
}
