import { dynamodbClient } from '../shared/aws/clients.ts';
import { readEnvironment } from '../shared/configuration/environment.ts';
import { findDatabase, loadConfiguration } from '../shared/configuration/load.ts';
import { createApiHandler } from '../shared/http/api-handler.ts';
import { reaches } from '../shared/http/caller.ts';
import { requestCancellation } from '../shared/jobs/cancel.ts';
import { concernedBy } from '../shared/security/audit/concerned-by.ts';
import { createJobStore } from '../shared/state/jobs.ts';
import { openTable } from '../shared/state/table.ts';

const configuration = loadConfiguration();
const table = openTable(dynamodbClient(), readEnvironment(['stateTable']).stateTable);
const jobs = createJobStore(table);

export const handler = createApiHandler('jobs-api', {
  listJobs: async ({ query, caller }) => {
    const page = await jobs.list({ ...query, database: findDatabase(configuration, query.database).id });
    // A restore may go to the server of another database, or into that.
    const items = page.items.filter((job) =>
      concernedBy(job, configuration.databases).every((id) => reaches(caller, id)),
    );
    return { status: 200, body: { ...page, items } };
  },
  cancelJob: async ({ params }) => ({ status: 202, body: await requestCancellation(table, params.id) }),
  getJob: async ({ params }) => ({ status: 200, body: await jobs.get(params.id) }),
});
