import type { CloudWatchClient } from '@aws-sdk/client-cloudwatch';
import { readFreeStorage } from '../../aws/free-storage.ts';
import { rdsNamesOf } from '../../aws/rds-names.ts';
import type { Database } from '../../configuration/runtime.ts';
import { type ReadFreeSpace, spaceUnknown } from './free-space.ts';

/** The identifier of an RDS instance: the configured one, or that of its endpoint. Null when neither tells. */
export function instanceIdOf(database: Pick<Database, 'host' | 'direct' | 'instance_id'>): string | null {
  return rdsNamesOf(database).instance;
}

/** How the free space of a configured database's server is found out. Never fails: what is not known is said to be unknown. */
export function freeSpaceOf(server: Database, cloudwatch: CloudWatchClient): ReadFreeSpace {
  if (server.kind === 'aurora') return async () => ({ is: 'growing' });
  if (server.kind === 'self-managed') return spaceUnknown;
  return async () => {
    const instanceId = instanceIdOf(server);
    if (instanceId === null) {
      const host = server.direct?.host ?? server.host;
      return { is: 'unknown', reason: `The address ${host} does not name an RDS instance (set instance_id)` };
    }
    try {
      const bytes = await readFreeStorage(cloudwatch, instanceId);
      if (bytes !== null) return { is: 'known', bytes };
      return { is: 'unknown', reason: `CloudWatch has no recent FreeStorageSpace of the instance ${instanceId}` };
    } catch (error) {
      return { is: 'unknown', reason: `CloudWatch did not answer (${(error as Error).name})` };
    }
  };
}
