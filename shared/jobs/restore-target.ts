import { findDatabase } from '../configuration/load.ts';
import type { Database, RuntimeConfiguration } from '../configuration/runtime.ts';
import { type RestoreBody, targetDatabaseSchema } from '../contract/schemas/restore.ts';
import { invalidRequest } from '../http/read-request.ts';
import { areOnOneServer } from '../postgres/target.ts';

export interface RestoreTarget {
  /** The database that the backup is of: a configured one, or any when the request names an environment. */
  database: string;
  /** The configured database whose server it is restored to. */
  server: Database;
  /** Its id, where the request names one. */
  environment: string | undefined;
  /** The database to create, or to replace. */
  targetDatabase: string;
  /** The configured database that has this name on that server; undefined: this system does not manage it, if it is there. */
  managed: Database | undefined;
}

/**
 * Says where a request restores to.
 *
 * @throws OperationError `unknown_database`; Refusal 400 for an environment that is not configured, or a system database
 */
export function restoreTarget(
  configuration: Pick<RuntimeConfiguration, 'databases'>,
  query: { database?: string | undefined },
  { environment, target_database: given }: Pick<RestoreBody, 'environment' | 'target_database'>,
): RestoreTarget {
  // Backups outlive the configuration of their database; where to restore to must then be said.
  const database =
    environment !== undefined && query.database !== undefined
      ? query.database
      : findDatabase(configuration, query.database).id;
  const server =
    environment === undefined
      ? findDatabase(configuration, database)
      : configuration.databases.find(({ id }) => id === environment);
  if (!server) {
    const ids = configuration.databases.map(({ id }) => id).join(', ');
    throw invalidRequest([{ field: 'body.environment', message: `is not a configured database; use one of: ${ids}` }]);
  }
  // Only a swap may leave the name out: it then replaces the configured database.
  const parsed = targetDatabaseSchema.safeParse(given ?? server.name);
  if (parsed.success) {
    const managed = configuration.databases.find((each) => each.name === parsed.data && areOnOneServer(each, server));
    return { database, server, environment, targetDatabase: parsed.data, managed };
  }
  throw invalidRequest(parsed.error.issues.map(({ message }) => ({ field: 'body.target_database', message })));
}
