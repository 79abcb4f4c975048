import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import { CloudWatchClient } from '@aws-sdk/client-cloudwatch';
import { SESClient } from '@aws-sdk/client-ses';
import { PutCommand } from '@aws-sdk/lib-dynamodb';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { listAlerts } from '../../shared/alerts/alert-store.ts';
import { watchRound } from '../../shared/alerts/watch-round.ts';
import { runtimeConfigurationSchema } from '../../shared/configuration/runtime.ts';
import { DATABASE_DIMENSION, type MetricValues } from '../../shared/health/metrics.ts';
import type { EmbeddedMetrics, Published } from '../../shared/health/publish.ts';
import { emptyWatch } from '../../shared/health/sample-store.ts';
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
      createWatcher({ table, cloudwatch, rds: undefined as never, database, target, configuration }),
    ]),
  );
  const ending = new AbortController();
  silent.once('connection', () => ending.abort());
  const failed: string[] = [];
  const published: unknown[] = [];
  await watchRound({
    ...{ table, configuration, cloudwatch, ses, watchers, functions: [], namespace: 'Tested', signal: ending.signal },
    published: 'heartbeat',
    publish: (metrics) => published.push(metrics[DATABASE_DIMENSION]),
    linkTo: () => null,
    failed: (what, error) => failed.push(`${what}: ${error}`),
  });
  expect(failed).toEqual([]);
  // Those that were under way, and none after them.
  const opened = await Promise.all(
    ids.map(async (database) => (await listAlerts(table, { database, limit: 10 })).items.map(({ cause }) => cause)),
  );
  expect(opened.filter((causes) => causes.length > 0)).toEqual(
    Array.from({ length: 10 }, () => ['check:availability']),
  );
  expect(sockets.size).toBe(10);
  expect(state.services.emails()).toHaveLength(10);
  expect(published.sort()).toEqual(ids.filter((_, index) => (opened[index]?.length ?? 0) > 0).sort());
});

describe('the heartbeat of a database', () => {
  const configuration = runtimeConfigurationSchema.parse({
    databases: [
      {
        id: 'shop',
        kind: 'self-managed',
        host: '127.0.0.1',
        name: 'shop',
        login: { type: 'iam', user: 'u', resource_id: 'db-X' },
      },
    ],
    alert_emails: ['dba@example.com'],
  });
  const watcher = (values: MetricValues): Watcher => ({
    sample: async () => ({ ...emptyWatch, latest: { at: Date.now(), values: { samples_taken: 1, ...values } } }),
    close: async () => undefined,
  });
  async function round(database: string, values: MetricValues, published: Published = 'heartbeat') {
    const [lines, failed]: [EmbeddedMetrics[], string[]] = [[], []];
    await watchRound({
      ...{ table: state.table, configuration, cloudwatch, ses, functions: [], namespace: 'Tested', published },
      watchers: new Map([[database, watcher(values)]]),
      publish: (metrics) => lines.push(metrics),
      linkTo: () => null,
      failed: (what) => failed.push(what),
      signal: AbortSignal.timeout(10_000),
    });
    return { lines, failed };
  }

  test('is published once its sample was held against the thresholds, also of a database that is down', async () => {
    const { lines, failed } = await round('shop', { up: 0, connections: 7 });
    expect(failed).toEqual([]);
    expect(lines).toMatchObject([
      {
        _aws: {
          CloudWatchMetrics: [
            { Namespace: 'Tested', Dimensions: [['Database']], Metrics: [{ Name: 'SamplesTaken', Unit: 'Count' }] },
          ],
        },
        Database: 'shop',
        SamplesTaken: 1,
      },
    ]);
  });

  test('stops where alerts cannot be opened, so that the alarm on missing samples rings', async () => {
    const { table } = state;
    const Item = { pk: 'STANDING#spoilt', sk: 'STANDING', standing: 'no JSON' };
    await table.documents.send(new PutCommand({ TableName: table.name, Item }));
    expect(await round('spoilt', { up: 0 })).toEqual({ lines: [], failed: ['spoilt'] });
  });

  test('comes with every metric that has a name, where that is asked for', async () => {
    const { lines } = await round('shop', { up: 1, connection_usage: 0.4, connections: 7, disk_usage: null }, 'all');
    expect(lines).toMatchObject([{ SamplesTaken: 1, DatabaseUp: 1, ConnectionUsage: 0.4 }]);
    expect(Object.keys(lines[0] ?? {}).sort()).toEqual([
      'ConnectionUsage',
      'Database',
      'DatabaseUp',
      'SamplesTaken',
      '_aws',
    ]);
  });
});
