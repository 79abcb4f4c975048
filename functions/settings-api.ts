import { addressFilter } from '../shared/access/address.ts';
import { dynamodbClient } from '../shared/aws/clients.ts';
import { readEnvironment } from '../shared/configuration/environment.ts';
import { findDatabase, loadConfiguration } from '../shared/configuration/load.ts';
import { createApiHandler } from '../shared/http/api-handler.ts';
import { listRevocations, revokeTokens } from '../shared/security/access/revocations.ts';
import { endWaiver, readWaivers, waiveRule } from '../shared/security/compliance/waivers.ts';
import { changeSecuritySettings, describeSecuritySettings } from '../shared/security/settings/change-settings.ts';
import { openTable } from '../shared/state/table.ts';

const table = openTable(dynamodbClient(), readEnvironment(['stateTable']).stateTable);
const configuration = loadConfiguration();
const dependencies = { table, configuration };

async function waiversOf(database: string) {
  const waivers = Object.entries(await readWaivers(table, database)).map(([rule, waiver]) => ({ rule, ...waiver }));
  return { status: 200 as const, body: { database, waivers } };
}

/** It connects to no database: what decides who may do what is out of reach of the functions that do. */
export const handler = createApiHandler('settings-api', {
  getSecuritySettings: async () => ({ status: 200, body: await describeSecuritySettings(dependencies) }),
  putSecuritySettings: async ({ body, caller, address }) => {
    await changeSecuritySettings(dependencies, {
      change: body,
      by: caller.sub,
      isWithin: (ranges) => address === null || addressFilter(ranges)(address),
    });
    return { status: 200, body: await describeSecuritySettings(dependencies) };
  },
  revokeTokens: async ({ body, caller }) => {
    await revokeTokens(table, body, caller.sub);
    return { status: 200, body: { revocations: await listRevocations(table) } };
  },
  waiveRule: async ({ params, query, body, caller }) => {
    const database = findDatabase(configuration, query.database).id;
    await waiveRule(table, { database, rule: params.rule, by: caller.sub, request: body });
    return waiversOf(database);
  },
  endWaiver: async ({ params, query }) => {
    const database = findDatabase(configuration, query.database).id;
    await endWaiver(table, database, params.rule);
    return waiversOf(database);
  },
});
