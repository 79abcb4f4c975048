import { gzipSync } from 'node:zlib';
import { CloudWatchClient, PutMetricDataCommand } from '@aws-sdk/client-cloudwatch';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { alarmChanged } from '../../shared/alerts/alarm-changed.ts';
import { listAlerts } from '../../shared/alerts/alert-store.ts';
import { reportFilter, troublesOf } from '../../shared/alerts/function-reports.ts';
import { LOOK_EVERY_MS } from '../../shared/alerts/throttled-functions.ts';
import { openTroubles, QUIET_MS } from '../../shared/alerts/troubled-functions.ts';
import { watchFunctions } from '../../shared/alerts/watch-functions.ts';
import { runtimeConfigurationSchema } from '../../shared/configuration/runtime.ts';
import { readSubscription } from '../../shared/security/audit/database-log/read-subscription.ts';
import { clientOptions } from '../local/aws/support.ts';
import { type StateService, startState } from '../state/support.ts';

const login = { type: 'iam', user: 'dbms', resource_id: 'db-X' };
const configuration = runtimeConfigurationSchema.parse({
  databases: [{ id: 'shop', kind: 'rds', host: 'shop.example', name: 'shop', login }],
  alert_emails: ['dba@example.com'],
});
const functions = ['dbms-backup', 'dbms-jobs-api'];
const now = Date.parse('2026-11-30T12:00:00Z');
let state: StateService;
let cloudwatch: CloudWatchClient;
beforeEach(async () => {
  state = await startState();
  cloudwatch = new CloudWatchClient(clientOptions(state.services.endpoints.cloudwatch));
});
afterEach(async () => {
  cloudwatch?.destroy();
  await state?.close();
});

const dependencies = () => ({ table: state.table, configuration, cloudwatch, functions });
const alerts = async () =>
  (await listAlerts(state.table, { database: null, limit: 50 })).items
    .map(({ cause, status }) => `${cause} ${status}`)
    .sort();

/** A delivery of CloudWatch Logs, as a subscription gets it. */
function delivery(name: string, ...records: object[]) {
  const logEvents = records.map((record, index) => ({
    id: String(index),
    timestamp: now + index,
    message: JSON.stringify({ time: '2026-11-30T12:00:00.000Z', type: 'platform.report', record }),
  }));
  const message = { messageType: 'DATA_MESSAGE', logGroup: `/aws/lambda/${name}`, logStream: 's', logEvents };
  return { awslogs: { data: gzipSync(JSON.stringify(message)).toString('base64') } };
}
const report = (status: string, durationMs: number, errorType?: string) => ({
  requestId: 'request-1',
  metrics: { durationMs, billedDurationMs: Math.ceil(durationMs), memorySizeMB: 256, maxMemoryUsedMB: 120 },
  status,
  ...(errorType === undefined ? {} : { errorType }),
});
const take = async (event: unknown) => openTroubles(dependencies(), troublesOf(await readSubscription(event)));

describe('a function that failed', () => {
  test('has one alert as long as it fails, with how and which request it was, and one mail waits', async () => {
    const [id] = await take(delivery('dbms-backup', report('timeout', 900_000)));
    expect(await take(delivery('dbms-backup', report('error', 12.4, 'Runtime.ExitError')))).toEqual([]);
    const { items } = await listAlerts(state.table, { database: null, limit: 10 });
    expect(items).toMatchObject([
      {
        id,
        database: null,
        cause: 'function:dbms-backup/errors',
        title: 'A function failed',
        level: 'ERROR',
        status: 'open',
        detail: 'dbms-backup: timeout after 900000 ms, request request-1',
        mail: { status: 'waiting' },
      },
    ]);
  });

  test('is over once it has not failed for ten minutes, and no sooner', async () => {
    await take(delivery('dbms-backup', report('failure', 5, 'Error')));
    await watchFunctions(dependencies(), now + QUIET_MS - 1000);
    expect(await alerts()).toEqual(['function:dbms-backup/errors open']);
    await watchFunctions(dependencies(), now + QUIET_MS + 1000);
    expect(await alerts()).toEqual(['function:dbms-backup/errors resolved']);
    // And may fail again.
    expect(await take(delivery('dbms-backup', report('failure', 5, 'Error')))).toHaveLength(1);
  });

  test('and one that takes long are two alerts', async () => {
    await take(delivery('dbms-jobs-api', report('failure', 5, 'Error'), report('success', 27_000)));
    expect(await alerts()).toEqual(['function:dbms-jobs-api/duration open', 'function:dbms-jobs-api/errors open']);
  });
});

test('a filter asks for no duration of a durable function, which takes all of its time by design', () => {
  expect(reportFilter({ timeoutMs: 28_000, isDurable: false })).toBe(
    '{ $.type = "platform.report" && ($.record.status != "success" || $.record.metrics.durationMs >= 25200) }',
  );
  expect(reportFilter({ timeoutMs: 900_000, isDurable: true })).toBe(
    '{ $.type = "platform.report" && $.record.status != "success" }',
  );
});

describe('functions that were not started', () => {
  const ring = (value: string, at: number) =>
    alarmChanged(dependencies(), {
      'detail-type': 'CloudWatch Alarm State Change',
      time: new Date(at).toISOString(),
      detail: { alarmName: 'dbms/account/throttles', state: { value, reason: 'Threshold Crossed' } },
    });
  const throttle = (name: string, at: number, Value = 3) =>
    cloudwatch.send(
      new PutMetricDataCommand({
        Namespace: 'AWS/Lambda',
        MetricData: [
          {
            MetricName: 'Throttles',
            Dimensions: [{ Name: 'FunctionName', Value: name }],
            Timestamp: new Date(at),
            Value,
          },
        ],
      }),
    );

  test('are found by the alarm about the account, each with an alert of its own', async () => {
    await throttle('dbms-jobs-api', now - 60_000);
    await throttle('somebody-elses', now - 60_000);
    expect((await ring('ALARM', now))?.change).toBe('opened');
    expect(await alerts()).toEqual(['function:dbms-jobs-api/throttles open']);
    await ring('OK', now + 300_000);
    await watchFunctions(dependencies(), now + QUIET_MS + 1000);
    expect(await alerts()).toEqual(['function:dbms-jobs-api/throttles resolved']);
  });

  test('are no alert where they are of others alone', async () => {
    await throttle('somebody-elses', now - 60_000);
    expect(await ring('ALARM', now)).toBeNull();
    expect(await alerts()).toEqual([]);
  });

  test('are found also while the alarm rings about others, and never tells of anything new', async () => {
    await ring('ALARM', now);
    const later = now + 3_600_000;
    await throttle('dbms-backup', later - 60_000);
    await watchFunctions(dependencies(), later);
    expect(await alerts()).toEqual(['function:dbms-backup/throttles open']);
    // It is over when it was not seen again, though the alarm still rings.
    for (let at = later + LOOK_EVERY_MS / 2; at < later + 2_400_000; at += LOOK_EVERY_MS / 2) {
      await watchFunctions(dependencies(), at);
    }
    expect(await alerts()).toEqual(['function:dbms-backup/throttles resolved']);
  });
});
