import { OperationError } from '../../../errors.ts';
import type { CopyMasker } from '../../../masking/copy-masker.ts';
import type { MaskingRules } from '../../../masking/plan/plan-masking.ts';
import type { AppliedRules } from '../../../masking/plan/resolve-rules.ts';
import { type ReadSample, SAMPLE_ROWS } from '../../../masking/plan/try-masks.ts';
import { createTableMasker, type PlannedMask } from '../../../masking/table-masker.ts';
import { quoteQualified } from '../../../postgres/identifiers.ts';
import type { Manifest } from '../../manifest.ts';
import type { BackupSource } from '../load-rows.ts';
import { type RestoreRecord, recordItem } from '../restore-record.ts';
import { firstRows } from './sample-rows.ts';

interface TableName {
  schema: string;
  name: string;
}

/** How rows are masked while they are loaded. */
export interface RowMasking {
  /** What masks one stretch of the rows that go into a table; null: nothing of them is masked. */
  maskerOf(into: TableName, columns: readonly string[]): CopyMasker | null;
  /** Whether the values of a column of a table are. */
  isMasked(into: TableName, column: string): boolean;
  /** Says by which version and what, in words. */
  summary: string;
}

/** @param applied - the rules as they apply to the tables that get the rows */
export function rowMasking(applied: AppliedRules, { version, maskingKey }: MaskingRules): RowMasking {
  const masks = new Map<string, PlannedMask[]>();
  for (const rules of applied.values()) {
    for (const { column, planned } of rules) {
      const name = quoteQualified(column.schema, column.name);
      masks.set(name, [...(masks.get(name) ?? []), planned]);
    }
  }
  const masksOf = ({ schema, name }: TableName): PlannedMask[] => masks.get(quoteQualified(schema, name)) ?? [];
  const columns = [...masks.values()].reduce((sum, each) => sum + each.length, 0);
  return {
    maskerOf: (into, names) => createTableMasker(names, masksOf(into), maskingKey),
    isMasked: (into, column) => masksOf(into).some((planned) => planned.column === column),
    summary: `Rows are masked by version ${version} of the rules: ${columns} columns of ${masks.size} tables`,
  };
}

/** Rows for trying rules before any are loaded: those of a table in the backup, or of a part of a partitioned one. */
export function sampleOfBackup({ tables }: Manifest, source: BackupSource, signal: AbortSignal): ReadSample {
  return async ({ schema, name }) => {
    const table = tables.find(
      ({ rows, root, ...own }) =>
        rows > 0 && ((own.schema === schema && own.name === name) || (root?.schema === schema && root.name === name)),
    );
    const chunk = table?.chunks.find(({ rows }) => rows > 0);
    if (!table || !chunk) return { columns: [], text: Buffer.alloc(0) };
    return { columns: table.columns, text: await firstRows(source, chunk, { rows: SAMPLE_ROWS, signal }) };
  };
}

/**
 * Whether an earlier attempt has shown that the rules fit, and may have loaded rows by them.
 *
 * @throws OperationError `masking_changed`, when it went by another version: rows of two versions would not join
 */
export function isShownToFit(record: RestoreRecord, { version }: MaskingRules): boolean {
  const earlier = [...record.items].find((item) => item.startsWith(recordItem.masked('')));
  if (earlier === undefined) return false;
  if (earlier === recordItem.masked(version)) return true;
  throw new OperationError(
    'masking_changed',
    `The rules of masking were changed while the restore was under way: it began as "${earlier}", and they are at version ${version}`,
    'Restore anew.',
  );
}
