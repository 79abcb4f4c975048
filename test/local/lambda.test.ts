import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  GetDurableExecutionCommand,
  GetDurableExecutionHistoryCommand,
  InvokeCommand,
  LambdaClient,
  ListDurableExecutionsByFunctionCommand,
  SendDurableExecutionCallbackSuccessCommand,
  StopDurableExecutionCommand,
} from '@aws-sdk/client-lambda';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Execution } from '../../local/durable/model.ts';
import { serveLambda } from '../../local/lambda/server.ts';
import { createLambdaService, type LambdaService } from '../../local/lambda/service.ts';
import { readApp } from '../../local/template/read.ts';
import { lambdaApp, type MiniApp } from './support/mini-app.ts';

let mini: MiniApp;
let system: { lambda: LambdaService; client: LambdaClient; close: () => Promise<void> };
const changes: { name: string; status: string }[] = [];

async function start(timeouts: Record<string, number> = {}): Promise<typeof system> {
  let url = '';
  const lambda = createLambdaService({
    stateFolder: mini.stateFolder,
    functions: readApp(mini.cdkOut).functions,
    awsEnvironment: () => ({
      AWS_ENDPOINT_URL_LAMBDA: url,
      AWS_ACCESS_KEY_ID: 'local',
      AWS_SECRET_ACCESS_KEY: 'local',
    }),
    timeouts,
    asyncRetryDelaysSeconds: [0.05, 0.05],
    durableRetryMilliseconds: 20,
    executionChanged: ({ start, end }: Execution) =>
      changes.push({ name: start.name, status: end?.status ?? 'RUNNING' }),
  });
  const server = await serveLambda(lambda);
  url = server.url;
  const client = new LambdaClient({
    endpoint: url,
    maxAttempts: 1,
    region: 'us-east-1',
    credentials: { accessKeyId: 'local', secretAccessKey: 'local' },
  });
  lambda.durable.recover();
  return {
    lambda,
    client,
    close: async () => {
      client.destroy();
      await lambda.close();
      await server.close();
    },
  };
}

async function invoke(
  functionName: string,
  event: unknown,
  extra: { InvocationType?: 'Event'; DurableExecutionName?: string } = {},
) {
  const { Payload, ...answer } = await system.client.send(
    new InvokeCommand({ FunctionName: functionName, Payload: JSON.stringify(event), ...extra }),
  );
  const text = Payload?.transformToString() ?? '';
  return { ...answer, value: text === '' ? null : (JSON.parse(text) as Record<string, unknown>) };
}

async function eventually<Value>(read: () => Value | Promise<Value>, done: (value: Value) => boolean): Promise<Value> {
  for (let round = 0; round < 300; round += 1) {
    const value = await read();
    if (done(value)) return value;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error('It did not happen');
}

const lines = (file: string) => (existsSync(file) ? readFileSync(file, 'utf8').trim().split('\n') : []);
const file = (name: string) => join(mini.folder, name);
const statusOf = async (arn: string | undefined) =>
  (await system.client.send(new GetDurableExecutionCommand({ DurableExecutionArn: arn }))).Status;

beforeAll(async () => {
  mini = lambdaApp();
  system = await start({ single: 1 });
});

afterAll(async () => {
  await system.close();
  mini.remove();
});

describe('a function', () => {
  it('runs with the environment, name and context of the template, and layers below /opt', async () => {
    const { value, FunctionError } = await invoke('plain', { hello: 'world' });
    expect(FunctionError).toBeUndefined();
    expect(value).toMatchObject({
      event: { hello: 'world' },
      name: 'plain',
      arn: 'arn:aws:lambda:us-east-1:000000000000:function:plain',
    });
    const environment = value?.env as Record<string, string>;
    expect(environment.AWS_LAMBDA_FUNCTION_MEMORY_SIZE).toBe('128');
    const configuration = environment.CONFIGURATION ?? '';
    expect(existsSync(configuration)).toBe(true);
    expect(existsSync(configuration.replace('one.json', 'two.json'))).toBe(true);
    expect(Object.keys(environment)).not.toContain('VITEST');
  });

  it('keeps warm instances, and starts another while one is busy', async () => {
    const [slow, quick] = await Promise.all([invoke('plain', { sleep: 500 }), invoke('plain', { sleep: 400 })]);
    expect(slow.value?.pid).not.toBe(quick.value?.pid);
    const again = await invoke('plain', {});
    expect([slow.value?.pid, quick.value?.pid]).toContain(again.value?.pid);
    expect(again.value?.calls).toBeGreaterThan(1);
  });

  it('answers what it throws, and how it ended, as a function error', async () => {
    expect(await invoke('plain', { fail: true })).toMatchObject({
      FunctionError: 'Unhandled',
      value: { errorType: 'TypeError', errorMessage: 'it failed' },
    });
    expect(await invoke('plain', { exit: true })).toMatchObject({
      FunctionError: 'Unhandled',
      value: { errorType: 'Runtime.ExitError', errorMessage: 'Runtime exited with error: exit status 3' },
    });
  });

  it('is ended at its time limit', async () => {
    const { value } = await invoke('single', { sleep: 20_000 });
    expect(value?.errorMessage).toContain('Task timed out after 1.00 seconds');
    expect((await invoke('single', {})).value).toMatchObject({ name: 'single' });
  });

  it('is refused beyond its reserved concurrency', async () => {
    const both = await Promise.allSettled([invoke('single', { sleep: 700 }), invoke('single', { sleep: 700 })]);
    expect(both.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
    expect(both.find(({ status }) => status === 'rejected')).toMatchObject({
      reason: { name: 'TooManyRequestsException' },
    });
  });

  it('is unknown by another name', async () => {
    await expect(invoke('nothing', {})).rejects.toMatchObject({ name: 'ResourceNotFoundException' });
    await expect(invoke('long', {})).rejects.toMatchObject({ name: 'InvalidParameterValueException' });
  });

  it('is repeated twice when an event fails, and the event is kept', async () => {
    expect((await invoke('plain', { fail: true, log: 'asynchronous' }, { InvocationType: 'Event' })).StatusCode).toBe(
      202,
    );
    const [letter] = await eventually(
      () => lines(join(mini.stateFolder, 'dead-letters/dead.jsonl')),
      ({ length }) => length > 0,
    );
    expect(JSON.parse(letter ?? '')).toMatchObject({
      payload: '{"fail":true,"log":"asynchronous"}',
      errorType: 'TypeError',
    });
  });
});

describe('a durable function', () => {
  it('runs steps, waits, retries and chained invocations to a result', async () => {
    const { value, FunctionError, DurableExecutionArn } = await invoke('long:live', {
      file: file('whole'),
      wait: 1,
      flaky: true,
      workers: [1, 2, 3],
    });
    expect({ value, FunctionError }).toEqual({
      value: { first: 1, flaky: 2, workers: [1, 2, 3] },
      FunctionError: undefined,
    });
    expect(lines(file('whole'))).toEqual(['first', 'flaky', 'flaky']);
    const { Events = [] } = await system.client.send(
      new GetDurableExecutionHistoryCommand({ DurableExecutionArn, IncludeExecutionData: true, MaxItems: 200 }),
    );
    const types = Events.map(({ EventType }) => EventType);
    expect(types[0]).toBe('ExecutionStarted');
    expect(types.at(-1)).toBe('ExecutionSucceeded');
    expect(types).toEqual(
      expect.arrayContaining([
        'WaitStarted',
        'WaitSucceeded',
        'StepFailed',
        'ChainedInvokeStarted',
        'ChainedInvokeSucceeded',
        'InvocationCompleted',
      ]),
    );
  });

  it('fails with the error of its handler', async () => {
    const { value, FunctionError } = await invoke('long:live', { file: file('bad'), fail: true });
    expect({ FunctionError, value }).toMatchObject({ FunctionError: 'Unhandled', value: { errorMessage: 'no good' } });
  });

  it('starts once for one name', async () => {
    const event = { file: file('named') };
    const named = { InvocationType: 'Event', DurableExecutionName: 'job-1' } as const;
    const first = await invoke('long:live', event, named);
    const second = await invoke('long:live', event, named);
    expect(second.DurableExecutionArn).toBe(first.DurableExecutionArn);
    await expect(invoke('long:live', { file: file('other') }, named)).rejects.toMatchObject({
      name: 'DurableExecutionAlreadyStartedException',
    });
    await eventually(
      () => statusOf(first.DurableExecutionArn),
      (status) => status === 'SUCCEEDED',
    );
    const { DurableExecutions } = await system.client.send(
      new ListDurableExecutionsByFunctionCommand({ FunctionName: 'long', DurableExecutionName: 'job-1' }),
    );
    expect(DurableExecutions).toHaveLength(1);
    expect(changes.filter(({ name }) => name === 'job-1')).toEqual([
      { name: 'job-1', status: 'RUNNING' },
      { name: 'job-1', status: 'SUCCEEDED' },
    ]);
  });

  it('is completed by a callback', async () => {
    const { DurableExecutionArn } = await invoke(
      'long:live',
      { file: file('callback'), callback: true },
      { InvocationType: 'Event' },
    );
    const [, , line] = await eventually(
      () => lines(file('callback')),
      ({ length }) => length >= 3,
    );
    await system.client.send(
      new SendDurableExecutionCallbackSuccessCommand({ CallbackId: line?.replace('callback ', ''), Result: '"yes"' }),
    );
    await eventually(
      () => statusOf(DurableExecutionArn),
      (status) => status === 'SUCCEEDED',
    );
    expect(lines(file('callback')).at(-1)).toContain('yes');
  });

  it('can be stopped', async () => {
    const { DurableExecutionArn } = await invoke(
      'long:live',
      { file: file('stopped'), wait: 600 },
      { InvocationType: 'Event' },
    );
    await eventually(
      () => lines(file('stopped')),
      ({ length }) => length > 0,
    );
    await system.client.send(new StopDurableExecutionCommand({ DurableExecutionArn }));
    expect(await statusOf(DurableExecutionArn)).toBe('STOPPED');
  });

  it('goes on by replay when its instance is killed', async () => {
    const { DurableExecutionArn } = await invoke(
      'long:live',
      { file: file('killed'), hang: true },
      { InvocationType: 'Event' },
    );
    await eventually(
      () => lines(file('killed')),
      (all) => all.includes('hang'),
    );
    await system.lambda.kill('long');
    await eventually(
      () => statusOf(DurableExecutionArn),
      (status) => status === 'SUCCEEDED',
    );
    expect(lines(file('killed'))).toEqual(['first', 'flaky', 'hang', 'hang']);
  });

  it('fails when its invocations keep dying', async () => {
    const { FunctionError, value } = await invoke('long:live', { file: file('dying'), die: true });
    expect({ FunctionError, value }).toMatchObject({
      FunctionError: 'Unhandled',
      value: { errorType: 'Runtime.ExitError' },
    });
    expect(lines(file('dying')).filter((line) => line === 'die').length).toBeLessThan(6);
  });

  it('goes on after a restart of everything', async () => {
    const { DurableExecutionArn } = await invoke(
      'long:live',
      { file: file('restart'), wait: 2, workers: [7] },
      { InvocationType: 'Event' },
    );
    // Every step before the wait is recorded by then.
    const execution = system.lambda.durable.all().find(({ start }) => start.arn === DurableExecutionArn);
    await eventually(
      () => JSON.stringify(execution?.events),
      (events) => events.includes('WaitStarted'),
    );
    await system.close();
    system = await start();
    await eventually(
      () => statusOf(DurableExecutionArn),
      (status) => status === 'SUCCEEDED',
    );
    expect(lines(file('restart'))).toEqual(['first', 'flaky']);
  });
});

it('starts no function any more once it is closed, not even one that has never run', async () => {
  await system.close();
  const closed = await start();
  await closed.close();
  await expect(closed.lambda.invoke({ functionName: 'plain', payload: '{}' })).rejects.toThrow('is stopping');
  closed.lambda.submit({ functionName: 'plain', payload: '{}' });
  system = await start();
});
