import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { CloudWatchClient, ListMetricsCommand } from '@aws-sdk/client-cloudwatch';
import { DeleteItemCommand, DynamoDBClient, ListTablesCommand } from '@aws-sdk/client-dynamodb';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Backup } from '../../shared/contract/schemas/backup.ts';
import { type ScheduleSet, scheduleSetSchema } from '../../shared/contract/schemas/schedule.ts';
import { metricNamespace, publishedName } from '../../shared/health/metrics.ts';
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
  system = await startTestSystem({
    databases: [managed(server, 'shop', shop), managed(server, 'crm', crm)],
    // One sample in each run of the sampler, which then ends at once.
    deployment: { thresholds: { health_check_interval_seconds: 60 } },
  });
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

test('the sampler watches each database, and the API tells what it saw', async () => {
  const { lambda } = system.current;
  const { outcome } = await lambda.invoke({ functionName: 'dbms-sample-health', payload: '{}' });
  expect(outcome.ok).toBe(true);
  for (const id of ['shop', 'crm']) {
    const { status, json } = await call(system.current, `/health?database=${id}`, { as: 'viewer' });
    expect(status).toBe(200);
    expect(json).toMatchObject({ database: id, fresh: true, unreachable: null, unread: [] });
    expect(['ok', 'warning']).toContain(json.status);
    const history = await call(system.current, `/metrics/history?database=${id}&hours=1&metrics=connections`);
    expect(history.json.series[0].points.length).toBeGreaterThan(0);
  }
  const client = new CloudWatchClient(clientOptions(system.current.services.endpoints.cloudwatch));
  // It comes out of the function's log.
  await expect
    .poll(async () => {
      const { Metrics = [] } = await client.send(new ListMetricsCommand({ Namespace: metricNamespace('dbms') }));
      return Metrics.map(({ MetricName, Dimensions }) => [MetricName, Dimensions?.[0]?.Value]).sort();
    })
    .toEqual([
      [publishedName('samples_taken'), 'crm'],
      [publishedName('samples_taken'), 'shop'],
    ]);
  client.destroy();
});

test('sessions are shown and ended through the API', async () => {
  const session = await (databases[0] as ScratchDatabase).connect();
  const lost = new Promise((resolve) => session.once('error', resolve));
  const { rows } = await session.query('SELECT pg_backend_pid() AS pid');
  const get = async (path: string) => (await call(system.current, path, { as: 'viewer' })).json;
  expect((await get('/connections/stats')).connections).toBeGreaterThan(1);
  const { items } = await get('/connections/details?application=test&limit=200');
  expect(items.map(({ pid }: { pid: number }) => pid)).toContain(rows[0].pid);
  expect(await get('/locks')).toMatchObject({ database: 'shop', sessions: [] });
  const body = { older_than_seconds: 86_400 };
  expect((await call(system.current, '/connections/close-idle', { as: 'operator', body })).json.closed).toEqual([]);
  const ended = await call(system.current, `/connections/${rows[0].pid}/terminate`, { method: 'POST', as: 'operator' });
  expect(ended.json).toMatchObject({ closed: [{ pid: rows[0].pid, application: 'test' }] });
  await lost;
});

test('a function that fails has an alert, by the report in its log', async () => {
  const { lambda, services } = system.current;
  const { outcome } = await lambda.invoke({ functionName: 'dbms-rotate-password', payload: '{"Step":"unknown"}' });
  expect(outcome.ok).toBe(false);
  const alerts = async () =>
    (await call(system.current, '/alerts?scope=system&status=open', { as: 'viewer' })).json.items;
  await expect
    .poll(alerts, { timeout: 20_000 })
    .toContainEqual(expect.objectContaining({ cause: 'function:dbms-rotate-password/errors', level: 'ERROR' }));
  await expect
    .poll(() => services.emails().map(({ subject }) => subject), { timeout: 20_000 })
    .toContain('[ERROR] database management: A function failed');
});

test('an alarm reaches the alerts and the mailbox', async () => {
  const { lambda } = system.current;
  const event = {
    'detail-type': 'CloudWatch Alarm State Change',
    time: new Date().toISOString(),
    detail: { alarmName: 'dbms/database/crm/no_samples', state: { value: 'ALARM', reason: 'no data' } },
  };
  await lambda.invoke({ functionName: 'dbms-alarm-changed', payload: JSON.stringify(event) });
  const { json } = await call(system.current, '/alerts?database=crm&status=open', { as: 'viewer' });
  expect(json.items).toContainEqual(
    expect.objectContaining({ cause: 'alarm:dbms/database/crm/no_samples', level: 'CRITICAL' }),
  );
  const subjects = system.current.services.emails().map(({ subject }) => subject);
  expect(subjects.filter((subject) => subject.startsWith('[CRITICAL] crm:'))).toHaveLength(1);
});
