import type { Backup, BackupDamage } from '../../contract/schemas/backup.ts';
import { createBackupCatalog, damageOf } from '../../state/backups.ts';
import { recordLostBase } from '../../state/recovery.ts';
import type { StateTable } from '../../state/table.ts';
import { backupPrefix } from '../layout.ts';
import type { Bucket } from '../listing.ts';
import { inspectManifest } from '../stored-manifest.ts';

/**
 * Looks whether S3 still has the manifest of a complete backup, and notes at the backup what it says. Without a manifest the backup is
 * damaged from now on; when the manifest is there again, it is not. What an earlier validation found speaks against it as well.
 *
 * @param backup - gets what was found, so that the rules of this run go by it
 * @param now - by S3's clock
 * @throws the errors of S3 and DynamoDB
 */
export async function lookAtStored(
  backup: Backup,
  { s3, bucket, table }: Bucket & { table: StateTable },
  now: Date,
): Promise<void> {
  const catalog = createBackupCatalog(table);
  const { storedAt, lockedUntil } = await inspectManifest({ s3, bucket }, backupPrefix(backup.database, backup.id));
  if (storedAt && backup.stored_at === null) {
    backup.stored_at = storedAt.toISOString();
    backup.locked_until = lockedUntil?.toISOString() ?? null;
    await catalog.recordStored(backup.id, backup);
  }
  if (backup.damage === null) {
    const damage = storedAt ? earlierDamage(backup) : lostManifest(now);
    if (damage === null || !(await catalog.recordDamage(backup.id, damage))) return;
    backup.status = 'damaged';
    backup.damage = damage;
    if (damage.found_by !== 'restore') await recordLostBase(table, backup, now);
  } else if (storedAt && backup.damage.code === LOST && (await catalog.recordIntact(backup.id, backup.damage))) {
    backup.status = 'available';
    backup.damage = null;
  }
}

const LOST = 'manifest_missing';

function lostManifest(now: Date): BackupDamage {
  const message =
    'S3 has no manifest of it any more, without which nothing of it can be read. Where the bucket keeps versions, the manifest can be brought back from them.';
  return { found_at: now.toISOString(), found_by: 'retention', code: LOST, message };
}

/** Found before backups were marked as damaged: a drill that failed holds until another passes, whatever was read since. */
function earlierDamage({ last_validation, last_drill }: Pick<Backup, 'last_validation' | 'last_drill'>) {
  const failed = [last_validation, last_drill].find((validation) => validation?.outcome === 'failed');
  return failed ? damageOf(failed) : null;
}
