import { addressFilter } from '../shared/access/address.ts';
import { dynamodbClient } from '../shared/aws/clients.ts';
import { readEnvironment } from '../shared/configuration/environment.ts';
import { loadConfiguration } from '../shared/configuration/load.ts';
import { createApiHandler } from '../shared/http/api-handler.ts';
import { changeSecuritySettings, describeSecuritySettings } from '../shared/security/settings/change-settings.ts';
import { openTable } from '../shared/state/table.ts';

const table = openTable(dynamodbClient(), readEnvironment(['stateTable']).stateTable);
const dependencies = { table, configuration: loadConfiguration() };

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
});
