import { CloudWatchClient, ListMetricsCommand } from '@aws-sdk/client-cloudwatch';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { METRIC_NAMESPACE, publishedMetrics } from '../../shared/health/metrics.ts';
import { clientOptions } from '../local/aws/support.ts';
import { anyServer, createScratchDatabase, type ScratchDatabase } from '../support/servers.ts';
import { call, endOf, eventually, listBackups } from './support/api.ts';
import { managed, startTestSystem, type TestSystem } from './support/system.ts';

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
  const { Metrics = [] } = await client.send(new ListMetricsCommand({ Namespace: METRIC_NAMESPACE }));
  client.destroy();
  const names = new Set(Metrics.map(({ MetricName }) => MetricName));
  expect(names.size).toBeGreaterThan(5);
  expect([...names].filter((name) => !publishedMetrics.some((published) => published.name === name))).toEqual([]);
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
