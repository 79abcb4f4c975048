import type { PlatformReplication } from '../platform.ts';

/**
 * RDS and Aurora do not limit the log that slots keep: `max_slot_wal_keep_size` is unset in their groups ("Aurora PostgreSQL
 * cluster-level parameters"; the same on RDS). Streaming with IAM: Amazon RDS User Guide, "IAM database authentication for PostgreSQL
 * replication connections".
 */
export const managedReplication: PlatformReplication = {
  enable: 'Set rds.logical_replication to 1 in the parameter group and restart the server.',
  unlimitedSlots:
    'AWS sets no limit by default, and nobody can free a disk that the log has filled: set max_slot_wal_keep_size (in MB, such as 10240) in the parameter group; it needs no restart.',
  iamSetting: 'rds.iam_auth_for_replication',
};
