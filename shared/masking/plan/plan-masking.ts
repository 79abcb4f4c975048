import type pg from 'pg';
import { OperationError } from '../../errors.ts';
import { quoteQualified } from '../../postgres/identifiers.ts';
import type { PlannedMask } from '../table-masker.ts';
import { readMaskingCatalog } from './read-catalog.ts';
import { type ColumnRule, type RuleProblem, resolveRules } from './resolve-rules.ts';
import { tryMasks } from './try-masks.ts';

/** The rules of a database at one version, and the key under which they work. */
export interface MaskingRules {
  version: number;
  rules: ColumnRule[];
  maskingKey: Uint8Array;
}

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
 * @param client - in a read-only transaction with an empty search path
 * @returns every problem there is; the masks are of use only where there is none
 */
export async function planMasking(
  client: pg.Client,
  { version, rules, maskingKey }: MaskingRules,
  signal: AbortSignal,
): Promise<{ planned: PlannedMasking; problems: RuleProblem[] }> {
  const catalog = await readMaskingCatalog(client, rules);
  const { applied, problems, warnings } = resolveRules(rules, catalog);
  // What is refused already would fail once more, for no other reason.
  if (problems.length === 0) problems.push(...(await tryMasks(client, catalog, applied, { maskingKey, signal })));
  const masks = Object.fromEntries([...applied].map(([table, each]) => [table, each.map(({ planned }) => planned)]));
  return { planned: { version, masks, warnings }, problems };
}

const MOST_NAMED = 20;

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
  const named = problems.slice(0, MOST_NAMED).map(({ rule, message }) => {
    const { schema = '', table = '', column = '' } = masking.rules[rule] ?? {};
    return `${quoteQualified(schema, table)}.${column}: ${message}`;
  });
  throw new OperationError(
    'masking_refused',
    `The rules of masking do not fit the database: ${named.join('; ')}${problems.length > MOST_NAMED ? '; ...' : ''}`,
    'Correct them with PUT security/masking, then back up again.',
  );
}
