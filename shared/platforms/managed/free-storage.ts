import type { CloudWatchClient } from '@aws-sdk/client-cloudwatch';
import { readFreeStorage } from '../../aws/free-storage.ts';
import { rdsNamesOf } from '../../aws/rds-names.ts';
import type { FreeSpace, NamedDatabase } from '../platform.ts';

/** The free storage of the instance that the endpoint or the configuration names. */
export async function readInstanceStorage(server: NamedDatabase, cloudwatch: CloudWatchClient): Promise<FreeSpace> {
  const { instance } = rdsNamesOf(server);
  if (instance === null) {
    const host = server.direct?.host ?? server.host;
    return { is: 'unknown', reason: `The address ${host} does not name an RDS instance (set instance_id)` };
  }
  try {
    const bytes = await readFreeStorage(cloudwatch, instance);
    if (bytes !== null) return { is: 'known', bytes };
    return { is: 'unknown', reason: `CloudWatch has no recent FreeStorageSpace of the instance ${instance}` };
  } catch (error) {
    return { is: 'unknown', reason: `CloudWatch did not answer (${(error as Error).name})` };
  }
}
