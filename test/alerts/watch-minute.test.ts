import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import { CloudWatchClient, GetMetricDataCommand } from '@aws-sdk/client-cloudwatch';
import { SESClient } from '@aws-sdk/client-ses';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { listAlerts } from '../../shared/alerts/alert-store.ts';
import { watchMinute } from '../../shared/alerts/watch-minute.ts';
import { runtimeConfigurationSchema } from '../../shared/configuration/runtime.ts';
import { DATABASE_DIMENSION, metricOf } from '../../shared/health/metrics.ts';
import { roundsOfMinute } from '../../shared/health/sampling-interval.ts';
import { createWatcher, type Watcher } from '../../shared/health/watch-database.ts';
import { clientOptions } from '../local/aws/support.ts';
import { type StateService, startState } from '../state/support.ts';

/** Servers that take connections and then say nothing, as behind a network that has been cut. */
let silent: Server;
const sockets = new Set<Socket>();
let state: StateService;
let cloudwatch: CloudWatchClient;
let ses: SESClient;
beforeAll(async () => {
  state = await startState();
  cloudwatch = new CloudWatchClient(clientOptions(state.services.endpoints.cloudwatch));
  ses = new SESClient(clientOptions(state.services.endpoints.ses));
  silent = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
  });
  await once(silent.listen(0, '127.0.0.1'), 'listening');
});
afterAll(async () => {
  for (const socket of sockets) socket.destroy();
  silent?.close();
  cloudwatch?.destroy();
  ses?.destroy();
  await state?.close();
});

test('once its time is over it begins no sample, tells of those it took, and closes', async () => {
  const login = { type: 'secret', secret_arn: 'arn:aws:secretsmanager:eu-west-1:111122223333:secret:shop' };
  const ids = Array.from({ length: 24 }, (_, index) => `down-${index}`);
  const configuration = runtimeConfigurationSchema.parse({
    databases: ids.map((id) => ({ id, kind: 'self-managed', host: '127.0.0.1', name: 'shop', login })),
    alert_emails: ['dba@example.com'],
  });
  const address = silent.address();
  if (address === null || typeof address === 'string') throw new Error('The server has no port');
  const target = {
    ...{ host: '127.0.0.1', port: address.port, database: 'shop', applicationName: 'dbms sample' },
    credentials: async () => ({ user: 'nobody', password: '' }),
    tls: { mode: 'disable' as const },
    limits: { ...configuration.connections, connect_timeout_ms: 500 },
  };
  const { table } = state;
  const watchers = new Map<string, Watcher>(
    configuration.databases.map((database) => [
      database.id,
      createWatcher({ table, cloudwatch, database, target, configuration }),
    ]),
  );
  const ending = new AbortController();
  silent.once('connection', () => ending.abort());
  const failed: string[] = [];
  await watchMinute({
    ...{ table, configuration, cloudwatch, ses, watchers, namespace: 'Tested', signal: ending.signal },
    rounds: roundsOfMinute(configuration.thresholds.health_check_interval_seconds, Date.now()),
    linkTo: () => null,
    failed: (what, error) => failed.push(`${what}: ${error}`),
  });
  expect(failed).toEqual([]);
  // Those that were under way, and no round after it.
  const opened = await Promise.all(
    ids.map(async (database) => (await listAlerts(table, { database, limit: 10 })).items.map(({ cause }) => cause)),
  );
  expect(opened.filter((causes) => causes.length > 0)).toEqual(
    Array.from({ length: 10 }, () => ['check:availability']),
  );
  expect(sockets.size).toBe(10);
  expect(state.services.emails()).toHaveLength(10);
  const { MetricDataResults = [] } = await cloudwatch.send(
    new GetMetricDataCommand({
      StartTime: new Date(Date.now() - 600_000),
      EndTime: new Date(Date.now() + 600_000),
      MetricDataQueries: ids.map((Value, index) => ({
        Id: `m${index}`,
        MetricStat: {
          Metric: {
            Namespace: 'Tested',
            MetricName: metricOf('samples_taken').publishedAs,
            Dimensions: [{ Name: DATABASE_DIMENSION, Value }],
          },
          Period: 3600,
          Stat: 'Sum',
        },
      })),
    }),
  );
  expect(MetricDataResults.map(({ Values }) => Values).filter((values) => values?.length)).toHaveLength(10);
});
