import { OperationError } from '../../errors.ts';
import { listed } from '../../listed.ts';
import type { ConnectionTarget } from '../../postgres/connect.ts';
import { quoteIdentifier } from '../../postgres/identifiers.ts';
import type { SchemaDump } from '../../postgres/pg-dump/schema-dump.ts';
import { builtSql } from './built.sql.ts';
import { openRestoreSession } from './session.ts';

/** Entries that become an index or a constraint, which the catalog of the database then lists by the entry's name. */
const BUILT = new Set(['INDEX', 'CONSTRAINT', 'FK CONSTRAINT', 'CHECK CONSTRAINT']);

/** How a definition says that rows are not to be held against it. */
const UNCHECKED = /\bNOT (VALID|ENFORCED)\b/;

/**
 * Looks in the catalog of a restored database for every index and constraint that the backup defines, and whether each is valid.
 * A constraint that was not validated in the source, as its definition says, need not be.
 *
 * @throws OperationError `structure_differs` naming what is missing or not valid
 */
export async function verifyBuilt(target: ConnectionTarget, database: string, { entries }: SchemaDump): Promise<void> {
  const client = await openRestoreSession(target, database, 'UTF8');
  try {
    const { rows } = await client.query<{ schema: string; name: string; own_name: string; valid: boolean }>(builtSql);
    const present = new Set(rows.map(({ schema, name }) => JSON.stringify([schema, name])));
    const missing = entries
      .filter(({ type, schema, name }) => BUILT.has(type) && !present.has(JSON.stringify([schema, name])))
      .map(({ type, schema, name }) => `${type} ${schema}.${name} is missing`);
    const unchecked = entries.filter(({ sql }) => UNCHECKED.test(sql)).map(({ sql }) => sql);
    const isMeant = (name: string): boolean =>
      unchecked.some((sql) => sql.includes(quoteIdentifier(name)) || sql.includes(name));
    const invalid = rows
      .filter(({ valid, own_name: name }) => !valid && !isMeant(name))
      .map(({ schema, name }) => `${schema}.${name} is not valid`);
    if (missing.length + invalid.length === 0) return;
    throw new OperationError(
      'structure_differs',
      `The restored database differs from the backup's definitions: ${listed([...missing, ...invalid])}`,
      'Use another backup, and report this.',
    );
  } finally {
    await client.end().catch(() => undefined);
  }
}
