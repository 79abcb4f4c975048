import { findDatabase } from '../shared/configuration/load.ts';
import { createApiHandler } from '../shared/http/api-handler.ts';
import { configuration, examineAndKeep } from './doctor/dependencies.ts';

/** All ends before API Gateway gives up waiting. */
const REQUEST_MS = 22_000;

export const handler = createApiHandler('doctor-api', {
  examineDatabase: async ({ query }) => {
    const database = findDatabase(configuration, query.database);
    return { status: 200, body: await examineAndKeep(database, AbortSignal.timeout(REQUEST_MS)) };
  },
});
