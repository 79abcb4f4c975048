import type pg from 'pg';
import { effectiveChecks, readSettings } from '../shared/alerts/settings.ts';
import { readStanding } from '../shared/alerts/watch-alerts.ts';
import { dynamodbClient, lambdaClient, secretsManagerClient } from '../shared/aws/clients.ts';
import { readEnvironment } from '../shared/configuration/environment.ts';
import { findDatabase, loadConfiguration } from '../shared/configuration/load.ts';
import { readReport } from '../shared/doctor/store.ts';
import { readBlocking } from '../shared/health/connections/blocking-tree.ts';
import { closeIdle, connectionStats, listSessions, terminateSession } from '../shared/health/connections/sessions.ts';
import { describeHealth, isFresh } from '../shared/health/describe-health.ts';
import { readHistory } from '../shared/health/history.ts';
import { samplerOf, watchOnDemand } from '../shared/health/sample-on-demand.ts';
import { createApiHandler } from '../shared/http/api-handler.ts';
import { monitoringTarget } from '../shared/postgres/target.ts';
import { withConnection } from '../shared/postgres/with-connection.ts';
import { openTable } from '../shared/state/table.ts';

const configuration = loadConfiguration();
const environment = readEnvironment(['stateTable', 'samplerFunctionArn']);
const table = openTable(dynamodbClient(), environment.stateTable);
const ask = samplerOf(lambdaClient(), environment.samplerFunctionArn);

/** Looking must not take long where something else already does. */
const LOOK_TIMEOUT_MS = 10_000;

/** Works on a connection of its own to a configured database, and tells its id. */
async function onDatabase<Result>(id: string | undefined, work: (client: pg.Client) => Promise<Result>) {
  const database = findDatabase(configuration, id);
  const clients = { secretsManager: secretsManagerClient() };
  const target = monitoringTarget(database, configuration.connections, clients, 'dbms look');
  const limits = { kind: 'monitoring' as const, statementTimeoutMs: LOOK_TIMEOUT_MS, lockTimeoutMs: 1_000 };
  return { database: database.id, ...(await withConnection(target, limits, work)) };
}

export const handler = createApiHandler('health-api', {
  getHealth: async ({ query }) => {
    const database = findDatabase(configuration, query.database);
    const { settings } = await readSettings(table, database.id);
    const { trackers } = await readStanding(table, database.id);
    const doctor = await readReport(table, database.id);
    const intervalSeconds = configuration.thresholds.health_check_interval_seconds;
    const { state, unsampled } = await watchOnDemand({
      table,
      database: database.id,
      isFresh: (known) => isFresh(known, intervalSeconds),
      ask,
    });
    const body = describeHealth(state, {
      database,
      checks: effectiveChecks(settings, configuration.thresholds),
      standings: trackers,
      intervalSeconds,
      unsampled,
      doctor,
    });
    return { status: 200, body };
  },
  getMetricsHistory: async ({ query }) => {
    const request = {
      database: findDatabase(configuration, query.database),
      hours: query.hours,
      names: query.metrics?.split(',') ?? [],
      retentionHours: configuration.metrics_retention_hours,
    };
    return { status: 200, body: await readHistory(table, request) };
  },
  getConnectionStats: async ({ query }) => ({
    status: 200,
    body: await onDatabase(query.database, connectionStats),
  }),
  listConnections: async ({ query }) => {
    const { database: _, ...page } = await onDatabase(query.database, (client) => listSessions(client, query));
    return { status: 200, body: page };
  },
  closeIdleConnections: async ({ query, body }) => ({
    status: 200,
    body: await onDatabase(query.database, (client) => closeIdle(client, body)),
  }),
  terminateConnection: async ({ params, query }) => ({
    status: 200,
    body: await onDatabase(query.database, (client) => terminateSession(client, Number(params.pid))),
  }),
  getLocks: async ({ query }) => ({ status: 200, body: await onDatabase(query.database, readBlocking) }),
});
