import type { Compliance, ComplianceCounts, RuleLevel } from '../../contract/schemas/compliance.ts';

/** What a rule weighs, by its level. */
const weights: Readonly<Record<RuleLevel, number>> = { low: 1, medium: 3, high: 6, critical: 10 };

type Judged = Pick<Compliance['rules'][number], 'level' | 'status'>;

/**
 * 100 × Σ weights of the rules that pass ÷ Σ weights of the rules that pass, fail or are unknown; the weights by level are 10
 * (critical), 6, 3 and 1 (low). What is waived or does not apply is in neither sum; what could not be read counts as if it
 * failed. Rounded down to a tenth, so that 100 means all. 100 without any rule that counts.
 */
export function scoreOf(rules: readonly Judged[]): number {
  const weigh = (...statuses: Judged['status'][]): number =>
    rules.filter(({ status }) => statuses.includes(status)).reduce((sum, { level }) => sum + weights[level], 0);
  const counted = weigh('pass', 'fail', 'unknown');
  return counted === 0 ? 100 : Math.floor((1000 * weigh('pass')) / counted) / 10;
}

export function countsOf(rules: readonly Judged[]): ComplianceCounts {
  const counts: ComplianceCounts = { pass: 0, fail: 0, waived: 0, not_applicable: 0, unknown: 0 };
  for (const { status } of rules) counts[status] += 1;
  return counts;
}
