import { acknowledgeAlert, listAlerts, resolveByHand } from '../shared/alerts/alert-store.ts';
import { describeSettings, readSettings, writeSettings } from '../shared/alerts/settings.ts';
import { dynamodbClient } from '../shared/aws/clients.ts';
import { readEnvironment } from '../shared/configuration/environment.ts';
import { findDatabase, loadConfiguration } from '../shared/configuration/load.ts';
import { createApiHandler } from '../shared/http/api-handler.ts';
import { openTable } from '../shared/state/table.ts';

const configuration = loadConfiguration();
const table = openTable(dynamodbClient(), readEnvironment(['stateTable']).stateTable);

export const handler = createApiHandler('alerts-api', {
  listAlerts: async ({ query: { database, scope, ...page } }) => ({
    status: 200,
    body: await listAlerts(table, {
      ...page,
      database: scope === 'system' ? null : findDatabase(configuration, database).id,
    }),
  }),
  acknowledgeAlert: async ({ params, body, caller }) => ({
    status: 200,
    body: await acknowledgeAlert(table, params.id, { by: caller.sub, note: body.note, now: new Date() }),
  }),
  resolveAlert: async ({ params, body, caller }) => ({
    status: 200,
    body: await resolveByHand(table, params.id, { by: caller.sub, note: body.note, now: new Date() }),
  }),
  getAlertThresholds: async ({ query }) => {
    const { id } = findDatabase(configuration, query.database);
    return { status: 200, body: describeSettings(id, await readSettings(table, id), configuration.thresholds) };
  },
  putAlertThresholds: async ({ query, body, caller }) => {
    const { id } = findDatabase(configuration, query.database);
    const stored = await writeSettings(table, id, body, caller.sub);
    return { status: 200, body: describeSettings(id, stored, configuration.thresholds) };
  },
});
