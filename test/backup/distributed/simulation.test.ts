import { describe, expect, it } from 'vitest';
import { divideWork } from '../../../shared/backup/distributed/shares.ts';
import { exportTasks, workOf } from '../../../shared/backup/export/tasks.ts';
import { type Simulated, simulatedPlan, simulateExport } from '../support/simulation.ts';

/** Durable operations of one execution: https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html#durable-functions-quotas */
const OPERATIONS_QUOTA = 3000;
/** Symmetric cryptographic operations, the least of any region: https://docs.aws.amazon.com/kms/latest/developerguide/requests-per-second.html */
const KMS_QUOTA_PER_SECOND = 5500;

const TABLES = 40_000;
const TEBIBYTE = 1024;
const LARGEST = 700;

/** The same database, half and twice as large. */
const sizes = [0.5, 1, 2];

describe('a database of a terabyte, of 40,000 tables and one of 700 GB', () => {
  const simulated = new Map<number, Simulated>();
  const of = async (size: number): Promise<Simulated> => {
    const known = simulated.get(size);
    if (known) return known;
    const found = await simulateExport(simulatedPlan(TABLES * size, TEBIBYTE * size, LARGEST * size));
    simulated.set(size, found);
    return found;
  };

  it('is backed up within the quotas of the services', async () => {
    const { hours, durableOperations, kmsCalls, connections, ...one } = await of(1);
    const counts = { durableOperations, connections, kmsCalls, ...one };
    const words = Object.entries(counts).map(([name, value]) => `${name} ${Math.round(value * 100) / 100}`);
    process.stdout.write(`1 TB, at the rate that is surely reached: ${hours.toFixed(1)} h, ${words.join(', ')}\n`);
    expect(durableOperations).toBeLessThan(OPERATIONS_QUOTA / 2);
    expect(kmsCalls / (hours * 3600)).toBeLessThan(KMS_QUOTA_PER_SECOND / 10);
    expect(connections).toBeLessThanOrEqual(21);
  });

  it.each([
    'hours',
    'laneInvocations',
    'holderInvocations',
    'durableOperations',
    'objects',
    'kmsCalls',
    's3Requests',
    'dynamoWrites',
    'dollars',
  ] as const)('takes %s that grow no faster than its size', async (name) => {
    const [half, one, two] = await Promise.all(sizes.map(async (size) => (await of(size))[name]));
    if (half === undefined || one === undefined || two === undefined) throw new Error('A size is missing');
    // What a doubling adds is at most twice what the doubling before added, but for a round begun.
    const round =
      { laneInvocations: 8, holderInvocations: 4, durableOperations: 14, hours: 0.25 }[name as string] ?? 0.2 * one;
    expect(two - one).toBeLessThanOrEqual(2 * (one - half) + round);
    expect(two).toBeLessThanOrEqual(2 * one + round);
  });
});

describe('a database of 100,000 tables', () => {
  it('has a plan and shares that a function can hold in memory', () => {
    const prepared = simulatedPlan(100_000, 200, 20);
    const tasks = exportTasks(prepared);
    const shares = divideWork([...tasks.keys()], 8, (task) => workOf(tasks[task] ?? { weight: 0 }));
    expect(shares.flat()).toHaveLength(tasks.length);
    expect(tasks.length).toBeGreaterThanOrEqual(100_000);
    expect(JSON.stringify(prepared).length).toBeLessThan(64 * 1_048_576);
    expect(JSON.stringify(shares).length).toBeLessThan(1_048_576);
  });
});
