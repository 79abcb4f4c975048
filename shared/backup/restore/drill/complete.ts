import { OperationError } from '../../../errors.ts';
import { listed } from '../../../listed.ts';
import type { Manifest } from '../../manifest.ts';

/** Warnings that say why a table is not there: an extension that the server would not create, or what the login may not. */
const REASONS = /^(?:Left out of the drill|Extension .+ is left out)/;

/**
 * A drill that could not make every table proves nothing of the rows of those: it passes only when it made them all. Tables that an
 * extension keeps for itself, such as the jobs of pg_cron, are named by a warning alone: they are there or not with the extension.
 *
 * @param asked - what was to be restored
 * @param restored - what could be made of it
 * @param why - the warnings of the drill
 * @throws OperationError `drill_incomplete` naming the tables with rows that are left out
 */
export function assertAllTables(asked: Manifest, restored: Manifest, why: readonly string[]): void {
  const made = new Set(restored.tables.map(({ oid }) => oid));
  const place = ({ schema, name }: { schema: string; name: string }): string => JSON.stringify([schema, name]);
  const own = new Set((asked.extensions ?? []).flatMap(({ relations }) => relations.map(place)));
  const missing = asked.tables.filter((table) => table.rows > 0 && !made.has(table.oid) && !own.has(place(table)));
  if (missing.length === 0) return;
  const names = missing.map(({ schema, name }) => `${schema}.${name}`);
  throw new OperationError(
    'drill_incomplete',
    `All else of the backup was restored, but the rows of ${names.length === 1 ? '1 table' : `${names.length} tables`} were not tried, as the drill server would not create what they need: ${listed(names)}. ${why.filter((each) => REASONS.test(each)).join('; ')}`,
    'If extensions are the cause, install them on the drill server and allow them there, and have a superuser (on RDS a member of rds_superuser) be its login: it creates them before the drill fills its database. Otherwise restore the backup once by hand, or leave these tables out of it.',
  );
}
