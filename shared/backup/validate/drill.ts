import type pg from 'pg';
import type { BackupSettings } from '../../configuration/runtime.ts';
import type { ConnectionTarget } from '../../postgres/connect.ts';
import { createRunLogin, dropLeftRunLogins, dropRunLogin, runLoginName } from '../../postgres/run-login/run-login.ts';
import type { ReportProgress } from '../../progress/progress.ts';
import type { ObjectStore } from '../objects/object-store.ts';
import { UnfinishedRestore } from '../restore/failure.ts';
import { discardDatabase, dropExpiredDatabases } from '../restore/restore-record.ts';
import { type RestoreDependencies, type RestoreSummary, runRestore } from '../restore/run-restore.ts';
import { openServerSession } from '../restore/server-session.ts';
import { dropStagingDatabase } from '../restore/target-database.ts';

const PREFIX = 'dbms_drill_';

/** The name of the scratch database of a drill: it says what it is, and whose. */
export function drillDatabase(jobId: string): string {
  return `${PREFIX}${jobId.toLowerCase().replaceAll('-', '_')}`;
}

/** The job whose drill made a database of that name; null when none did. */
function jobOf(database: string): string | null {
  const [, ulid] = /^dbms_drill_job_([0-9a-hjkmnp-tv-z]{26})$/.exec(database) ?? [];
  return ulid === undefined ? null : `job-${ulid.toUpperCase()}`;
}

export interface DrillDependencies {
  /** The drill server; its database is the one that CREATE DATABASE is sent from. */
  target: ConnectionTarget;
  store: ObjectStore;
  settings: BackupSettings;
  report: ReportProgress;
  signal: AbortSignal;
  /** Repeats changes on what is restored; see `RestoreDependencies`. */
  replay?: RestoreDependencies['replay'];
  /** Whether a job is known and has ended, so that what is left of its drill is nobody's. */
  hasEnded(jobId: string): Promise<boolean>;
}

/**
 * Restores a backup into a scratch database, counts its rows, looks over its indexes and constraints, and drops it. It is filled by a login
 * that is made for it and dropped after it: what the owners of tables have written runs with that login's rights, which end with the
 * database. Neither roles nor owners nor privileges are restored: they would be left on the server. First it drops what drills
 * before it have left.
 *
 * @throws OperationError with the cause; UnfinishedRestore after a passing one: the next attempt of the same job goes on
 */
export async function runDrill(
  { jobId, backupId, database }: { jobId: string; backupId: string; database: string },
  { hasEnded, ...dependencies }: DrillDependencies,
): Promise<RestoreSummary> {
  const { target, signal } = dependencies;
  signal.throwIfAborted();
  await dropLeftovers(target, hasEnded);
  const runLogin = await withServerSession(target, (client) => createRunLogin(client, target, jobId));
  let goesOn = false;
  try {
    return await runRestore(
      {
        jobId,
        backupId,
        database,
        targetDatabase: drillDatabase(jobId),
        mode: 'drill',
        resumable: true,
        withoutOwners: true,
        withoutPrivileges: true,
        missingRoles: 'skip',
        analyze: false,
      },
      { ...dependencies, runLogin },
    );
  } catch (error) {
    goesOn = error instanceof UnfinishedRestore;
    throw error;
  } finally {
    if (!goesOn) {
      // What is left is dropped by the job's last step, or by the next drill.
      await withServerSession(target, (client) => dropRunLogin(client, runLogin.name)).catch(() => undefined);
    }
  }
}

/** Drops the scratch database of a drill that has ended, and its login, if they are there still. */
export async function discardDrill(target: ConnectionTarget, jobId: string): Promise<void> {
  await discardDatabase(target, drillDatabase(jobId));
  await withServerSession(target, (client) => dropRunLogin(client, runLoginName(jobId)));
}

async function withServerSession<Result>(
  target: ConnectionTarget,
  use: (client: pg.Client) => Promise<Result>,
): Promise<Result> {
  const client = await openServerSession(target, []);
  try {
    return await use(client);
  } finally {
    await client.end().catch(() => undefined);
  }
}

/** Drops the scratch databases of drills whose job has ended, and logins of runs that have ended. Those of jobs that nobody here knows may be another system's. */
async function dropLeftovers(target: ConnectionTarget, hasEnded: DrillDependencies['hasEnded']): Promise<void> {
  await withServerSession(target, async (client) => {
    for (const { name } of await drillDatabases(client)) {
      const job = jobOf(name);
      if (job === null || !(await hasEnded(job))) continue;
      await dropStagingDatabase(client, name).catch((error: unknown) => {
        // Another drill may be at it, or the login may not: the leftover keeps nobody from a drill.
        if ((error as { code?: string }).code === undefined) throw error;
      });
    }
    await dropExpiredDatabases(client);
    await dropLeftRunLogins(client, hasEnded);
  });
}

async function drillDatabases(client: pg.Client): Promise<{ name: string }[]> {
  const { rows } = await client.query<{ name: string }>(
    'SELECT datname AS name FROM pg_catalog.pg_database WHERE pg_catalog.starts_with(datname, $1)',
    [PREFIX],
  );
  return rows;
}
