import type pg from 'pg';
import { OperationError } from '../../../errors.ts';
import { describeProblems, type MaskingRules, planMasking } from '../../../masking/plan/plan-masking.ts';
import { readMaskingCatalog } from '../../../masking/plan/read-catalog.ts';
import { resolveRules } from '../../../masking/plan/resolve-rules.ts';
import { quoteQualified } from '../../../postgres/identifiers.ts';
import type { SchemaDump } from '../../../postgres/pg-dump/schema-dump.ts';
import type { Manifest } from '../../manifest.ts';
import type { BackupSource } from '../load-rows.ts';
import { type RestoreRecord, recordItem } from '../restore-record.ts';
import { isShownToFit, type RowMasking, rowMasking, sampleOfBackup } from './row-masking.ts';
import { keysOf, withKeys } from './trial-keys.ts';

/**
 * Plans the masking of the rows that are to go into a new database, whose tables are there and empty: as for a masked backup, the rules are
 * held against types, keys, foreign keys and checks, and tried on some rows of the backup. An attempt that goes on takes what was shown
 * before.
 *
 * @param client - in the new database, with an empty search path
 * @throws OperationError `masking_refused` naming what does not fit, or `masking_changed`
 */
export async function planInto(
  client: pg.Client,
  masking: MaskingRules,
  {
    manifest,
    schema,
    source,
    record,
    signal,
  }: { manifest: Manifest; schema: SchemaDump; source: BackupSource; record: RestoreRecord; signal: AbortSignal },
): Promise<RowMasking> {
  const catalog = await readMaskingCatalog(client, masking.rules);
  // Keys decide whether rules fit, not what they make: without them, values become the same.
  if (isShownToFit(record, masking)) return rowMasking(resolveRules(masking.rules, catalog).applied, masking);
  const tables = new Set(catalog.columns.map((column) => quoteQualified(column.schema, column.name)));
  const { applied, planned, problems } = await withKeys(client, keysOf(schema, tables), () =>
    planMasking(client, masking, signal, sampleOfBackup(manifest, source, signal)),
  );
  if (problems.length > 0) throw refused(describeProblems(problems, masking.rules));
  const found = rowMasking(applied, masking);
  await record.add(client, [recordItem.masked(masking.version)], [found.summary, ...planned.warnings]);
  return found;
}

export function refused(problems: string): OperationError {
  return new OperationError(
    'masking_refused',
    `The rules of masking do not fit the backup: ${problems}`,
    'Correct them with PUT security/masking, then restore again.',
  );
}
