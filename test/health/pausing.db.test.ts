import { CloudWatchClient, PutMetricDataCommand } from '@aws-sdk/client-cloudwatch';
import pg from 'pg';
import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest';
import { openServerlessFront, type ServerlessFront } from '../../local/postgres/managed/serverless.ts';
import { captureDatabase } from '../../shared/recovery/capture-database.ts';
import { DATABASE, startWatched, type Watched } from '../alerts/support/watched.ts';
import { clientOptions } from '../local/aws/support.ts';
import { type ManagedServer, startManagedServer } from '../support/managed-server.ts';
import { targetFor } from '../support/servers.ts';

/** Aurora Serverless v2 at 0 ACU: a server that is managed as Aurora is, behind a front that pauses. */
const PAUSE_AFTER_MS = 300;
let managed: ManagedServer;
let watched: Watched;
let cloudwatch: CloudWatchClient;
const fronts: ServerlessFront[] = [];

beforeAll(async () => {
  managed = await startManagedServer('aurora');
  watched = await startWatched();
  cloudwatch = new CloudWatchClient(clientOptions(watched.services.endpoints.cloudwatch));
  const Engine = 'aurora-postgresql';
  await watched.services.putInstance({
    ...{ DBInstanceIdentifier: 'nights-1', DBClusterIdentifier: 'nights', Engine },
    DBInstanceClass: 'db.serverless',
  });
  await watched.services.putCluster({
    ...{ DBClusterIdentifier: 'nights', Engine },
    ServerlessV2ScalingConfiguration: { MinCapacity: 0, MaxCapacity: 4, SecondsUntilAutoPause: 300 },
    DBClusterMembers: [{ DBInstanceIdentifier: 'nights-1', IsClusterWriter: true }],
  });
  await watched.only({ availability: { for_seconds: 0 } });
});
afterEach(async () => {
  vi.useRealTimers();
  for (const front of fronts.splice(0)) await front.close();
});
afterAll(async () => {
  cloudwatch?.destroy();
  await watched?.close();
  await managed?.stop();
});

async function open(resumeMs: number): Promise<ServerlessFront> {
  const front = await openServerlessFront(managed.server, { pauseAfterMs: PAUSE_AFTER_MS, resumeMs });
  fronts.push(front);
  return front;
}

/** A sampler as each invocation makes it: its connection is closed after the sample. */
async function sample(front: Pick<ServerlessFront, 'port'>, { waitMs = 5000, allowPause = true } = {}) {
  const place = { ...managed.server, port: front.port };
  const { limits, ...target } = targetFor(place, 'postgres', { applicationName: 'dbms sample' });
  const watcher = watched.watcher(
    { ...target, limits: { ...limits, connect_timeout_ms: waitMs } },
    { kind: 'aurora', host: 'nights.cluster-c1abc.eu-west-1.rds.amazonaws.com', allow_pause: allowPause },
  );
  return watched.watch(watcher).finally(() => watcher.close());
}

/** What CloudWatch says of the instance, a moment ago. */
const publish = (capacity: number, connections: number) =>
  cloudwatch.send(
    new PutMetricDataCommand({
      Namespace: 'AWS/RDS',
      MetricData: Object.entries({ ServerlessDatabaseCapacity: capacity, DatabaseConnections: connections }).map(
        ([MetricName, Value]) => ({
          ...{ MetricName, Value, Timestamp: new Date(Date.now() - 60_000) },
          Dimensions: [{ Name: 'DBInstanceIdentifier', Value: 'nights-1' }],
        }),
      ),
    }),
  );

const later = (milliseconds: number) => vi.setSystemTime(Date.now() + milliseconds);

test('a database at 0 ACU pauses while it is watched, and stays paused, with a heartbeat for each sample', async () => {
  vi.useFakeTimers({ toFake: ['Date'] });
  const front = await open(200);
  // The first learns from AWS that it may pause, the second that nobody else uses it.
  for (let round = 1; round <= 2; round++) {
    const { state } = await sample(front);
    expect(state.latest?.values).toMatchObject({ up: 1 });
    later(30_000);
  }
  await expect.poll(() => front.state()).toBe('paused');
  for (let round = 1; round <= 12; round++) {
    await publish(round < 4 ? 0.5 : 0, 0);
    const { state, changes } = await sample(front);
    expect(state.latest?.values).toEqual({ samples_taken: 1 });
    expect([state.unreachable, changes]).toEqual([null, []]);
    later(60_000);
  }
  // A run of the capture connects to nothing while recovery is off, and that cannot be turned on.
  const target = targetFor({ ...managed.server, port: front.port }, 'postgres');
  const { table } = watched;
  expect(await captureDatabase(DATABASE, { table, target } as never)).toEqual({ status: 'off' });
  expect([front.state(), front.pauses()]).toEqual(['paused', 1]);

  const application = new pg.Client({ ...managed.server, port: front.port, database: 'postgres' });
  await application.connect();
  await publish(2, 1);
  const { state } = await sample(front);
  expect(state).toMatchObject({ suspended: null, latest: { values: { up: 1 } } });
  await application.end();
});

test('without allow_pause each sample is a connection, which wakes it', async () => {
  const front = await open(50);
  await expect.poll(() => front.state()).toBe('paused');
  for (let round = 1; round <= 2; round++) {
    const { state } = await sample(front, { allowPause: false });
    expect(state.latest?.values).toMatchObject({ up: 1 });
    await expect.poll(() => front.pauses()).toBe(round + 1);
  }
});

test('a resume that takes longer than samples wait is no alert; a database that is down for longer is one', async () => {
  vi.useFakeTimers({ toFake: ['Date'] });
  const front = await open(60_000);
  await expect.poll(() => front.state()).toBe('paused');
  for (let round = 1; round <= 2; round++) {
    const { state, changes } = await sample(front, { waitMs: 200 });
    expect([state.unreachable, changes, await watched.alerts()]).toEqual([null, [], []]);
    expect(state.failures).toMatchObject([{ part: 'pause', reason: expect.stringContaining('may be resuming') }]);
    later(30_000);
  }
  const { state, changes } = await sample(front, { waitMs: 200 });
  expect(state.unreachable).toMatchObject({ code: 'database_unreachable' });
  expect(changes).toMatchObject([{ level: 'CRITICAL' }]);
  expect(watched.emails()).not.toEqual([]);
});
