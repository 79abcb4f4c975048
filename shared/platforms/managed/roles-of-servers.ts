import { readEndpoint } from '../../aws/rds-endpoint.ts';
import type { NamedDatabase } from '../platform.ts';
import type { DescribedInstance, ServerDescription } from './describe.ts';

/** What a configured address is within a server that AWS has described. */
export type AddressRole =
  | { is: 'instance'; instance: DescribedInstance }
  /** Any of the readers of a cluster. */
  | { is: 'readers' }
  /** Some of a cluster's instances. */
  | { is: 'several' }
  /** AWS knows nothing of that name, such as a name of one's own. */
  | { is: 'unknown' };

/** Resolves an address, or the configured identifier of an instance, by what AWS says of the server. */
export function roleOfAddress(database: NamedDatabase, server: ServerDescription): AddressRole {
  const host = (database.direct?.host ?? database.host).toLowerCase().replace(/\.$/, '');
  const type = readEndpoint(host)?.type;
  const { endpoints, instances, isCluster } = server;
  const is = (address: string | null): boolean => address?.toLowerCase() === host;
  const one = (instance: DescribedInstance | undefined): AddressRole =>
    instance ? { is: 'instance', instance } : { is: 'unknown' };
  if (is(endpoints.reader) || type === 'reader') return { is: 'readers' };
  if (type === 'custom' || endpoints.custom.some(is)) return { is: 'several' };
  if (is(endpoints.writer) || type === 'writer') return one(instances.find(({ isWriter }) => isWriter));
  if (!isCluster) return one(instances[0]);
  const name = database.instance_id ?? readEndpoint(host)?.name;
  return one(instances.find(({ id, address }) => id === name || is(address)));
}
