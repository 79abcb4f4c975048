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

/** A name of one's own (CNAME) says nothing. The second label begins with what kind of endpoint it is, if it is none of an instance. */
const ENDPOINT =
  /^([a-z][a-z0-9-]*)\.(cluster-custom-|cluster-ro-|cluster-|proxy-)?[a-z0-9]+\.[a-z0-9-]+\.rds\.amazonaws\.com(?:\.cn)?$/;

/**
 * The identifiers in an endpoint of RDS. The first label names an instance or, in the cluster's endpoints for its writer and its
 * readers, a cluster; in custom endpoints and in those of proxies it names only these.
 *
 * @param database - `instance_id`: the configured one, which goes before that of the endpoint; `direct`: the server itself, where the
 * host is a connection pooler
 */
export function rdsNamesOf({ host, direct, instance_id }: RdsAddress): RdsNames {
  const [, label = null, kind] = ENDPOINT.exec((direct?.host ?? host).toLowerCase()) ?? [];
  return {
    instance: instance_id ?? (kind === undefined ? label : null),
    cluster: kind === 'cluster-' || kind === 'cluster-ro-' ? label : null,
  };
}
