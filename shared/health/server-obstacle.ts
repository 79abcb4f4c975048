import type { Database } from '../configuration/runtime.ts';
import { knownCode } from '../core/errors/kinds.ts';
import { OperationError } from '../errors.ts';
import { serverNeededFor } from '../postgres/pooler.ts';
import type { SessionKind } from '../postgres/session-settings.ts';
import { configuredPooler } from '../postgres/target.ts';
import type { StateTable } from '../state/table.ts';
import { readWatch } from './sample-store.ts';

/**
 * Says before a job is begun that it needs the server itself and the configuration leads to a connection pooler: by the address, by
 * what AWS says of it, or by what the sampler has met there. The job's own sessions look again.
 *
 * @param kind - of the job's sessions
 * @returns `server_needed` or `server_unsupported`; null where nothing is known against it
 * @throws the SDK's errors
 */
export async function serverObstacle(
  table: StateTable,
  database: Database,
  kind: SessionKind,
): Promise<OperationError | null> {
  const configured = configuredPooler(database);
  if (configured) return serverNeededFor(kind, configured.place, configured.pooler);
  const { pooler, server } = await readWatch(table, database.id);
  const blocking = server?.findings.find(({ blocks }) => blocks !== 'nothing');
  if (blocking) {
    const code = knownCode(blocking.code, 'server_needed');
    return new OperationError(code, `${blocking.message}. Nothing was begun.`, blocking.nextStep);
  }
  if (database.direct) return null;
  return pooler && serverNeededFor(kind, database, pooler);
}
