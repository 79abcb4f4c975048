import type { Finding } from '../contract/schemas/doctor.ts';
import { OperationError } from '../errors.ts';
import { platformOf } from '../platforms/platforms.ts';
import type { ConnectionTarget } from '../postgres/connect.ts';
import type { Context } from './check.ts';
import { rowChecks } from './checks/rows.ts';
import { runChecks } from './examine.ts';
import { readFacts } from './read-facts.ts';

export interface BeforeBackup {
  target: ConnectionTarget;
  database: Context['database'];
  configuration: Context['configuration'];
  signal: AbortSignal;
  /** Whether rows that policies hide and large objects that the login may not read are left out of the backup; by default they stop it. */
  leavesOut?: boolean;
}

/** What a backup can go without. */
const LEFT_OUT: ReadonlySet<string> = new Set(['rows_hidden_by_policies', 'large_objects_not_readable']);

/** The longest time before a backup, in milliseconds: what is not read by then is left to the backup itself. */
const LIMIT_MS = 30_000;

/**
 * Refuses a backup of a whole database that the login cannot make, before anything is exported: it names every lack with the statement that
 * cures it. Where that cannot be read, the backup goes on and says itself what stops it.
 *
 * @throws OperationError `backup_impossible`
 */
export async function assertBackupPossible({
  target,
  database,
  configuration,
  signal,
  leavesOut = false,
}: BeforeBackup): Promise<void> {
  const platform = platformOf(database);
  const within = AbortSignal.any([signal, AbortSignal.timeout(LIMIT_MS)]);
  const read = await readFacts(target, platform.privileges, within).catch(() => null);
  if (read === null) return;
  const context = { database, platform, server: null, configuration, pooler: read.pooler, now: Date.now() };
  const { findings } = runChecks(
    read,
    context,
    rowChecks.filter(({ id }) => !(leavesOut && LEFT_OUT.has(id))),
  );
  const stopping = findings.filter(({ stops }) => stops.includes('backup'));
  if (stopping.length > 0) throw refusalOf(stopping);
}

function refusalOf(findings: readonly Finding[]): OperationError {
  const statements = findings.flatMap(({ remediation }) => remediation.map(({ statement }) => statement));
  const [first] = findings.flatMap(({ remediation }) => remediation);
  return new OperationError(
    'backup_impossible',
    `Nothing was exported: ${findings.map(({ message }) => message).join('; ')}`,
    `Run as ${first?.run_as ?? 'the owner'}: ${statements.join(' ')} GET doctor shows all that is missing.`,
  );
}
