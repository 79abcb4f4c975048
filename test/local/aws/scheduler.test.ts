import {
  CreateScheduleCommand,
  CreateScheduleGroupCommand,
  DeleteScheduleCommand,
  DeleteScheduleGroupCommand,
  GetScheduleCommand,
  ListScheduleGroupsCommand,
  ListSchedulesCommand,
  SchedulerClient,
  UpdateScheduleCommand,
} from '@aws-sdk/client-scheduler';
import { beforeAll, expect, it } from 'vitest';
import { clientOptions, useServices } from './support.ts';

const services = useServices();
let client: SchedulerClient;
let changes = 0;

beforeAll(() => {
  client = new SchedulerClient(clientOptions(services.current.endpoints.scheduler));
  services.current.schedules.subscribe(() => {
    changes += 1;
  });
});

const weekly = {
  Name: 'shop-full',
  ScheduleExpression: 'cron(0 2 ? * SUN *)',
  ScheduleExpressionTimezone: 'Europe/Berlin',
  FlexibleTimeWindow: { Mode: 'OFF' as const },
  Target: {
    Arn: 'arn:aws:lambda:us-east-1:000000000000:function:backup',
    RoleArn: 'arn:aws:iam::000000000000:role/scheduler',
    Input: '{"database":"shop"}',
  },
};

it('creates, reads, changes and deletes a schedule, and tells of each change', async () => {
  const { ScheduleArn } = await client.send(new CreateScheduleCommand(weekly));
  expect(ScheduleArn).toBe('arn:aws:scheduler:us-east-1:000000000000:schedule/default/shop-full');
  await expect(client.send(new CreateScheduleCommand(weekly))).rejects.toMatchObject({ name: 'ConflictException' });
  expect(services.current.schedules.list()).toMatchObject([{ ...weekly, State: 'ENABLED', GroupName: 'default' }]);
  await client.send(new UpdateScheduleCommand({ ...weekly, State: 'DISABLED' }));
  const read = await client.send(new GetScheduleCommand({ Name: weekly.Name }));
  expect(read).toMatchObject({ ...weekly, State: 'DISABLED' });
  expect(read.CreationDate).toBeInstanceOf(Date);
  await client.send(new DeleteScheduleCommand({ Name: weekly.Name }));
  await expect(client.send(new GetScheduleCommand({ Name: weekly.Name }))).rejects.toMatchObject({
    name: 'ResourceNotFoundException',
  });
  expect(changes).toBe(3);
});

it('refuses an expression that is none', async () => {
  const wrong = client.send(new CreateScheduleCommand({ ...weekly, ScheduleExpression: '0 2 * * 0' }));
  await expect(wrong).rejects.toMatchObject({ name: 'ValidationException', message: expect.stringContaining('cron') });
});

it('keeps groups and schedules over a restart', async () => {
  await expect(client.send(new CreateScheduleCommand({ ...weekly, GroupName: 'databases' }))).rejects.toMatchObject({
    name: 'ResourceNotFoundException',
  });
  await client.send(new CreateScheduleGroupCommand({ Name: 'databases' }));
  await client.send(new CreateScheduleCommand({ ...weekly, GroupName: 'databases' }));
  const arn = await services.current.putSchedule('deployed', weekly);
  expect(await services.current.putSchedule('deployed', { ...weekly, State: 'DISABLED' })).toBe(arn);
  client = new SchedulerClient(clientOptions((await services.restart()).endpoints.scheduler));
  const { Schedules } = await client.send(new ListSchedulesCommand({ GroupName: 'databases' }));
  expect(Schedules).toMatchObject([{ Name: 'shop-full', GroupName: 'databases', Target: { Arn: weekly.Target.Arn } }]);
  expect(services.current.schedules.list().map(({ Name }) => Name)).toEqual(['shop-full', 'deployed']);
  expect((await client.send(new ListScheduleGroupsCommand({}))).ScheduleGroups?.map(({ Name }) => Name)).toEqual([
    'default',
    'databases',
  ]);
  await client.send(new DeleteScheduleGroupCommand({ Name: 'databases' }));
  expect(services.current.schedules.list().map(({ Name }) => Name)).toEqual(['deployed']);
});

it('fails calls as told', async () => {
  await services.current.faults.set({
    service: 'scheduler',
    operation: 'ListSchedules',
    status: 429,
    code: 'ThrottlingException',
    times: 1,
  });
  await expect(client.send(new ListSchedulesCommand({}))).rejects.toMatchObject({ name: 'ThrottlingException' });
  await client.send(new ListSchedulesCommand({}));
});
