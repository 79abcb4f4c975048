import { backupPrefix } from './layout.ts';
import type { BackupLocation } from './objects/object-store.ts';

/** Prefix and encryption context of one backup's objects. */
export function backupLocation(database: string, backupId: string): BackupLocation {
  return { prefix: backupPrefix(database, backupId), context: { database, backup: backupId } };
}
