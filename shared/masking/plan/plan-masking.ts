import type pg from 'pg';
import { OperationError } from '../../errors.ts';
import { quoteQualified } from '../../postgres/identifiers.ts';
import type { PlannedMask } from '../table-masker.ts';
import { readMaskingCatalog } from './read-catalog.ts';
import { type AppliedRules, type ColumnRule, type RuleProblem, resolveRules } from './resolve-rules.ts';
import { type ReadSample, tryMasks } from './try-masks.ts';

/** The rules of a database at one version, and the key under which they work. */
export interface MaskingRules {
  version: number;
  rules: ColumnRule[];
  maskingKey: Uint8Array;
}

/** Said of a masked backup, and of a restore that masks. */
export const LARGE_OBJECTS_NOT_MASKED =
  'Large objects are left out: nobody can say what in them would have to be masked';

/** What is masked of a backup. Plain data, so that it can be stored; the key is none of it. */
export interface PlannedMasking {
  version: number;
  /** By the tables' OIDs. */
  masks: Record<string, PlannedMask[]>;
  warnings: string[];
}

/**
 * Holds rules against the database as it is, and tries them on some of its rows.
 *
 * @param client - in a transaction with an empty search path
 * @param readSample - where the rows come from; by default from the tables themselves
 * @returns every problem there is; the masks are of use only where there is none
 */
export async function planMasking(
  client: pg.Client,
  { version, rules, maskingKey }: MaskingRules,
  signal: AbortSignal,
  readSample?: ReadSample,
): Promise<{ planned: PlannedMasking; applied: AppliedRules; problems: RuleProblem[] }> {
  const catalog = await readMaskingCatalog(client, rules);
  const { applied, problems, warnings } = resolveRules(rules, catalog);
  // What is refused already would fail once more, for no other reason.
  if (problems.length === 0) {
    const tried = await tryMasks(client, catalog, applied, { maskingKey, signal, readSample });
    problems.push(...tried.problems);
    warnings.push(...tried.warnings);
  }
  const masks = Object.fromEntries([...applied].map(([table, each]) => [table, each.map(({ planned }) => planned)]));
  return { planned: { version, masks, warnings }, applied, problems };
}

const MOST_NAMED = 20;

/** Problems in words, each with the column whose rule it is about. */
export function describeProblems(problems: readonly RuleProblem[], rules: readonly ColumnRule[]): string {
  const named = problems.slice(0, MOST_NAMED).map(({ rule, message }) => {
    const { schema = '', table = '', column = '' } = rules[rule] ?? {};
    return `${quoteQualified(schema, table)}.${column}: ${message}`;
  });
  return `${named.join('; ')}${problems.length > MOST_NAMED ? '; ...' : ''}`;
}

/**
 * Plans the masking of a backup in its snapshot.
 *
 * @throws OperationError `masking_refused` naming what the rules do not fit any more
 */
export async function assertMaskable(
  client: pg.Client,
  masking: MaskingRules,
  signal: AbortSignal,
): Promise<PlannedMasking> {
  const { planned, problems } = await planMasking(client, masking, signal);
  if (problems.length === 0) return planned;
  throw new OperationError(
    'masking_refused',
    `The rules of masking do not fit the database: ${describeProblems(problems, masking.rules)}`,
    'Correct them with PUT security/masking, then try again.',
  );
}
