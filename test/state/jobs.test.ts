import { afterAll, beforeAll, expect, test } from 'vitest';
import { newJobId } from '../../shared/state/ids.ts';
import { createJobStore, type JobStore, type NewJob } from '../../shared/state/jobs.ts';
import { type StateService, startState } from './support.ts';

let state: StateService;
let jobs: JobStore;
beforeAll(async () => {
  state = await startState();
  jobs = createJobStore(state.table);
});
afterAll(() => state?.close());

const newJob = (database = 'shop'): NewJob => ({
  id: newJobId(),
  kind: 'backup',
  database,
  requested_by: 'alice',
  backup_id: null,
  target_database: null,
});
const error = { code: 'login_refused', message: 'The server refused the login', next_step: 'Check the secret.' };
const progress = {
  phase: 'data',
  tables: { done: 1, total: 2 },
  rows: { done: 10, total: null },
  bytes: { done: 100, total: 200 },
  bytes_per_second: null,
  seconds_left: null,
  updated_at: '2026-01-01T00:00:00.000Z',
};

test('a job goes from queued over running to succeeded, with its times', async () => {
  const created = await jobs.create(newJob());
  expect(created).toMatchObject({ status: 'queued', started_at: null, progress: null });
  expect(await jobs.get(created.id)).toEqual(created);

  expect(await jobs.reportProgress(created.id, progress)).toBe(false);
  await jobs.start(created.id);
  await jobs.start(created.id);
  expect(await jobs.reportProgress(created.id, progress)).toBe(true);
  expect(await jobs.succeed(created.id, { warnings: ['a role was missing'] })).toBe(true);

  const ended = await jobs.get(created.id);
  expect(ended).toMatchObject({ status: 'succeeded', warnings: ['a role was missing'], progress });
  expect(Date.parse(ended.ended_at ?? '')).toBeGreaterThanOrEqual(Date.parse(ended.started_at ?? ''));
});

test('an ended job never changes', async () => {
  for (const end of [
    (id: string) => jobs.fail(id, error),
    (id: string) => jobs.succeed(id, { warnings: [] }),
    (id: string) => jobs.cancel(id),
  ]) {
    const { id } = await jobs.create(newJob());
    await jobs.start(id);
    expect(await end(id)).toBe(true);
    const ended = await jobs.get(id);
    expect(await jobs.fail(id, { ...error, code: 'other' })).toBe(false);
    expect(await jobs.succeed(id, { warnings: ['late'] })).toBe(false);
    expect(await jobs.cancel(id)).toBe(false);
    expect(await jobs.reportProgress(id, progress)).toBe(false);
    expect(await jobs.requestCancel(id)).toBe(false);
    if (ended.status === 'cancelled') expect(await jobs.start(id)).toBe(false);
    else await expect(jobs.start(id)).rejects.toMatchObject({ code: 'job_ended' });
    expect(await jobs.get(id)).toEqual(ended);
  }
});

test('of two ends at once exactly one counts', async () => {
  const { id } = await jobs.create(newJob());
  await jobs.start(id);
  const outcomes = await Promise.all([jobs.fail(id, error), jobs.succeed(id, { warnings: [] }), jobs.cancel(id)]);
  expect(outcomes.filter(Boolean)).toHaveLength(1);
});

test('a job that is not there is not made by a change', async () => {
  const id = newJobId();
  expect(await jobs.fail(id, error)).toBe(false);
  expect(await jobs.find(id)).toBeNull();
  await expect(jobs.get(id)).rejects.toMatchObject({ code: 'unknown_job' });
});

test('a list is newest first, of one database, and its pages join without gap or repeat', async () => {
  const made: string[] = [];
  for (let count = 0; count < 7; count++) made.push((await jobs.create(newJob('paged'))).id);
  await jobs.create(newJob('other'));

  const seen: string[] = [];
  let cursor: string | undefined;
  do {
    const page = await jobs.list({ database: 'paged', limit: 3, cursor });
    expect(page.items.length).toBeLessThanOrEqual(3);
    seen.push(...page.items.map(({ id }) => id));
    cursor = page.next_cursor ?? undefined;
  } while (cursor);
  expect(seen).toEqual(made.reverse());

  const whole = await jobs.list({ database: 'paged', limit: 7 });
  expect(whole.items).toHaveLength(7);
  expect(whole.next_cursor).toBeNull();
});

test.each([
  'x',
  '{}',
  Buffer.from('{"after":"job-x"}').toString('base64url'),
  Buffer.from('null').toString('base64url'),
])('the cursor %j is refused', async (cursor) => {
  await expect(jobs.list({ database: 'shop', limit: 3, cursor })).rejects.toMatchObject({ code: 'invalid_cursor' });
});

test('a cursor that was changed, however little, is refused', async () => {
  for (let count = 0; count < 2; count++) await jobs.create(newJob('cursor'));
  const { next_cursor: cursor } = await jobs.list({ database: 'cursor', limit: 1 });
  expect((await jobs.list({ database: 'cursor', limit: 1, cursor: cursor ?? '' })).items).toHaveLength(1);
  // Node's decoder passes over what is no base64.
  await expect(jobs.list({ database: 'cursor', limit: 1, cursor: `${cursor}!` })).rejects.toMatchObject({
    code: 'invalid_cursor',
  });
});
