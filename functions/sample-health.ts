import type { Context } from 'aws-lambda';
import { linksFrom } from '../shared/alerts/link.ts';
import { watchRound } from '../shared/alerts/watch-round.ts';
import { cloudwatchClient, dynamodbClient, rdsClient, secretsManagerClient, sesClient } from '../shared/aws/clients.ts';
import { readEnvironment } from '../shared/configuration/environment.ts';
import { loadConfiguration } from '../shared/configuration/load.ts';
import { isMinuteOfSamples } from '../shared/health/sampling-interval.ts';
import { createWatcher } from '../shared/health/watch-database.ts';
import { createLogger } from '../shared/http/log.ts';
import { monitoringTarget } from '../shared/postgres/target.ts';
import { openTable } from '../shared/state/table.ts';

const environment = readEnvironment([
  'stateTable',
  'alertLink',
  'mailEvents',
  'metricNamespace',
  'publishedMetrics',
  'watchedFunctions',
]);
const configuration = loadConfiguration();
const table = openTable(dynamodbClient(), environment.stateTable);
const logger = createLogger('sample-health');

/** Made once: a watcher remembers the times of statements from one round to the next. */
const watchers = new Map(
  configuration.databases.map((database) => {
    const clients = { secretsManager: secretsManagerClient() };
    const target = monitoringTarget(database, configuration.connections, clients, 'dbms sample');
    return [
      database.id,
      createWatcher({ table, cloudwatch: cloudwatchClient(), rds: rdsClient(), database, target, configuration }),
    ] as const;
  }),
);

/** Left of the invocation's time for what is under way when it is over. */
const CLOSING_TIME_MS = 8_000;

/**
 * Samples every database once. A rule calls it each minute, by itself and for the further samples of the minute through queues that keep
 * each back for its time.
 *
 * @throws Error naming what failed
 */
export async function handler(event: unknown, context: Pick<Context, 'getRemainingTimeInMillis'>): Promise<void> {
  const interval = configuration.thresholds.health_check_interval_seconds;
  if (isScheduled(event) && !isMinuteOfSamples(interval, Date.now())) return;
  const failures: string[] = [];
  await watchRound({
    table,
    watchers,
    configuration,
    cloudwatch: cloudwatchClient(),
    functions: environment.watchedFunctions.split(','),
    namespace: environment.metricNamespace,
    published: environment.publishedMetrics === 'all' ? 'all' : 'heartbeat',
    // As it is: within a line of the logger CloudWatch would not find it.
    publish: (metrics) => void process.stdout.write(`${JSON.stringify(metrics)}\n`),
    ses: sesClient(),
    linkTo: linksFrom(environment.alertLink),
    configurationSet: environment.mailEvents,
    signal: AbortSignal.timeout(Math.max(1, context.getRemainingTimeInMillis() - CLOSING_TIME_MS)),
    failed: (what, error) => {
      failures.push(what);
      logger.error('A part of the sampling failed', { part: what, error: error as Error });
    },
  });
  if (failures.length > 0) throw new Error(`Sampling failed: ${failures.join(', ')}; the log says why`);
}

/** Whether EventBridge's rule called by itself: who asks for a sample at another time gets one. */
const isScheduled = (event: unknown): boolean =>
  typeof event === 'object' && event !== null && 'detail-type' in event && event['detail-type'] === 'Scheduled Event';
