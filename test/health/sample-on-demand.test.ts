import { afterAll, beforeAll, expect, test } from 'vitest';
import { isFresh } from '../../shared/health/describe-health.ts';
import { type OnDemand, watchOnDemand } from '../../shared/health/sample-on-demand.ts';
import { emptyWatch, readWatch, writeWatch } from '../../shared/health/sample-store.ts';
import { type StateService, startState } from '../state/support.ts';

let state: StateService;
beforeAll(async () => {
  state = await startState();
});
afterAll(() => state?.close());

const onDemand = (database: string, more: Partial<OnDemand>) =>
  watchOnDemand({
    table: state.table,
    database,
    isFresh: (known) => isFresh(known, 30),
    ask: async () => undefined,
    withinMs: 2_000,
    pollMs: 20,
    ...more,
  });
const store = async (database: string, at: number) =>
  writeWatch(state.table, database, {
    ...(await readWatch(state.table, database)),
    latest: { at, values: { up: 1 } },
  });

test('a database that nobody has sampled is sampled by the sampler, and by nobody else', async () => {
  let asked = 0;
  const ask = async () => {
    asked += 1;
    setTimeout(() => void store('first', Date.now()), 100);
  };
  const answers = await Promise.all(Array.from({ length: 5 }, () => onDemand('first', { ask })));
  expect(asked).toBe(1);
  for (const { state: known, unsampled } of answers)
    expect([known.latest?.values, known.version, unsampled]).toEqual([{ up: 1 }, 1, null]);
  expect(await onDemand('first', { ask: () => expect.unreachable() })).toMatchObject({ unsampled: null });
});

test('a sample that is too old is replaced', async () => {
  await store('old', Date.now() - 120_000);
  const ask = async () => void (await store('old', Date.now()));
  expect((await onDemand('old', { ask })).state.latest?.at).toBeGreaterThan(Date.now() - 10_000);
});

test('a sampler that stores nothing is waited for no longer than was said', async () => {
  const started = Date.now();
  const { state: known, unsampled } = await onDemand('silent', { withinMs: 500 });
  expect(Date.now() - started).toBeLessThan(1_500);
  expect([known, unsampled]).toEqual([emptyWatch, expect.stringMatching(/stored no sample within 0\.5 s/)]);
});

test('a sampler that cannot be asked is named with the reason, at once', async () => {
  const ask = async () => {
    throw Object.assign(new Error('Rate exceeded'), { name: 'TooManyRequestsException' });
  };
  const started = Date.now();
  expect((await onDemand('throttled', { ask })).unsampled).toMatch(/could not be asked \(TooManyRequestsException\)/);
  expect(Date.now() - started).toBeLessThan(1_500);
});
