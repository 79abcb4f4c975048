import { createBackupCatalog } from '../state/backups.ts';
import { type Copies, readCopies } from '../state/copies.ts';
import { readRecovery } from '../state/recovery.ts';
import type { StateTable } from '../state/table.ts';
import { backupAges } from './backup-ages.ts';
import type { MetricValues } from './metrics.ts';

/**
 * How old the newest backup of a database is, the newest proven one, and what is captured of its changes; unknown while there is none.
 * The age of a capture counts on when the window was closed: nothing is captured then.
 */
export async function readAges(table: StateTable, database: string, now = Date.now()): Promise<MetricValues> {
  const entries = await createBackupCatalog(table).entries(database);
  const { newest, newestProven, damaged } = backupAges(
    entries.map(({ backup }) => backup),
    now,
  );
  const recovery = await readRecovery(table, database);
  const copies = await readCopies(table, database);
  // While it is paused nothing is to be captured; an alert of its own says so.
  const isPaused = recovery?.closed?.code === 'paused';
  const captured = recovery && !isPaused ? Date.parse(recovery.captured_at ?? recovery.turned_on_at) : null;
  return {
    backup_age_seconds: newest,
    proven_backup_age_seconds: newestProven,
    damaged_backups: damaged,
    capture_age_seconds: captured === null ? null : Math.max(0, Math.round((now - captured) / 1000)),
    ...copyValues(copies, now),
  };
}

/** An answer of S3 older than this says nothing of now: three of the hourly looks did not come. */
const COPIES_KNOWN_MS = 3 * 3_600_000;

/** How long the oldest backup has waited for its copy, and how many objects have none; unknown where nobody has looked lately. */
function copyValues(copies: Copies | null, now: number): Pick<MetricValues, 'uncopied_seconds' | 'failed_copies'> {
  if (copies === null) return { uncopied_seconds: null, failed_copies: null };
  const isKnown = now - Date.parse(copies.checked_at) < COPIES_KNOWN_MS;
  const waiting = copies.waiting_since === null ? 0 : Math.max(0, now - Date.parse(copies.waiting_since));
  return {
    uncopied_seconds: isKnown ? Math.round(waiting / 1000) : null,
    // What S3 said itself holds until a look finds otherwise.
    failed_copies: isKnown || copies.failed.length > 0 ? copies.failed.length : null,
  };
}
