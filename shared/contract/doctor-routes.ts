import { defineRoute } from './define-route.ts';
import { databaseQuerySchema } from './schemas/common.ts';
import { doctorSchema } from './schemas/doctor.ts';

/** The route of the doctor. */
export const doctorRoutes = [
  defineRoute({
    operationId: 'examineDatabase',
    method: 'GET',
    path: '/doctor',
    leastRole: 'viewer',
    servedBy: 'doctor-api',
    tag: 'Health',
    summary: 'Examine what works with a database',
    description:
      'Logs in with the configured login and says for each feature whether it works, works with limits or does not work, and why, with the exact statement or command that cures it. Nothing is changed. What could not be read is `unknown`. The result is kept, and is part of `GET health`.',
    query: databaseQuerySchema,
    responses: { 200: { description: 'What was found.', schema: doctorSchema } },
  }),
] as const;
