/** What the server pretends to be: Amazon RDS for PostgreSQL or Amazon Aurora PostgreSQL. */
export type ManagedKind = 'rds' | 'aurora';

/** The two values that RDS and Aurora allow for `log_line_prefix`; the first is the default. */
export const logLinePrefixes = ['%t:%r:%u@%d:[%p]:', '%m:%r:%u@%d:[%p]:%l:%e:%s:%v:%x:%c:%q%a:'] as const;

/** What differs between managed servers. */
export type ManagedProfile = {
  readonly kind: ManagedKind;
  /** Major version of PostgreSQL. */
  readonly version: number;
  /** Name of the master user; AWS suggests `postgres`. */
  readonly masterUser: string;
  /** Values of the parameter group in place of the defaults, as AWS writes them: whole numbers in base units. */
  readonly parameters: Readonly<Record<string, string>>;
};

/** The superuser that AWS keeps to itself, and its database. */
export const rdsadmin = 'rdsadmin';

/** What the managed service says of itself: `aurora_version()` and the instances of the cluster. */
export const auroraVersions: Readonly<Record<number, string>> = {
  13: '13.23.0',
  14: '14.20.0',
  15: '15.15.0',
  16: '16.11.0',
  17: '17.7.0',
  18: '18.1.0',
};
