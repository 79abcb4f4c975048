import { afterAll, beforeAll, expect, test } from 'vitest';
import { anyServer, createScratchDatabase, type ScratchDatabase } from '../support/servers.ts';
import { endOf, eventually, listBackups } from './support/api.ts';
import { managed, startTestSystem, type TestSystem } from './support/system.ts';

let databases: ScratchDatabase[];
let system: TestSystem;

beforeAll(async () => {
  const server = anyServer();
  databases = [await createScratchDatabase(server), await createScratchDatabase(server)];
  const [shop, crm] = databases.map(({ name }) => name) as [string, string];
  system = await startTestSystem({ databases: [managed(server, 'shop', shop), managed(server, 'crm', crm)] });
});
afterAll(async () => {
  await system?.end();
  for (const database of databases ?? []) await database.drop();
});

const scheduleOf = (id: string, type = 'full') =>
  system.current.services.schedules.list().find(({ Target }) => {
    const { database, backup_type } = JSON.parse(Target.Input ?? '{}');
    return database === id && backup_type === type;
  });

test('each database has its weekly backup, on Sunday at 02:00', () => {
  for (const id of ['shop', 'crm']) {
    const schedule = scheduleOf(id);
    expect(schedule?.State).toBe('ENABLED');
    // Sunday is 1 for EventBridge.
    expect(schedule?.ScheduleExpression).toMatch(/^cron\(0 2 \? \* (1|SUN) \*\)$/);
    expect(schedule?.ScheduleExpressionTimezone).toBe('UTC');
    expect(JSON.parse(schedule?.Target.Input ?? '')).toEqual({ database: id, backup_type: 'full' });
  }
});

test('each database has a weekly backup of its schema, on Monday at 01:00', () => {
  for (const id of ['shop', 'crm']) {
    expect(scheduleOf(id, 'schema')?.ScheduleExpression).toMatch(/^cron\(0 1 \? \* (2|MON) \*\)$/);
  }
});

test.each(['full', 'schema'])('a schedule that falls due takes one backup (%s) of its database', async (type) => {
  const schedule = scheduleOf('crm', type);
  if (!schedule) throw new Error('There is no schedule');
  const { GroupName, Target, FlexibleTimeWindow } = schedule;
  // The deployed schedule with the next second in place of Sunday.
  const due = new Date(Date.now() + 2000).toISOString().slice(0, 19);
  const ScheduleExpression = `at(${due})`;
  await system.current.services.putSchedule(schedule.Name, {
    GroupName,
    Target,
    FlexibleTimeWindow,
    ScheduleExpression,
  });

  const ofType = async () =>
    (await listBackups(system.current, 'crm')).filter(({ backup_type: taken }) => taken === type);
  const [backup] = await eventually(ofType, ({ length }) => length > 0);
  expect(backup).toMatchObject({ database: 'crm', requested_by: 'schedule', custom_name: null, include: null });
  const job = await endOf(system.current, backup?.job_id ?? '');
  expect(job).toMatchObject({ kind: 'backup', status: 'succeeded', requested_by: 'schedule', backup_id: backup?.id });
  expect(await ofType()).toMatchObject([{ id: backup?.id, status: 'available' }]);
  expect(await listBackups(system.current, 'shop')).toEqual([]);
});
