import { CreateScheduleGroupCommand, SchedulerClient } from '@aws-sdk/client-scheduler';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Listening, listen, readBody } from '../../local/aws/http.ts';
import { schedulesSchema } from '../../shared/configuration/schedules.ts';
import { changeSchedules } from '../../shared/schedules/change.ts';
import { describeSchedules } from '../../shared/schedules/describe.ts';
import { watchSchedules } from '../../shared/schedules/watch.ts';
import { createScheduleStore } from '../../shared/state/schedules.ts';
import { clientOptions } from '../local/aws/support.ts';
import { type StateService, startState } from '../state/support.ts';

const HOUR = 3_600_000;
let state: StateService;
let skewed: Listening;
let client: SchedulerClient;
/** How far EventBridge Scheduler's clock is ahead of this machine's, in milliseconds. */
let ahead = 0;

beforeAll(async () => {
  state = await startState();
  skewed = await listen(0, async (request, response) => {
    const body = await readBody(request);
    const answer = await fetch(`${state.services.endpoints.scheduler}${request.url}`, {
      method: request.method ?? 'GET',
      headers: { 'content-type': 'application/json' },
      ...(body.length > 0 ? { body: new Uint8Array(body) } : {}),
    });
    const errorType = answer.headers.get('x-amzn-errortype');
    response.writeHead(answer.status, {
      'content-type': 'application/json',
      date: new Date(Date.now() + ahead).toUTCString(),
      ...(errorType ? { 'x-amzn-errortype': errorType } : {}),
    });
    response.end(await answer.text());
  });
  client = new SchedulerClient(clientOptions(skewed.url));
  await client.send(new CreateScheduleGroupCommand({ Name: 'group' }));
});
afterAll(async () => {
  client?.destroy();
  await skewed?.close();
  await state?.close();
});

test.each([
  ['ahead of', -6 * HOUR],
  ['behind', 6 * HOUR],
])('when this machine’s clock is %s EventBridge Scheduler’s, runs are missed by the latter', async (_how, skew) => {
  const database = skew < 0 ? 'early' : 'late';
  const dependencies = {
    table: state.table,
    configuration: {
      databases: [{ id: database } as never],
      schedules: schedulesSchema.parse({ full: null, incremental: null, schema: null }),
    },
    group: { scheduler: client, group: 'group', functionArn: 'f', roleArn: 'r', deadLetterQueueArn: 'd' },
  };
  const change = { version: 0, schedules: { full: { cron: '0 * * * *', enabled: true } }, as_configured: [] };
  ahead = skew;
  await changeSchedules({ database, changedBy: 'alice', change }, dependencies);
  const { applied } = await createScheduleStore(state.table).read(database);
  const lag = Math.abs(Date.parse(applied.full?.since ?? '') - (Date.now() + skew));
  expect(lag).toBeLessThan(HOUR);
  expect((await watchSchedules(database, dependencies)).missed).toEqual([]);

  // Three hours later, by EventBridge Scheduler’s clock.
  ahead = skew + 3 * HOUR;
  const { missed } = await watchSchedules(database, dependencies);
  expect([2, 3]).toContain(missed.length);
  const { schedules } = await describeSchedules(database, dependencies);
  expect(schedules.full.last_runs.map(({ due_at }) => due_at).reverse()).toEqual(missed.map(({ due_at }) => due_at));
  const next = Date.parse(schedules.full.next_runs[0] ?? '') - (Date.now() + ahead);
  expect(next).toBeGreaterThan(-HOUR / 2);
  expect(next).toBeLessThan(1.5 * HOUR);
});
