import * as z from 'zod';
import { getAlert, unknownAlert } from '../../alerts/alert-store.ts';
import type { Database } from '../../configuration/runtime.ts';
import type { Job } from '../../contract/schemas/job.ts';
import type { OperationError } from '../../errors.ts';
import { createBackupCatalog, unknownBackup } from '../../state/backups.ts';
import { findEvent } from '../../state/begin.ts';
import { createJobStore, unknownJob } from '../../state/jobs.ts';
import type { StateTable } from '../../state/table.ts';
import { concernedBy } from './concerned-by.ts';

/** What a call names of the things that belong to a database. */
export interface Named {
  /** Of a job, a backup, an alert, or anything else. */
  id: string;
  /** Whether it is about one of the configured databases, which `database` names. */
  takesDatabase: boolean;
  database: unknown;
  backupId: unknown;
}

/** In place of the id of a database: the system as a whole. */
const SYSTEM = '';

/** What an id belongs to. */
export interface Owners {
  /** Its database (or {@link SYSTEM}), and for a job those that it changes; null: there is no such thing. */
  found: readonly string[] | null;
  /** What is said of a thing that is not there. */
  unknown: Pick<OperationError, 'code' | 'message' | 'nextStep'>;
}

type Find = (state: StateTable, id: string, databases: readonly Database[]) => Promise<Owners>;

/** By what an id begins with. */
const owners: readonly (readonly [beginning: string, find: Find])[] = [
  [
    'job-',
    async (state, id, databases) => {
      const job = await createJobStore(state).find(id);
      return {
        found: job && [...concernedBy(job, databases), ...(await unmanagedOf(state, job, databases))],
        unknown: unknownJob(id),
      };
    },
  ],
  [
    'bkp-',
    async (state, id) => {
      const backup = await createBackupCatalog(state).find(id);
      return { found: backup && [backup.database], unknown: unknownBackup(id) };
    },
  ],
  [
    'alr-',
    async (state, id) => {
      const alert = await getAlert(state, id).catch(absent);
      return { found: alert && [alert.database ?? SYSTEM], unknown: unknownAlert(id) };
    },
  ],
];

/** Of what a restore is to do. */
const modeSchema = z.object({ mode: z.string().default('new') });

/** {@link SYSTEM} for a restore that changes a database which this system does not manage; otherwise nothing. */
async function unmanagedOf(state: StateTable, job: Job, databases: readonly Database[]): Promise<string[]> {
  if (job.kind !== 'restore' || concernedBy(job, databases).length > 2) return [];
  const event = modeSchema.safeParse(await findEvent(state, job.id));
  return event.success && event.data.mode === 'new' ? [] : [SYSTEM];
}

const absent = (error: unknown): null => {
  if ((error as { code?: unknown }).code === 'unknown_alert') return null;
  throw error;
};

/**
 * Whose the thing is that an id names; null for an id of no known kind.
 *
 * @param databases - those that are configured
 * @throws the SDK's errors
 */
export async function ownersOf(state: StateTable, id: string, databases: readonly Database[]): Promise<Owners | null> {
  const owner = owners.find(([beginning]) => id.startsWith(beginning));
  return owner ? owner[1](state, id, databases) : null;
}

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
    const owner = await ownersOf(state, named, []);
    if (owner) return known(owner.found?.[0]);
  }
  return null;
}
