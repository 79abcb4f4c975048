import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { DeleteItemCommand, DynamoDBClient, ListTablesCommand } from '@aws-sdk/client-dynamodb';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Backup } from '../../shared/contract/schemas/backup.ts';
import { type ScheduleSet, scheduleSetSchema } from '../../shared/contract/schemas/schedule.ts';
import { backupKey } from '../../shared/state/backups.ts';
import { clientOptions } from '../local/aws/support.ts';
import { anyServer, createScratchDatabase, type ScratchDatabase } from '../support/servers.ts';
import { call, endOf, eventually, listBackups } from './support/api.ts';
import { managed, startTestSystem, type TestSystem } from './support/system.ts';

const command = fileURLToPath(new URL('../../commands/rebuild-catalog.ts', import.meta.url));

let databases: ScratchDatabase[];
let system: TestSystem;

beforeAll(async () => {
  const server = anyServer();
  databases = [await createScratchDatabase(server), await createScratchDatabase(server)];
  const [shop, crm] = databases.map(({ name }) => name) as [string, string];
  system = await startTestSystem({ databases: [managed(server, 'shop', shop), managed(server, 'crm', crm)] });
  // The configured ones are made once the stack is deployed.
  await eventually(
    () => ['shop', 'crm'].flatMap((id) => [scheduleOf(id), scheduleOf(id, 'schema')]),
    (all) => all.every((schedule) => schedule !== undefined),
  );
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

async function schedules(id: string, body?: unknown): Promise<ScheduleSet> {
  const method = body === undefined ? 'GET' : 'PUT';
  const { status, json, text } = await call(system.current, `/backups/schedules?database=${id}`, { method, body });
  expect(status, text).toBe(200);
  return scheduleSetSchema.strict().parse(json);
}

test('each database has its weekly backup, on Sunday at 02:00', () => {
  for (const id of ['shop', 'crm']) {
    const schedule = scheduleOf(id);
    expect(schedule?.State).toBe('ENABLED');
    // Sunday is 1 for EventBridge.
    expect(schedule?.ScheduleExpression).toMatch(/^cron\(0 2 \? \* (1|SUN) \*\)$/);
    expect(schedule?.ScheduleExpressionTimezone).toBe('UTC');
    expect(JSON.parse(schedule?.Target.Input ?? '')).toMatchObject({ database: id, backup_type: 'full' });
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
  // The schedule with the next second in place of Sunday.
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

test('one that was changed over the API runs when due, after a restart as before, and its run is shown', async () => {
  const { version } = await schedules('shop');
  const data = { cron: '* * * * *', time_zone: 'Europe/Vienna' };
  const changed = await schedules('shop', { version, schedules: { data, full: null } });
  expect(changed.schedules.data).toMatchObject({ ...data, source: 'api', applied: true });
  await system.restart();
  expect(scheduleOf('shop')).toBeUndefined();
  const ended = ({
    schedules: {
      data: { last_runs },
    },
  }: ScheduleSet) => last_runs.filter(({ outcome }) => outcome === 'succeeded');
  const after = await eventually(
    () => schedules('shop'),
    (set) => ended(set).length > 0,
  );
  const [run] = ended(after);
  expect(run?.due_at).toMatch(/:00\.000Z$/);
  const backups = await listBackups(system.current, 'shop');
  expect(backups.find(({ id }) => id === run?.backup_id)).toMatchObject({
    backup_type: 'data',
    status: 'available',
    job_id: run?.job_id,
    requested_by: 'schedule',
  });
  expect(after.schedules.full).toMatchObject({ cron: null, source: 'api', applied: true });
  await schedules('shop', { version: after.version, as_configured: ['data', 'full'] });
  expect([scheduleOf('shop', 'data'), scheduleOf('shop')?.State]).toEqual([undefined, 'ENABLED']);
});

test('the command lists backups of all databases again that the State table has lost, and says how many', async () => {
  const before = await listBackups(system.current, 'crm');
  const available = before.filter(({ status }) => status === 'available');
  expect(available.length).toBeGreaterThan(0);
  await forget(available.map(({ id }) => id));
  expect(await listBackups(system.current, 'crm')).toEqual([]);
  const { stdout } = await promisify(execFile)(process.execPath, [command], {
    env: { ...process.env, API: `${system.current.apiUrl}/api/database`, ADMIN: system.current.tokens.admin },
  });
  expect(stdout).toMatch(new RegExp(`^${available.length} backups were missing in the catalog`, 'm'));
  expect(stdout).toMatch(/succeeded\n$/);
  const ids = (backups: Backup[]) => backups.map(({ id }) => id);
  expect(ids(await listBackups(system.current, 'crm'))).toEqual(ids(available));
});

/** Takes entries off the State table. */
async function forget(ids: string[]): Promise<void> {
  const { endpoints } = system.current.services;
  const client = new DynamoDBClient(clientOptions(endpoints.dynamodb));
  const { TableNames = [] } = await client.send(new ListTablesCommand({}));
  const TableName = TableNames.find((name) => /State/.test(name));
  for (const id of ids) {
    const { pk, sk } = backupKey(id);
    await client.send(new DeleteItemCommand({ TableName, Key: { pk: { S: pk }, sk: { S: sk } } }));
  }
  client.destroy();
}
