import example from '../../../infra/config/example.ts';
import type { DeploymentInput } from '../../../infra/config/schema.ts';

/** Nothing that is optional, in no particular region and account. */
export const plain: DeploymentInput = {
  prefix: 'plain',
  databases: example.databases.map(({ vpc: _vpc, ...database }) => database),
  schedules: { full: null, schema: null },
  retention: { log_days: 7, noncurrent_version_days: 3, expiry: null },
  job_timeout_hours: 2,
  removal_policy: 'destroy',
  deletion_protection: false,
};
