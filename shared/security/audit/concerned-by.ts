import type { Database } from '../../configuration/runtime.ts';
import type { Job } from '../../contract/schemas/job.ts';
import { areOnOneServer } from '../../postgres/target.ts';

type Placed = Pick<Job, 'kind' | 'database' | 'environment' | 'target_database'>;

/**
 * Ids of the configured databases that a job is about: that of its backup, that to whose server a restore goes, and the one that the restore replaces,
 * fills or adds tables to, where the request has named it by its name on the server.
 */
export function concernedBy(job: Placed, databases: readonly Database[]): string[] {
  const server = databases.find(({ id }) => id === (job.environment ?? job.database));
  const target = server && databases.find((each) => each.name === job.target_database && areOnOneServer(each, server));
  return [job.database, job.environment ?? job.database, ...(job.kind === 'restore' && target ? [target.id] : [])];
}
