import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { startIfFree, startInTurn } from '../../shared/jobs/turns.ts';
import { newJobId } from '../../shared/state/ids.ts';
import { createJobStore, type JobStore } from '../../shared/state/jobs.ts';
import { createPlaceStore, type PlaceStore } from '../../shared/state/places.ts';
import { type StateService, startState } from '../state/support.ts';
import { loggedSteps } from './support/logged-steps.ts';

let state: StateService;
let jobs: JobStore;
let places: PlaceStore;
beforeAll(async () => {
  state = await startState();
  jobs = createJobStore(state.table);
  places = createPlaceStore(state.table);
});
afterAll(() => state?.close());

const running: string[] = [];
beforeEach(async () => {
  for (const id of running.splice(0)) await jobs.succeed(id, { warnings: [] });
});

async function queued(): Promise<string> {
  const id = newJobId();
  const nothing = { requested_by: 'alice', backup_id: null, target_database: null };
  await jobs.create({ id, kind: 'backup', database: 'shop', ...nothing });
  running.push(id);
  return id;
}
const start = async (id: string, capacity = 2) => startIfFree(id, { jobs, places, capacity });

describe('a job', () => {
  it('begins while fewer run than may, and again when one has ended', async () => {
    const [one, two, three] = [await queued(), await queued(), await queued()];
    expect([await start(one), await start(two), await start(three)]).toEqual([true, true, null]);
    expect((await jobs.get(three)).status).toBe('queued');
    // A repeated step asks again.
    expect(await start(one)).toBe(true);
    await jobs.fail(two, { code: 'function_ended', message: 'It died', next_step: 'See.' });
    expect(await start(three)).toBe(true);
  });

  it('is one of no more than may run, however many ask at once', async () => {
    const ids = await Promise.all(Array.from({ length: 12 }, queued));
    const begun: string[] = [];
    // Who loses against others at the same moment asks again.
    while (begun.length < 3) {
      const waiting = ids.filter((id) => !begun.includes(id));
      const answers = await Promise.all(waiting.map(async (id) => [id, await start(id, 3)] as const));
      begun.push(...answers.flatMap(([id, started]) => (started ? [id] : [])));
    }
    expect(begun).toHaveLength(3);
    for (const id of ids.filter((each) => !begun.includes(each))) expect(await start(id, 3)).toBeNull();
  });

  it('that was cancelled while it waited does not begin, and takes no place', async () => {
    const [one, two] = [await queued(), await queued()];
    expect(await start(one, 1)).toBe(true);
    expect(await start(two, 1)).toBeNull();
    await jobs.cancel(two);
    expect(await start(two, 1)).toBe(false);
  });

  it('waits for its turn with growing pauses, and fails in words when it never comes', async () => {
    const answers = [null, null, true];
    const steps = loggedSteps();
    expect(await startInTurn(steps, async () => answers.shift() ?? null)).toBe(true);
    expect(steps.log).toEqual(['start', 'start-turn-wait-1 2', 'start-turn-1', 'start-turn-wait-2 5', 'start-turn-2']);
    const never = loggedSteps();
    await expect(startInTurn(never, async () => null)).rejects.toMatchObject({ code: 'no_turn' });
    const seconds = never.log.flatMap((line) => (line.includes('wait') ? [Number(line.split(' ')[1])] : []));
    expect(seconds.reduce((sum, each) => sum + each, 0)).toBeGreaterThan(12 * 3600);
  });
});

describe('places for workers', () => {
  it('are given as far as they go, and none when they are fewer than a backup needs', async () => {
    const [one, two, three] = [await queued(), await queued(), await queued()];
    const take = (jobId: string) => places.take('exports', { jobId, least: 3, most: 10, capacity: 14 });
    expect([await take(one), await take(two), await take(three)]).toEqual([10, 4, 0]);
    expect(await take(two)).toBe(4);
    await jobs.cancel(one);
    expect(await take(three)).toBe(10);
  });
});
