import { readEndpoint } from './rds-endpoint.ts';

/** How RDS names what is behind an address. Null where that does not tell. */
export interface RdsNames {
  /** DB instance identifier. */
  instance: string | null;
  /** DB cluster identifier, of an Aurora or a Multi-AZ DB cluster. */
  cluster: string | null;
}

interface RdsAddress {
  host: string;
  direct?: { host: string } | undefined;
  instance_id?: string | undefined;
}

/**
 * The identifiers in an endpoint of RDS. The first label names an instance or, in the cluster's endpoints for its writer and its
 * readers, a cluster; in custom endpoints and in those of proxies it names only these.
 *
 * @param database - `instance_id`: the configured one, which goes before that of the endpoint; `direct`: the server itself, where the
 * host is a connection pooler
 */
export function rdsNamesOf({ host, direct, instance_id }: RdsAddress): RdsNames {
  const endpoint = readEndpoint(direct?.host ?? host);
  const isCluster = endpoint?.type === 'writer' || endpoint?.type === 'reader';
  return {
    instance: instance_id ?? (endpoint?.type === 'instance' ? endpoint.name : null),
    cluster: isCluster ? endpoint.name : null,
  };
}
