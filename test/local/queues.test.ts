import { afterEach, expect, it, vi } from 'vitest';
import { openQueues, type Queues } from '../../local/events/queues.ts';
import type { LambdaService } from '../../local/lambda/service.ts';

const queue = {
  name: 'rounds',
  arn: 'arn:rounds',
  delaySeconds: 30,
  retentionSeconds: 60,
  functions: ['sample'],
  topics: ['arn:topic'],
};
let queues: Queues | null = null;
afterEach(() => {
  queues?.close();
  queues = null;
  vi.useRealTimers();
});

function open() {
  const invoked: string[] = [];
  const invoke = async ({ payload }: { payload: string }) => {
    invoked.push(JSON.parse(JSON.parse(payload).Records[0].body).time);
    return { outcome: { ok: true, payload: 'null' }, version: '1', durableExecutionArn: null };
  };
  queues = openQueues([queue], { invoke } as unknown as LambdaService, () => undefined);
  return { invoked, send: queues.send };
}

it('starts the function of a queue once the message was kept back for its time', async () => {
  vi.useFakeTimers();
  const { invoked, send } = open();
  expect(send('arn:rounds', '{"time":"12:00"}')).toBe(true);
  await vi.advanceTimersByTimeAsync(29_900);
  expect(invoked).toEqual([]);
  await vi.advanceTimersByTimeAsync(200);
  expect(invoked).toEqual(['12:00']);
});

it('gets the messages of a topic', async () => {
  vi.useFakeTimers();
  const { invoked, send } = open();
  expect(send('arn:topic', '{"time":"12:01"}')).toBe(true);
  await vi.advanceTimersByTimeAsync(30_100);
  expect(invoked).toEqual(['12:01']);
});

it('leaves what is no such queue to others', () => {
  expect(open().send('arn:aws:lambda:x', '{}')).toBe(false);
});

it('does not deliver what has waited longer than the queue keeps it, as when the machine slept', async () => {
  vi.useFakeTimers();
  const { invoked, send } = open();
  send('arn:rounds', '{"time":"12:00"}');
  vi.setSystemTime(Date.now() + 90_000);
  await vi.advanceTimersByTimeAsync(31_000);
  expect(invoked).toEqual([]);
});
