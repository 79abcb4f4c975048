/** What an address of AWS leads to. */
export type EndpointType =
  /** One instance. */
  | 'instance'
  /** Whichever instance of a cluster takes writes. */
  | 'writer'
  /** Any of the readers of a cluster, another one for each connection. */
  | 'reader'
  /** Some of the instances of a cluster, another one for each connection. */
  | 'custom'
  | 'proxy'
  /** The writer of a global database, in whichever region it is. */
  | 'global'
  /** A shard group of Aurora PostgreSQL Limitless Database. */
  | 'shard-group'
  /** Aurora DSQL. */
  | 'dsql';

export interface RdsEndpoint {
  type: EndpointType;
  /** The first label: the identifier of what it leads to, or the name of the endpoint alone. */
  name: string;
  /** null of global endpoints. */
  region: string | null;
}

/**
 * Endpoints of the standard regions, and of those of China and GovCloud, where region and service may be the other way round. The forms
 * are those that AWS's own drivers recognise: https://github.com/aws/aws-advanced-jdbc-wrapper, RdsUtils.java.
 */
const RDS =
  /^([a-z][a-z0-9-]*)\.(?:(?:endpoint\.)?(proxy-)|(cluster-custom-|cluster-ro-|cluster-|shardgrp-|limitless-|global-))?[a-z0-9]+\.(?:([a-z0-9-]+)\.rds|rds\.([a-z0-9-]+))\.amazonaws\.com(?:\.cn)?$/;
const DSQL = /^([a-z0-9]+)\.dsql(?:-[a-z0-9]+)?\.([a-z0-9-]+)\.on\.(?:aws|amazonwebservices\.com\.cn)$/;

const types: Readonly<Record<string, EndpointType>> = {
  'proxy-': 'proxy',
  'cluster-': 'writer',
  'cluster-ro-': 'reader',
  'cluster-custom-': 'custom',
  'shardgrp-': 'shard-group',
  'limitless-': 'shard-group',
  'global-': 'global',
};

/** Reads an address. Null: it is none of AWS's, such as a name of one's own (CNAME), which says nothing. */
export function readEndpoint(host: string): RdsEndpoint | null {
  const lower = host.toLowerCase().replace(/\.$/, '');
  const [, id, dsqlRegion] = DSQL.exec(lower) ?? [];
  if (id !== undefined) return { type: 'dsql', name: id, region: dsqlRegion ?? null };
  const [, name, proxy, kind, before, after] = RDS.exec(lower) ?? [];
  if (name === undefined) return null;
  const type = types[proxy ?? kind ?? ''] ?? 'instance';
  return { type, name, region: type === 'global' ? null : (before ?? after ?? null) };
}

/** What the addresses that lead to no certain server are called, and why work that needs the server cannot use them. */
const uncertain: Readonly<Partial<Record<EndpointType, { name: string; recognised_by: string; instead: string }>>> = {
  proxy: {
    name: 'an RDS Proxy',
    recognised_by: 'the address is that of a proxy endpoint',
    instead: 'the address of the server itself',
  },
  reader: {
    name: 'the reader endpoint of a cluster, which leads each connection to another instance',
    recognised_by: 'the address begins its second part with cluster-ro-',
    instead: 'the cluster endpoint (`.cluster-`)',
  },
  custom: {
    name: 'a custom endpoint of a cluster, which leads each connection to another instance',
    recognised_by: 'the address begins its second part with cluster-custom-',
    instead: 'the cluster endpoint (`.cluster-`)',
  },
};

/** Recognises by its address what lends a connection to any of several servers; null: nothing of the kind. */
export function uncertainEndpoint(host: string): { name: string; recognised_by: string; instead: string } | null {
  const endpoint = readEndpoint(host);
  return (endpoint && uncertain[endpoint.type]) ?? null;
}

/** What this system does not work with at all, in words; null: nothing of the kind. */
export function unsupportedEndpoint(host: string): string | null {
  switch (readEndpoint(host)?.type) {
    case 'dsql':
      return 'is of Aurora DSQL, which has neither exported snapshots nor replication slots nor pg_dump: use AWS Backup there';
    case 'shard-group':
      return 'is of Aurora PostgreSQL Limitless Database, whose rows lie on many servers without a common snapshot for other tools: use snapshots of the cluster there';
    case 'global':
      return "is the global endpoint of an Aurora Global Database, which leads to another region after a failover: name the cluster endpoint of this deployment's region (`.cluster-`)";
    default:
      return null;
  }
}
