import { findDatabase } from '../shared/configuration/load.ts';
import { createApiHandler } from '../shared/http/api-handler.ts';
import { changeSchedules } from '../shared/schedules/change.ts';
import { describeSchedules } from '../shared/schedules/describe.ts';
import { dependencies } from './schedules/dependencies.ts';

const { configuration } = dependencies;

export const handler = createApiHandler('schedules-api', {
  getSchedules: async ({ query }) => ({
    status: 200,
    body: await describeSchedules(findDatabase(configuration, query.database).id, dependencies),
  }),
  changeSchedules: async ({ query, body, caller }) => {
    const database = findDatabase(configuration, query.database).id;
    await changeSchedules({ database, changedBy: caller.sub, change: body }, dependencies);
    return { status: 200, body: await describeSchedules(database, dependencies) };
  },
});
