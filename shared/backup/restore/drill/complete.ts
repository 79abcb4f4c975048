import { OperationError } from '../../../errors.ts';
import type { Manifest } from '../../manifest.ts';
import { listed } from '../findings.ts';

/**
 * A drill that could not make every table proves nothing of the rows of those: it passes only when it made them all.
 *
 * @throws OperationError `drill_incomplete` naming the tables with rows that are left out
 */
export function assertAllTables(whole: Manifest, restored: Manifest, why: readonly string[]): void {
  const made = new Set(restored.tables.map(({ oid }) => oid));
  const missing = whole.tables.filter(({ oid, rows }) => rows > 0 && !made.has(oid));
  if (missing.length === 0) return;
  const names = missing.map(({ schema, name }) => `${schema}.${name}`);
  const reason = why.filter((each) => each.startsWith('Left out of the drill')).join('; ');
  throw new OperationError(
    'drill_incomplete',
    `All else of the backup was restored, but the rows of ${missing.length} tables were not tried, as they need what only a superuser creates: ${listed(names)}. ${reason}`,
    'Have a superuser (on RDS a member of rds_superuser) be the login of the drill server if extensions are the cause: it creates them before the drill fills its database. Otherwise restore the backup once by hand, or leave these tables out of it.',
  );
}
