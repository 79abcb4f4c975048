import { randomBytes } from 'node:crypto';
import type pg from 'pg';
import { planMasking } from '../plan/plan-masking.ts';
import type { RuleProblem } from '../plan/resolve-rules.ts';
import type { Mask } from '../rules/registry.ts';
import type { Finding } from './find-personal.ts';

/** A finding with the rule that is proposed. */
export interface Proposal extends Omit<Finding, 'masks'> {
  /** null: no rule fits. */
  mask: Mask | null;
  /** Why no rule is proposed; null where one is. */
  problem: string | null;
}

/** Rules that were exchanged show problems of others only then; each round settles some of them. */
const MOST_ROUNDS = 8;

/**
 * Chooses a rule for each finding so that all of them together fit the database: what a key, a constraint or a foreign key refuses gets
 * the next rule, or none. They are held against the database, and tried on its rows, as saving them would do it.
 *
 * @param client - in a read-only transaction with an empty search path
 * @param signal - when it is over, rules are proposed as they are then
 * @returns `checked`: whether all that is proposed was found to fit together
 */
export async function settleMasks(
  client: pg.Client,
  findings: readonly Finding[],
  signal: AbortSignal,
): Promise<{ proposals: Proposal[]; checked: boolean }> {
  const states = findings.map((finding) => ({ finding, tried: 0, problem: null as string | null }));
  // What is tried is thrown away, and so is the key.
  const maskingKey = randomBytes(32);
  let checked = false;
  for (let round = 0; round < MOST_ROUNDS && !checked && !signal.aborted; round++) {
    const proposed = states.filter(({ finding, tried }) => finding.masks[tried] !== undefined);
    const rules = proposed.map(({ finding: { schema, table, column, masks }, tried }) => ({
      ...{ schema, table, column },
      mask: masks[tried] as Mask,
    }));
    const problems = await problemsOf(client, { version: 0, rules, maskingKey }, signal);
    if (problems === null) break;
    checked = problems.length === 0;
    const refused = new Map(problems.map(({ rule, message }) => [rule, message]));
    for (const [rule, message] of refused) {
      const state = proposed[rule];
      if (!state) continue;
      state.tried += 1;
      state.problem = message;
    }
  }
  const proposals = states.map(({ finding: { masks, ...finding }, tried, problem }) => {
    const mask = masks[tried] ?? null;
    const why = masks.length === 0 ? "no rule fits the column's type" : problem;
    return { ...finding, mask, problem: mask === null ? why : null };
  });
  return { proposals, checked };
}

/** null: there was no time to know. */
async function problemsOf(
  client: pg.Client,
  rules: Parameters<typeof planMasking>[1],
  signal: AbortSignal,
): Promise<RuleProblem[] | null> {
  await client.query('SAVEPOINT settle');
  try {
    return (await planMasking(client, rules, signal)).problems;
  } catch (error) {
    if (signal.aborted || (error as { code?: string }).code !== undefined) return null;
    throw error;
  } finally {
    await client.query('ROLLBACK TO SAVEPOINT settle').catch(() => undefined);
  }
}
