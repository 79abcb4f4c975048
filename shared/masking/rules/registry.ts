import { z } from 'zod';
import type { ColumnFacts } from '../column.ts';
import { createPrf, deriveKey } from '../prf.ts';
import { fixedRule, nullRule, shuffleRule } from './constants.ts';
import { dateShiftRule } from './date-shift.ts';
import type { FieldMask, RuleDefinition } from './define-rule.ts';
import { hashRule } from './hash.ts';
import { cardRule, keepFormatRule, phoneRule } from './keep-format.ts';
import { numberNoiseRule } from './number-noise.ts';
import { partialRule } from './partial.ts';
import { addressRule, emailRule, nameRule } from './people.ts';

/** Every rule, once: the API's schema, its documentation, the checks and the stream are made of this list. */
export const maskingRules = [
  nullRule,
  fixedRule,
  hashRule,
  nameRule,
  emailRule,
  phoneRule,
  addressRule,
  cardRule,
  partialRule,
  numberNoiseRule,
  dateShiftRule,
  shuffleRule,
  keepFormatRule,
] as const;

export type RuleName = (typeof maskingRules)[number]['name'];

/** A rule with its options, as it is stored; which options there are, the rule says. */
export interface Mask {
  rule: RuleName;
  [option: string]: unknown;
}

type Alternative = z.ZodObject<{ rule: z.ZodLiteral<RuleName> }>;

const alternatives = maskingRules.map(({ name, summary, options }) =>
  options.extend({ rule: z.literal(name) }).meta({ description: summary }),
) as unknown as [Alternative, ...Alternative[]];

/** A rule with its options, as it is asked for. */
export const maskSchema = z.discriminatedUnion('rule', alternatives) as unknown as z.ZodType<Mask, Mask>;

const byName = new Map<string, RuleDefinition>(
  maskingRules.map((rule) => [rule.name, rule as unknown as RuleDefinition]),
);

function ruleOf({ rule }: Pick<Mask, 'rule'>): RuleDefinition {
  const found = byName.get(rule);
  if (!found) throw new Error(`There is no rule ${rule}`);
  return found;
}

/** Whether different values stay different. */
export function keepsDistinct(mask: Mask, column: ColumnFacts): boolean {
  return ruleOf(mask).keepsDistinct(mask, column);
}

/** Why a rule cannot serve a column, by its type and length alone; null: it can. */
export function refusalOf(mask: Mask, column: ColumnFacts): string | null {
  const { name, serves, refusal } = ruleOf(mask);
  if (!serves.includes(column.kind)) return `the rule ${name} serves ${serves.join(', ')}, not this type`;
  return refusal?.(mask, column) ?? null;
}

/** Whether it works on several rows at a time; see `createShuffler`. */
export const isShuffle = ({ rule }: Pick<Mask, 'rule'>): boolean => rule === shuffleRule.name;

/** @param maskingKey - the deployment's; each rule works with keys that are derived from it */
export function makeMask(mask: Mask, column: ColumnFacts, maskingKey: Uint8Array): FieldMask {
  const rule = ruleOf(mask);
  if (!rule.make) throw new Error(`The rule ${rule.name} masks no single value`);
  return rule.make(mask, column, (purpose) => createPrf(deriveKey(maskingKey, `${rule.name} ${purpose}`)));
}
