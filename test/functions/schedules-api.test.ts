import { CloudWatchClient, GetMetricStatisticsCommand } from '@aws-sdk/client-cloudwatch';
import {
  DeleteScheduleCommand,
  GetScheduleCommand,
  ListSchedulesCommand,
  SchedulerClient,
  UpdateScheduleCommand,
} from '@aws-sdk/client-scheduler';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { ScheduleRun } from '../../shared/contract/schemas/schedule.ts';
import { failJob } from '../../shared/jobs/end.ts';
import { executionClaim } from '../../shared/jobs/execution-ended.ts';
import { scheduledRun } from '../../shared/jobs/scheduled-run.ts';
import { registerBackup } from '../../shared/jobs/start.ts';
import { missedRunsMetric } from '../../shared/schedules/metrics.ts';
import { createScheduleStore } from '../../shared/state/schedules.ts';
import { clientOptions } from '../local/aws/support.ts';
import { SCHEDULE_GROUP, startApi, type TestApi } from './api.ts';

let api: TestApi;
let scheduler: SchedulerClient;
let watch: typeof import('../../functions/watch-schedules.ts').handler;
beforeAll(async () => {
  api = await startApi();
  scheduler = new SchedulerClient(clientOptions(api.services.endpoints.scheduler));
  ({ handler: watch } = await import('../../functions/watch-schedules.ts'));
  await watch();
});
afterAll(async () => {
  scheduler?.destroy();
  await api?.close();
});
beforeEach(() => api.services.faults.clear());

const get = async (database = 'shop') =>
  (await api.call({ method: 'GET', path: '/backups/schedules', as: ['viewer'], query: { database } })).body;
const put = (body: unknown, more: object = {}) =>
  api.call({ method: 'PUT', path: '/backups/schedules', query: { database: 'shop' }, body, ...more });
/** Changes at the version that there is. */
const change = async (body: object, database = 'shop') =>
  put({ version: (await get(database)).version, ...body }, { query: { database } });
const scheduleOf = (name: string) =>
  scheduler.send(new GetScheduleCommand({ GroupName: SCHEDULE_GROUP, Name: name })).catch(() => null);
const names = async () => {
  const { Schedules = [] } = await scheduler.send(new ListSchedulesCommand({ GroupName: SCHEDULE_GROUP }));
  return Schedules.map(({ Name }) => Name).sort();
};

describe('without a change', () => {
  test('every database has the configured schedules, which the watch has made', async () => {
    expect(await names()).toEqual([
      ...['full-crm', 'full-shop', 'incremental-crm', 'incremental-shop', 'schema-crm', 'schema-shop'],
    ]);
    expect(await scheduleOf('full-crm')).toMatchObject({
      ScheduleExpression: 'cron(0 2 ? * SUN *)',
      ScheduleExpressionTimezone: 'UTC',
      State: 'ENABLED',
      FlexibleTimeWindow: { Mode: 'OFF' },
      Target: {
        Arn: 'arn:aws:lambda:eu-west-1:111122223333:function:backup:live',
        RoleArn: 'arn:aws:iam::111122223333:role/schedules',
        Input: '{"database":"crm","backup_type":"full","scheduled_at":"<aws.scheduler.scheduled-time>"}',
        DeadLetterConfig: { Arn: 'arn:aws:sqs:eu-west-1:111122223333:dead-letters' },
        RetryPolicy: { MaximumRetryAttempts: 10, MaximumEventAgeInSeconds: 21_600 },
      },
    });
  });

  test('a viewer sees where they come from and when they run', async () => {
    const { database, version, schedules } = await get('crm');
    expect([database, version]).toEqual(['crm', 0]);
    expect(schedules.full).toMatchObject({
      cron: '0 2 * * 0',
      time_zone: 'UTC',
      enabled: true,
      source: 'configuration',
      changed_by: null,
      changed_at: null,
      masked: false,
      configured: { cron: '0 2 * * 0', time_zone: 'UTC', masked: false },
      applied: true,
      last_runs: [],
    });
    expect(schedules.full.next_runs).toHaveLength(5);
    for (const time of schedules.full.next_runs) expect(time).toMatch(/T02:00:00.000Z$/);
    expect(schedules.data).toMatchObject({ cron: null, enabled: false, source: 'configuration', next_runs: [] });
  });
});

describe('a change', () => {
  test('is applied and told, with who made it; what is not named stays as it is', async () => {
    const full = { cron: '30 3 * * MON', time_zone: 'Europe/Vienna' };
    const { status, body } = await change({ schedules: { full, data: { cron: '0 5 1 * *', enabled: false } } });
    expect(status).toBe(200);
    expect(body.schedules.full).toMatchObject({
      ...full,
      enabled: true,
      source: 'api',
      changed_by: 'alice',
      changed_at: expect.any(String),
      configured: { cron: '0 2 * * 0' },
      applied: true,
    });
    expect(body.schedules.data).toMatchObject({ cron: '0 5 1 * *', time_zone: 'UTC', enabled: false, next_runs: [] });
    expect(body.schedules.schema).toMatchObject({ source: 'configuration', cron: '0 1 * * 1' });
    expect(await get()).toEqual(body);
    expect(await scheduleOf('full-shop')).toMatchObject({
      ScheduleExpression: 'cron(30 3 ? * MON *)',
      ScheduleExpressionTimezone: 'Europe/Vienna',
    });
    expect(await scheduleOf('data-shop')).toMatchObject({ State: 'DISABLED' });
    expect((await get('crm')).version).toBe(0);
  });

  test('makes its backups masked ones, until it is changed again, and takes no other kind of backup for its own', async () => {
    const inputOf = async () => JSON.parse((await scheduleOf('data-shop'))?.Target?.Input ?? '{}');
    await change({ schedules: { data: { cron: '0 5 1 * *', masked: true } } });
    expect((await get()).schedules.data).toMatchObject({ masked: true, applied: true, configured: { masked: false } });
    expect(await inputOf()).toMatchObject({ backup_type: 'data', masked: true });
    const event = { database: 'shop', backup_type: 'data' as const };
    const before = await api.call({ method: 'POST', path: '/backups', body: { backup_type: 'data' } });
    const due = new Date().toISOString();
    expect(await scheduledRun(api.table, { ...event, masked: true }, due, 'execution-masked').admit()).toBe('admitted');
    const later = new Date(Date.now() + 60_000).toISOString();
    expect(await scheduledRun(api.table, event, later, 'execution-plain').admit()).toBe('skipped');
    await api.call({ method: 'POST', path: `/jobs/${before.body.id}/cancel` });
    await change({ schedules: { data: { cron: '0 5 1 * *' } } });
    expect(await inputOf()).not.toHaveProperty('masked');
  });

  test('outlives the next look, which a deployment brings', async () => {
    await change({ schedules: { full: { cron: '15 4 * * *' }, schema: null } });
    await watch();
    expect(await scheduleOf('full-shop')).toMatchObject({ ScheduleExpression: 'cron(15 4 * * ? *)' });
    expect(await scheduleOf('schema-shop')).toBeNull();
    expect((await get()).schedules.schema).toMatchObject({ cron: null, source: 'api', applied: true });
  });

  test('can be given up for the configuration', async () => {
    await change({ schedules: { full: { cron: '15 4 * * *' }, schema: null } });
    const { body } = await change({ as_configured: ['full', 'schema'] });
    expect(body.schedules.full).toMatchObject({ cron: '0 2 * * 0', source: 'configuration', changed_by: null });
    expect(await scheduleOf('schema-shop')).toMatchObject({ ScheduleExpression: 'cron(0 1 ? * MON *)' });
  });

  test('of a version that is no longer the current one is refused, and of two at the same time one is', async () => {
    const { version } = await get();
    const late = await put({ version: version - 1, schedules: { full: null } });
    expect([late.status, late.problem.code, late.problem.errors?.[0]?.field]).toEqual([
      409,
      'schedules_changed',
      'body.version',
    ]);
    const answers = await Promise.all(
      ['10', '20', '30', '40'].map((minute) => put({ version, schedules: { full: { cron: `${minute} 3 * * *` } } })),
    );
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 409, 409, 409]);
    const now = await get();
    expect(now.version).toBe(version + 1);
    expect(now.schedules.full.applied).toBe(true);
    const winner = answers.find(({ status }) => status === 200);
    expect(now.schedules.full.cron).toBe(winner?.body.schedules.full.cron);
  });

  test.each([
    [{ schedules: { full: { cron: '0 2 * *' } } }, 'body.schedules.full.cron', /has 4 fields/],
    [{ schedules: { full: { cron: '0 0 30 2 *' } } }, 'body.schedules.full.cron', /never runs/],
    [
      { schedules: { data: { cron: '0 2 * * *', time_zone: 'Europe/Wien' } } },
      'body.schedules.data.time_zone',
      /IANA time zone/,
    ],
    [
      { schedules: { data: { cron: '0 2 * * *', time_zone: '+01:00' } } },
      'body.schedules.data.time_zone',
      /IANA time zone/,
    ],
    [{ schedules: { full: { cron: '0 2 * * *', enabled: 'no' } } }, 'body.schedules.full.enabled', /boolean/],
    [{ schedules: { full: null, weekly: null } }, 'body.schedules.weekly', /not a known field/],
    [
      { schedules: { schema: { cron: '0 2 * * *', masked: true } } },
      'body.schedules.schema.masked',
      /rows of their own/,
    ],
    [{ schedules: {} }, 'body.schedules', /must name a type/],
    [{ schedules: { full: null }, as_configured: ['full'] }, 'body.as_configured.0', /either/],
    [{ version: -1, schedules: { full: null } }, 'body.version', /./],
  ])('that says %j is refused, naming %s', async (body, field, message) => {
    const before = await get();
    const { status, problem } = await change(body);
    expect(status).toBe(400);
    expect(problem.errors).toEqual([{ field, message: expect.stringMatching(message) }]);
    expect(await get()).toEqual(before);
  });

  test('is an administrator’s, and of a configured database', async () => {
    const body = { version: 0, schedules: { full: null } };
    expect((await put(body, { as: ['operator'] })).status).toBe(403);
    expect((await put(body, { query: { database: 'other' } })).status).toBe(404);
  });

  test('that EventBridge Scheduler takes in part only is taken back as a whole', async () => {
    await change({ as_configured: ['full', 'schema', 'data'] });
    const before = await get();
    // `full` is changed, `data` cannot be made, however often it is tried.
    const fault = {
      service: 'scheduler',
      operation: 'CreateSchedule',
      status: 402,
      code: 'ServiceQuotaExceededException',
    };
    await api.services.faults.set({ ...fault, times: 10 } as never);
    const refused = await put({
      version: before.version,
      schedules: { full: { cron: '1 1 * * *' }, data: { cron: '2 2 * * *' } },
    });
    expect([refused.status, refused.problem.code]).toEqual([503, 'schedules_not_applied']);
    expect(await get()).toEqual(before);
    expect(await scheduleOf('full-shop')).toMatchObject({ ScheduleExpression: 'cron(0 2 ? * SUN *)' });
  });
});

describe('a schedule that another hand has', () => {
  test('disabled or removed is seen, and put right by the next look', async () => {
    await change({ schedules: { full: { cron: '0 6 * * *' } }, as_configured: ['schema'] });
    const { Name, GroupName, ScheduleExpression, FlexibleTimeWindow, Target } = await scheduler.send(
      new GetScheduleCommand({ GroupName: SCHEDULE_GROUP, Name: 'full-shop' }),
    );
    const disabled = { Name, GroupName, ScheduleExpression, FlexibleTimeWindow, Target, State: 'DISABLED' as const };
    await scheduler.send(new UpdateScheduleCommand(disabled));
    await scheduler.send(new DeleteScheduleCommand({ GroupName: SCHEDULE_GROUP, Name: 'schema-shop' }));
    const { schedules } = await get();
    expect([schedules.full.applied, schedules.schema.applied]).toEqual([false, false]);
    const [report] = await watch();
    expect(report).toMatchObject({ database: 'shop', repaired: ['full', 'schema'] });
    expect(await scheduleOf('full-shop')).toMatchObject({ State: 'ENABLED' });
    const [again] = await watch();
    expect(again).toMatchObject({ altered: [], repaired: [] });
  });
});

describe('a run', () => {
  const due = (minutesAgo: number) => new Date(Math.floor(Date.now() / 60_000 - minutesAgo) * 60_000).toISOString();
  const run = (at: string, execution: string, type: 'full' | 'schema' = 'full') =>
    scheduledRun(api.table, { database: 'crm', backup_type: type }, at, execution);
  const register = (execution: string | null, type: 'full' | 'schema' = 'full', include: string[] | null = null) =>
    registerBackup(api.table, {
      database: 'crm',
      requestedBy: 'schedule',
      backupType: type,
      customName: null,
      include,
      ...(execution ? { claim: executionClaim(execution) } : {}),
    });
  const end = (jobId: string) => failJob(api.table, jobId, { code: 'x', message: 'x', next_step: 'x' });
  const lastRuns = async (type = 'full') => (await get('crm')).schedules[type].last_runs;

  test('is shown with its job and what came of it', async () => {
    const at = due(3);
    const begun = run(at, 'execution-1');
    expect(await begun.admit()).toBe('admitted');
    expect((await lastRuns())[0]).toMatchObject({ due_at: at, outcome: 'running', job_id: null });
    const { job } = await register('execution-1');
    await begun.registered(job.id, job.backup_id ?? '');
    expect((await lastRuns())[0]).toMatchObject({ outcome: 'running', job_id: job.id, backup_id: job.backup_id });
    await end(job.id);
    expect((await lastRuns())[0]).toMatchObject({ outcome: 'failed', started_at: expect.any(String) });
  });

  test('that comes while one of its type is at work is recorded as skipped; one of another type begins', async () => {
    const { job } = await register(null);
    const at = due(2);
    expect(await run(at, 'execution-2').admit()).toBe('skipped');
    expect((await lastRuns())[0]).toMatchObject({ due_at: at, outcome: 'skipped', job_id: job.id });
    expect(await run(at, 'execution-3', 'schema').admit()).toBe('admitted');
    await end(job.id);
    // One of a part of the database does not stand for one of all of it.
    const part = await register(null, 'full', ['sales.*']);
    expect(await run(due(1), 'execution-4').admit()).toBe('admitted');
    await end(part.job.id);
    await end((await register('execution-4')).job.id);
  });

  test('that is delivered twice begins once, and the same execution may ask again', async () => {
    const at = due(0);
    expect(await run(at, 'execution-5').admit()).toBe('admitted');
    expect(await run(at, 'execution-6').admit()).toBe('repeated');
    expect(await run(at, 'execution-5').admit()).toBe('admitted');
    await end((await register('execution-5')).job.id);
  });

  test('is let in alone when several come at the same moment, before any has a job', async () => {
    const runs = Array.from({ length: 6 }, (_, index) => run(due(-1 - index), `execution-7${index}`).admit());
    const admissions = await Promise.all(runs);
    expect(admissions.sort()).toEqual(['admitted', ...Array(5).fill('skipped')]);
  });
});

describe('a run that never came', () => {
  const store = () => createScheduleStore(api.table);
  const hourly = { cron: '0 * * * *', time_zone: 'UTC', enabled: true };
  const hour = (ago: number) => new Date((Math.floor(Date.now() / 3_600_000) - ago) * 3_600_000).toISOString();
  const dues = async (): Promise<[string, string][]> => {
    const { last_runs } = (await get('crm')).schedules.data;
    return last_runs.map(({ due_at, outcome }: ScheduleRun) => [due_at, outcome]);
  };

  test('is listed with the time it was due, recorded, and told to CloudWatch, until it comes late after all', async () => {
    await change({ schedules: { data: { cron: hourly.cron } } }, 'crm');
    // As if it had been so for some hours, of which one run came.
    const { applied } = await store().read('crm');
    await store().recordApplied('crm', { ...applied, data: { ...hourly, since: hour(5) } });
    const [came, missed, first] = [hour(2), hour(3), hour(4)];
    const run = (due: string, execution: string) =>
      scheduledRun(api.table, { database: 'crm', backup_type: 'data' }, due, execution).admit();
    expect(await run(came, 'execution-8')).toBe('admitted');
    const expected = [
      [came, 'running'],
      [missed, 'missed'],
      [first, 'missed'],
    ];
    const older = async () => (await dues()).filter(([due]) => due <= came);
    expect(await older()).toEqual(expected);
    const reportOf = async () => (await watch()).find(({ database }) => database === 'crm');
    const report = await reportOf();
    expect(report?.missed.filter(({ due_at }) => due_at < came)).toEqual([
      { backup_type: 'data', due_at: first },
      { backup_type: 'data', due_at: missed },
    ]);
    expect(await older()).toEqual(expected);
    const again = await reportOf();
    expect(again?.missed_lately).toBe((report?.missed_lately ?? 0) + (again?.missed.length ?? 0));
    expect(again?.missed_lately).toBeGreaterThanOrEqual(2);
    expect(await latestMetric()).toBe(again?.missed_lately);
    await run(missed, 'execution-9');
    expect((await older())[1]).toEqual([missed, 'skipped']);
  });

  async function latestMetric(): Promise<number | undefined> {
    const { namespace, name, group } = missedRunsMetric;
    const cloudwatch = new CloudWatchClient(clientOptions(api.services.endpoints.cloudwatch));
    const { Datapoints = [] } = await cloudwatch.send(
      new GetMetricStatisticsCommand({
        Namespace: namespace,
        MetricName: name,
        Dimensions: [{ Name: group, Value: SCHEDULE_GROUP }],
        StartTime: new Date(Date.now() - 7_200_000),
        EndTime: new Date(Date.now() + 3_600_000),
        Period: 86_400,
        Statistics: ['Maximum'],
      }),
    );
    cloudwatch.destroy();
    return Math.max(...Datapoints.map(({ Maximum = 0 }) => Maximum));
  }
});
