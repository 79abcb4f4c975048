import type pg from 'pg';
import { listed } from '../../../listed.ts';
import { describeProblems, type MaskingRules, planMasking } from '../../../masking/plan/plan-masking.ts';
import { readMaskingCatalog } from '../../../masking/plan/read-catalog.ts';
import { resolveRules } from '../../../masking/plan/resolve-rules.ts';
import { quoteQualified } from '../../../postgres/identifiers.ts';
import type { Manifest } from '../../manifest.ts';
import type { Finding } from '../findings.ts';
import type { BackupSource } from '../load-rows.ts';
import { refused } from '../masking/plan-into.ts';
import { isShownToFit, type RowMasking, rowMasking, sampleOfBackup } from '../masking/row-masking.ts';
import { ruledColumns, rulesOfTables, tableNames } from '../masking/rules-of-backup.ts';
import type { RestoreRecord } from '../restore-record.ts';
import type { Destination } from './destinations.ts';

/**
 * Plans the masking of rows that go into tables that are there: the rules are held against those tables, and tried on some rows of the
 * backup.
 *
 * @param client - in the database with the tables, with an empty search path
 * @throws OperationError `masking_changed`
 */
export async function planRowsMasking(
  client: pg.Client,
  all: MaskingRules,
  {
    manifest,
    source,
    record,
    destinations,
    signal,
    problems,
    warnings,
  }: {
    manifest: Manifest;
    source: BackupSource;
    record: RestoreRecord | null;
    destinations: readonly Destination[];
    signal: AbortSignal;
    problems: Finding[];
    warnings: Finding[];
  },
): Promise<RowMasking> {
  const masking = await rulesHere(client, all, manifest);
  if (record && isShownToFit(record, masking)) {
    const catalog = await readMaskingCatalog(client, masking.rules);
    return rowMasking(resolveRules(masking.rules, catalog).applied, masking);
  }
  await client.query('BEGIN READ ONLY');
  const planning = planMasking(client, masking, signal, sampleOfBackup(manifest, source, signal));
  const { applied, planned, problems: unfit } = await planning.finally(() => client.query('ROLLBACK'));
  const found = rowMasking(applied, masking);
  // What inherits its rule in the backup may be a table by itself here.
  const unmasked = destinations.flatMap(({ table, into }) =>
    ruledColumns(table, masking)
      .filter((column) => !found.isMasked(into, column))
      .map((column) => `${into.schema}.${into.name}.${column}`),
  );
  const reasons = [
    ...(unfit.length > 0 ? [describeProblems(unfit, masking.rules)] : []),
    ...(unmasked.length > 0 && unfit.length === 0 ? [`no rule applies here to ${listed(unmasked)}`] : []),
  ];
  for (const reason of reasons) {
    const { code, message, nextStep } = refused(reason);
    problems.push({ code, message, nextStep });
  }
  for (const message of [found.summary, ...planned.warnings]) {
    warnings.push({ code: 'masked', message, nextStep: 'Nothing.' });
  }
  return found;
}

/** Without the rules of tables that neither get rows nor are here; one that is here may be inherited from by what gets them. */
async function rulesHere(client: pg.Client, all: MaskingRules, manifest: Manifest): Promise<MaskingRules> {
  const { families } = await readMaskingCatalog(client, all.rules);
  const here = [...families.keys()].flatMap((place) => all.rules[place] ?? []);
  const names = here.map(({ schema, table }) => quoteQualified(schema, table));
  return rulesOfTables(all, new Set([...names, ...tableNames({ manifest, schema: { preamble: '', entries: [] } })]));
}
