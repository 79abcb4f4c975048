import type pg from 'pg';
import { tableName } from '../../backup/restore/request-options.ts';
import type { Masking, MaskingChange, PersonalData } from '../../contract/schemas/masking.ts';
import { OperationError } from '../../errors.ts';
import { findPersonal } from '../../masking/find/find-personal.ts';
import { settleMasks } from '../../masking/find/settle-masks.ts';
import { type MaskingRules, planMasking } from '../../masking/plan/plan-masking.ts';
import type { ColumnRule, RuleProblem } from '../../masking/plan/resolve-rules.ts';
import type { ConnectionTarget } from '../../postgres/connect.ts';
import { withConnection } from '../../postgres/with-connection.ts';
import { readMasking, type StoredMasking, writeMasking } from '../../state/masking.ts';
import { type KeyDependencies, loadMaskingKey } from './masking-key.ts';

export interface MaskingDependencies extends KeyDependencies {
  target: ConnectionTarget;
  signal: AbortSignal;
}

/** The rules of a database as they are stored. */
export async function describeMasking({ table }: Pick<KeyDependencies, 'table'>, database: string): Promise<Masking> {
  const { version, rules, changed_by, changed_at } = await readMasking(table, database);
  return {
    database,
    version,
    changed_by,
    changed_at,
    rules: rules.map(({ schema, table: name, column, mask }) => ({ table: { schema, table: name }, column, mask })),
  };
}

/**
 * Puts rules in place of the former ones, all or none, once they are shown to fit the database.
 *
 * @returns every problem; with one, nothing is changed. And what there is to say of rules that fit, such as what was not tried
 * @throws OperationError `masking_changed`, `masking_key_unavailable`, or one of the connection
 */
export async function changeMasking(
  dependencies: MaskingDependencies,
  { database, change, by }: { database: string; change: MaskingChange; by: string },
): Promise<{ problems: RuleProblem[]; warnings: string[] }> {
  const { table, target, signal } = dependencies;
  const stored = await readMasking(table, database);
  if (stored.version !== change.version) throw changedMeanwhile(change.version, stored.version);
  const rules = change.rules.map(({ table: name, column, mask }): ColumnRule => ({ ...tableName(name), column, mask }));
  const version = stored.version + 1;
  const maskingKey = await loadMaskingKey(dependencies);
  const { problems, planned } = await inSnapshot(target, (client) =>
    planMasking(client, { version, rules, maskingKey }, signal),
  );
  const { warnings } = planned;
  if (problems.length > 0) return { problems, warnings };
  const changed: StoredMasking = { database, version, rules, changed_by: by, changed_at: new Date().toISOString() };
  if (!(await writeMasking(table, changed))) throw changedMeanwhile(change.version, version);
  return { problems, warnings };
}

/** Works in a read-only transaction, where values are the texts that a backup reads. */
function inSnapshot<Result>(target: ConnectionTarget, work: (client: pg.Client) => Promise<Result>): Promise<Result> {
  const { statement_timeout_ms: statementTimeoutMs, idle_in_transaction_timeout_ms } = target.limits;
  const limits = { statementTimeoutMs, idleInTransactionTimeoutMs: idle_in_transaction_timeout_ms };
  return withConnection(target, { kind: 'exporting', ...limits }, async (client) => {
    await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY');
    return work(client);
  });
}

/**
 * Looks for columns with personal data, and says which of them have rules.
 *
 * @param readUntil - ends the reading of rows, so that there is time left to hold the proposed rules against the database
 * @throws OperationError of the connection
 */
export async function proposeMasking(
  {
    table,
    target,
    signal,
    readUntil,
  }: Pick<MaskingDependencies, 'table' | 'target' | 'signal'> & { readUntil: AbortSignal },
  database: string,
): Promise<PersonalData> {
  const { rules } = await readMasking(table, database);
  const { proposals, checked, tables, tablesLeft, findingsLeft } = await inSnapshot(target, async (client) => {
    const { findings, ...found } = await findPersonal(client, readUntil, signal);
    return { ...found, ...(await settleMasks(client, findings, signal)) };
  });
  return {
    database,
    findings: proposals.map(({ schema, table: name, column, ...rest }) => ({
      table: { schema, table: name },
      column,
      ...rest,
      is_masked: rules.some((rule) => rule.schema === schema && rule.table === name && rule.column === column),
    })),
    tables,
    tables_left: tablesLeft,
    findings_left: findingsLeft,
    rules_checked: checked,
  };
}

/**
 * What a masked backup of a database needs.
 *
 * @throws OperationError `masking_not_defined` when there are no rules, or `masking_key_unavailable`
 */
export async function loadMaskingRules(dependencies: KeyDependencies, database: string): Promise<MaskingRules> {
  const { version, rules } = await readMasking(dependencies.table, database);
  if (rules.length === 0) {
    throw new OperationError(
      'masking_not_defined',
      `There are no rules of masking for the database ${database}`,
      'Define them with PUT security/masking, then try again.',
    );
  }
  return { version, rules, maskingKey: await loadMaskingKey(dependencies) };
}

function changedMeanwhile(given: number, current: number): OperationError {
  return new OperationError(
    'masking_changed',
    `The change is of version ${given} of the rules, which are at version ${current}`,
    'Read them with GET security/masking and send the change again with their version.',
  );
}
