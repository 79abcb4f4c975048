import { getAlert } from '../../alerts/alert-store.ts';
import { createBackupCatalog } from '../../state/backups.ts';
import { createJobStore } from '../../state/jobs.ts';
import type { StateTable } from '../../state/table.ts';

/** What a call names of the things that belong to a database. */
export interface Named {
  /** Of a job, a backup, an alert, or anything else. */
  id: string;
  /** Whether it is about one of the configured databases, which `database` names. */
  takesDatabase: boolean;
  database: unknown;
  backupId: unknown;
}

/** Who an id belongs to, by what it begins with. */
const owners: readonly (readonly [
  beginning: string,
  find: (state: StateTable, id: string) => Promise<string | null>,
])[] = [
  ['job-', async (state, id) => (await createJobStore(state).find(id))?.database ?? null],
  ['bkp-', async (state, id) => (await createBackupCatalog(state).find(id))?.database ?? null],
  ['alr-', async (state, id) => (await getAlert(state, id).catch(absent))?.database ?? null],
];

const absent = (error: unknown): null => {
  if ((error as { code?: unknown }).code === 'unknown_alert') return null;
  throw error;
};

/**
 * The configured database that a call concerns; null for none, and for one that is not configured: its chain would be a name that
 * a caller has made up.
 *
 * @throws the SDK's errors
 */
export async function databaseConcerned(
  state: StateTable,
  databases: readonly string[],
  { id, takesDatabase, database, backupId }: Named,
): Promise<string | null> {
  const known = (found: unknown): string | null => databases.find((each) => each === found) ?? null;
  if (takesDatabase) return database === undefined ? (databases[0] ?? null) : known(database);
  for (const named of [id, backupId]) {
    if (typeof named !== 'string') continue;
    const owner = owners.find(([beginning]) => named.startsWith(beginning));
    if (owner) return known(await owner[1](state, named));
  }
  return null;
}
