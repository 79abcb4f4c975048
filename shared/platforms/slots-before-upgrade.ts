/** What becomes of logical replication slots in a major upgrade, and so what must be done with them before. */
export type SlotsBeforeUpgrade = 'drop' | 'consume';

/** PostgreSQL 17 is the first version from which pg_upgrade takes logical slots along, when their changes have been consumed. */
const MIGRATED_SINCE = 170_000;

/**
 * PostgreSQL documentation, pg_upgrade, "Prepare for publisher upgrades": the old server must be 17 or newer, and every slot without
 * changes that are not consumed.
 *
 * @param version - `server_version_num` of the server before the upgrade
 */
export function slotsBeforeUpgrade(version: number): SlotsBeforeUpgrade {
  return version >= MIGRATED_SINCE ? 'consume' : 'drop';
}
