import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openAlert } from '../../shared/alerts/alert-store.ts';
import { emptyWatch, putRollUp, putSample, readWatch, writeWatch } from '../../shared/health/sample-store.ts';
import { newAlertId } from '../../shared/state/ids.ts';
import { startApi, type TestApi } from './api.ts';

let api: TestApi;
beforeAll(async () => {
  api = await startApi();
});
afterAll(() => api?.close());

const get = (path: string, query: Record<string, string> = {}) =>
  api.call({ method: 'GET', path, query, as: ['viewer'] });
const checkIn = (body: { checks: { check: string }[] }, name: string) =>
  body.checks.find(({ check }) => check === name);

describe('health', () => {
  test('of a database that nobody has sampled is unknown', async () => {
    const { status, body } = await get('/health', { database: 'crm' });
    expect([status, body.status, body.fresh, body.sampled_at]).toEqual([200, 'unknown', false, null]);
    expect(body.unsampled).toMatch(/could not be asked \(ResourceNotFoundException\)/);
    expect(checkIn(body, 'connections')).toMatchObject({ state: 'unknown', value: null, threshold: 0.8 });
    expect(checkIn(body, 'disk')).toMatchObject({
      source: expect.stringContaining('CloudWatch AWS/RDS FreeStorageSpace'),
    });
  });

  test('is that of the latest sample, with value, threshold and what to do', async () => {
    const values = { up: 1, samples_taken: 1, connection_usage: 0.92, sequence_usage: 0.1 };
    await writeWatch(api.table, 'shop', { ...emptyWatch, latest: { at: Date.now(), values } });
    const { body } = await get('/health');
    expect(body).toMatchObject({ database: 'shop', status: 'warning', fresh: true, interval_seconds: 30 });
    expect(body.unsampled).toBeNull();
    expect(checkIn(body, 'connections')).toMatchObject({ state: 'ERROR', value: 0.92, threshold: 0.9, unit: 'Ratio' });
    expect(checkIn(body, 'connections')).toMatchObject({ what_to_do: expect.stringContaining('close-idle') });
    expect(checkIn(body, 'sequence')).toMatchObject({ state: 'ok', threshold: 0.75 });
    expect(checkIn(body, 'disk')).toMatchObject({ state: 'unknown' });
    expect(body.metrics).toContainEqual(expect.objectContaining({ metric: 'disk_usage', value: null }));
  });

  test('says that a database is down, and why', async () => {
    const unreachable = { code: 'database_unreachable', message: 'No connection', next_step: 'Check the server.' };
    const latest = { at: Date.now(), values: { up: 0, samples_taken: 1 } };
    await writeWatch(api.table, 'shop', { ...(await readWatch(api.table, 'shop')), latest, unreachable });
    const { body } = await get('/health');
    expect(body).toMatchObject({ status: 'down', unreachable });
    expect(checkIn(body, 'availability')).toMatchObject({ state: 'CRITICAL', value: 0 });
  });

  test('of an old sample is unknown', async () => {
    const latest = { at: Date.now() - 120_000, values: { up: 1 } };
    await writeWatch(api.table, 'shop', { ...(await readWatch(api.table, 'shop')), latest, unreachable: null });
    const { body } = await get('/health');
    expect([body.status, body.fresh]).toEqual(['unknown', false]);
  });

  test('is kept by one sampler only', async () => {
    const state = await readWatch(api.table, 'shop');
    expect(await writeWatch(api.table, 'shop', state)).toMatchObject({ version: state.version + 1 });
    expect(await writeWatch(api.table, 'shop', state)).toBeNull();
  });
});

describe('the history', () => {
  const now = Date.now();
  beforeAll(async () => {
    for (let index = 0; index < 8; index++) {
      await putSample(
        api.table,
        'crm',
        { at: now - index * 15_000, values: { connections: 10 + index, up: null } },
        168,
      );
    }
    for (let hours = 1; hours <= 24; hours++) {
      const at = Math.floor(now / 600_000) * 600_000 - hours * 3_600_000;
      await putRollUp(api.table, 'crm', 600, { at, metrics: { connections: [1, 30, 9, 10] } }, 168);
    }
  });

  test('of an hour is that of the samples, with least, mean and most of each period', async () => {
    const { body } = await get('/metrics/history', { database: 'crm', hours: '1', metrics: 'connections,up' });
    expect(body).toMatchObject({ database: 'crm', period_seconds: 30 });
    expect(body.series.map(({ metric }: { metric: string }) => metric)).toEqual(['connections', 'up']);
    const [{ points, source, unit }, up] = body.series;
    expect([source, unit, up.points]).toEqual(['pg_stat_activity', 'Count', []]);
    expect(points.at(-1)).toMatchObject({ min: 10 });
    for (const { min, mean, max } of points) expect(min <= mean && mean <= max).toBe(true);
    const all = points.flatMap(({ min, max }: { min: number; max: number }) => [min, max]);
    expect([Math.min(...all), Math.max(...all)]).toEqual([10, 17]);
  });

  test('of a day is that of the summed-up periods and the samples since, in few points', async () => {
    const { body } = await get('/metrics/history', { database: 'crm', metrics: 'connections' });
    const [{ points }] = body.series;
    expect(points.length).toBeGreaterThan(20);
    expect(points.length).toBeLessThanOrEqual(150);
    expect(points[1]).toMatchObject({ min: 1, mean: 3, max: 9 });
    expect(points.at(-1)).toMatchObject({ min: 10 });
  });

  test.each([
    [{ hours: '0' }, 'query.hours'],
    [{ hours: '169' }, 'query.hours'],
    [{ metrics: 'colour' }, 'query.metrics'],
    [{ metrics: 'a,,b' }, 'query.metrics'],
  ])('refuses %j', async (query, field) => {
    const { status, problem } = await get('/metrics/history', query);
    expect([status, problem.errors?.map((error) => error.field)]).toEqual([400, [field]]);
  });
});

describe('alerts', () => {
  const open = async (cause: string) => {
    const alert = { id: newAlertId(), database: 'shop', cause, title: 'Disk in use', level: 'WARNING' as const };
    const rest = { value: 0.9, threshold: 0.8, unit: 'Ratio', what_to_do: 'A larger disk', detail: null };
    return openAlert(api.table, { ...alert, ...rest }, null, new Date());
  };
  const act = (id: string, what: string, note?: string) =>
    api.call({
      method: 'POST',
      path: `/alerts/${id}/${what}`,
      as: ['operator'],
      sub: 'alice',
      body: note ? { note } : {},
    });

  test('are listed, acknowledged and resolved, and tell who did it', async () => {
    const { id, opened } = await open('check:disk');
    expect([opened, await open('check:disk')]).toEqual([true, { id, opened: false }]);
    const acknowledged = await act(id, 'acknowledge', 'on it');
    expect(acknowledged.body).toMatchObject({ status: 'acknowledged', acknowledged_by: 'alice' });
    expect((await act(id, 'acknowledge')).status).toBe(200);
    expect((await act(id, 'resolve')).body).toMatchObject({ status: 'resolved', resolved_by: 'alice' });
    const { body } = await get('/alerts', { status: 'resolved' });
    expect(body.items).toMatchObject([
      {
        id,
        events: [
          { event: 'opened', by: 'system' },
          { event: 'acknowledged', by: 'alice', note: 'on it' },
          { event: 'resolved' },
        ],
      },
    ]);
    expect((await get('/alerts', { status: 'open' })).body.items).toEqual([]);
    expect((await get('/alerts', { scope: 'system' })).body.items).toEqual([]);
    for (const what of ['acknowledge', 'resolve']) {
      const { status, problem } = await act(id, what);
      expect([status, problem.code]).toEqual([409, 'alert_resolved']);
    }
    // The cause lasts: it has had its alert.
    expect((await open('check:disk')).opened).toBe(false);
  });

  test('that are not there are named', async () => {
    const { status, problem } = await act(newAlertId(), 'resolve');
    expect([status, problem.errors?.[0]?.field]).toEqual([404, 'path.id']);
  });
});

describe('thresholds', () => {
  const put = (body: unknown) => api.call({ method: 'PUT', path: '/alerts/thresholds', sub: 'root', body });

  test('are the defaults, until some are set; what is not named has its default again', async () => {
    const before = (await get('/alerts/thresholds')).body;
    expect(before).toMatchObject({
      database: 'shop',
      escalate_after_seconds: 3600,
      quiet_hours: null,
      changed_by: null,
    });
    expect(before.checks.connections).toMatchObject({
      enabled: true,
      levels: { WARNING: 0.8 },
      metric: 'connection_usage',
    });
    const set = await put({ checks: { connections: { levels: { CRITICAL: 0.5 } }, cache: { enabled: false } } });
    expect(set.body.checks.connections).toMatchObject({ levels: { CRITICAL: 0.5 }, for_seconds: 60 });
    expect(set.body).toMatchObject({ changed_by: 'root', checks: { cache: { enabled: false } } });
    const again = await put({ quiet_hours: { from: '22:00', to: '06:00' }, time_zone: 'Europe/Vienna' });
    expect(again.body.checks).toEqual(before.checks);
    expect((await get('/alerts/thresholds')).body).toEqual(again.body);
  });

  test.each([
    [{ checks: { colour: {} } }, 'body.checks'],
    [{ checks: { disk: { levels: { WARNING: 0.9, CRITICAL: 0.8 } } } }, 'body.checks'],
    [{ checks: { certificate: { levels: { WARNING: 3, CRITICAL: 30 } } } }, 'body.checks'],
    [{ checks: { disk: { levels: { SEVERE: 1 } } } }, 'body.checks.disk.levels.SEVERE'],
    [{ quiet_hours: { from: '25:00', to: '06:00' } }, 'body.quiet_hours.from'],
    [{ time_zone: 'Vienna' }, 'body.time_zone'],
  ])('refuse %j', async (body, field) => {
    const { status, problem } = await put(body);
    expect([status, problem.errors?.map((error) => error.field)]).toEqual([400, [field]]);
  });
});
