import { DAY_MS } from '../../time.ts';
import { atOnce, brief, type CheckDefinition } from './definition.ts';

const DAY_SECONDS = DAY_MS / 1000;
const HOUR_SECONDS = 3600;

/** What a restore could bring back. */
export const backupChecks = {
  backup_age: {
    ...atOnce,
    title: 'Newest backup too old',
    metric: 'backup_age_seconds',
    levels: { WARNING: 8 * DAY_SECONDS, ERROR: 15 * DAY_SECONDS },
    hysteresis: 0,
    whatToDo: 'See in GET jobs why backups fail or did not start, and take one with POST backups.',
  },
  damaged_backups: {
    ...atOnce,
    title: 'Backup damaged',
    metric: 'damaged_backups',
    levels: { ERROR: 1 },
    hysteresis: 0,
    whatToDo:
      'GET backups?status=damaged names it and what was found. It counts as no backup any more: take a new one with POST backups, find the cause, then validate the others. It can be restored as far as it is there; when it is of no use, delete it.',
  },
  capture_age: {
    ...brief,
    title: 'Newest captured change too old',
    metric: 'capture_age_seconds',
    levels: { WARNING: 900, ERROR: 3600 },
    whatToDo: 'Changes since then could not be restored. See why the capture fails.',
  },
  copies_late: {
    ...atOnce,
    title: 'Backup not copied to the second region',
    metric: 'uncopied_seconds',
    levels: { WARNING: 2 * HOUR_SECONDS, ERROR: DAY_SECONDS },
    hysteresis: 0,
    whatToDo:
      "Look at the replication of the backups' bucket in S3: the rule, its role, and the bucket and key in the second region.",
  },
  copies_failed: {
    ...atOnce,
    title: 'Objects could not be copied to the second region',
    metric: 'failed_copies',
    levels: { ERROR: 1 },
    hysteresis: 0,
    whatToDo:
      'S3 does not try again by itself. Remove the cause, then copy what failed with S3 Batch Replication: docs/disaster-recovery.md.',
  },
  proven_backup_age: {
    ...atOnce,
    title: 'Newest proven backup too old',
    metric: 'proven_backup_age_seconds',
    levels: { WARNING: 15 * DAY_SECONDS, ERROR: 45 * DAY_SECONDS },
    hysteresis: 0,
    whatToDo: 'Validate a backup: only one that has been restored is known to be good.',
  },
} as const satisfies Readonly<Record<string, CheckDefinition>>;
