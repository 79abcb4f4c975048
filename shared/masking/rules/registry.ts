import * as z from 'zod';
import type { ColumnFacts } from '../column.ts';
import type { ColumnMask } from '../copy-masker.ts';
import { createPrf, deriveKey } from '../prf.ts';
import { createArrayMask } from '../within/array-text.ts';
import { readPath } from '../within/json-path.ts';
import { scalarMask } from '../within/json-scalars.ts';
import { createJsonMask } from '../within/json-text.ts';
import { inOwnMemory } from '../within/value-mask.ts';
import { fixedRule, nullRule, shuffleRule } from './constants.ts';
import { dateShiftRule } from './date-shift.ts';
import type { FieldMask, RuleDefinition } from './define-rule.ts';
import { hashRule } from './hash.ts';
import { jsonRuleOf } from './json.ts';
import { cardRule, keepFormatRule, phoneRule } from './keep-format.ts';
import { numberNoiseRule } from './number-noise.ts';
import { partialRule } from './partial.ts';
import { addressRule, emailRule, nameRule } from './people.ts';

/** Rules of single values. */
const valueRules = [
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

const alternativesOf = (rules: readonly RuleDefinition[]) =>
  rules.map(({ name, summary, options }) =>
    options.extend({ rule: z.literal(name) }).meta({ description: summary }),
  ) as unknown as [Alternative, ...Alternative[]];

type Alternative = z.ZodObject<{ rule: z.ZodLiteral<string> }>;

const asDefined = (rules: readonly unknown[]) => rules as readonly RuleDefinition[];
const leafSchema = z.discriminatedUnion(
  'rule',
  alternativesOf(asDefined(valueRules.filter((rule) => rule !== shuffleRule))),
);

const jsonRule = jsonRuleOf(leafSchema);

/** Every rule, once: the API's schema, its documentation, the checks and the stream are made of this list. */
export const maskingRules = [...valueRules, jsonRule] as const;

export type RuleName = (typeof maskingRules)[number]['name'];

/** A rule with its options, as it is stored; which options there are, the rule says. */
export interface Mask {
  rule: RuleName;
  [option: string]: unknown;
}

/** A rule with its options, as it is asked for. */
export const maskSchema = z.discriminatedUnion('rule', alternativesOf(asDefined(maskingRules))) as unknown as z.ZodType<
  Mask,
  Mask
>;

const byName = new Map<string, RuleDefinition>(
  maskingRules.map((rule) => [rule.name, rule as unknown as RuleDefinition]),
);

function ruleOf({ rule }: Pick<Mask, 'rule'>): RuleDefinition {
  const found = byName.get(rule);
  if (!found) throw new Error(`There is no rule ${rule}`);
  return found;
}

/** What a rule works on in a column: the column's values or, of an array, its elements; null: it serves neither. */
function servedOf({ serves }: RuleDefinition, column: ColumnFacts): ColumnFacts | null {
  if (serves.includes(column.kind)) return column;
  return column.element && serves.includes(column.element.kind) ? column.element : null;
}

/** Whether different values stay different. */
export function keepsDistinct(mask: Mask, column: ColumnFacts): boolean {
  const rule = ruleOf(mask);
  return rule.keepsDistinct(mask, servedOf(rule, column) ?? column);
}

/** Why a rule cannot serve a column, by its type and length alone; null: it can. */
export function refusalOf(mask: Mask, column: ColumnFacts): string | null {
  const rule = ruleOf(mask);
  const served = servedOf(rule, column);
  if (!served) return `the rule ${rule.name} serves ${rule.serves.join(', ')}, not this type`;
  return rule.refusal?.(mask, served) ?? null;
}

/** Works on several rows at a time; see `createShuffler`. */
export const isShuffle = ({ rule }: Pick<Mask, 'rule'>): boolean => rule === shuffleRule.name;

/**
 * A rule for single values.
 *
 * @param maskingKey - the deployment's; each rule works with keys that are derived from it
 */
export function makeMask(mask: Mask, column: ColumnFacts, maskingKey: Uint8Array): FieldMask {
  const rule = ruleOf(mask);
  if (!rule.make) throw new Error(`The rule ${rule.name} masks no single value`);
  return rule.make(mask, column, (purpose) => createPrf(deriveKey(maskingKey, `${rule.name} ${purpose}`)));
}

/** How the values of a column are masked by a rule: as they are, or those that they hold. */
export function makeColumnMask(mask: Mask, column: ColumnFacts, maskingKey: Uint8Array): ColumnMask {
  const served = servedOf(ruleOf(mask), column) ?? column;
  const made: ColumnMask =
    mask.rule === jsonRule.name
      ? { compose: createJsonMask(documentMasks(mask, maskingKey)) }
      : { mask: makeMask(mask, served, maskingKey), isPadded: served.isPadded };
  if (served === column) return made;
  return { compose: createArrayMask('compose' in made ? made.compose : inOwnMemory(made.mask), served.isPadded) };
}

function documentMasks({ paths }: Mask, maskingKey: Uint8Array) {
  return Object.entries(paths as Record<string, Mask>).map(([path, leaf]) => {
    const constant =
      leaf.rule === nullRule.name ? 'null' : leaf.rule === fixedRule.name ? JSON.stringify(leaf.value) : null;
    const mask = scalarMask(ruleOf(leaf).serves, constant === null ? null : Buffer.from(constant), (facts) =>
      makeMask(leaf, facts, maskingKey),
    );
    return { steps: readPath(path) ?? [], mask };
  });
}
