import { isDeepStrictEqual } from 'node:util';
import { listed } from '../../listed.ts';
import { quoteQualified } from '../../postgres/identifiers.ts';
import { type ColumnFacts, factsOfType } from '../column.ts';
import { isShuffle, keepsDistinct, type Mask, refusalOf } from '../rules/registry.ts';
import type { PlannedMask } from '../table-masker.ts';
import type { CatalogColumn, ForeignKey, Key, MaskingCatalog } from './read-catalog.ts';

/** A rule as it is stored: of one column of one table, and of all tables that inherit it. */
export interface ColumnRule {
  schema: string;
  table: string;
  column: string;
  mask: Mask;
}

/** Why a rule cannot be. `rule`: its place in the list. */
export interface RuleProblem {
  rule: number;
  message: string;
}

/** A rule in one table. */
export interface AppliedRule {
  rule: number;
  column: CatalogColumn;
  planned: PlannedMask;
}

/** Rules by the tables' OIDs, as text. */
export type AppliedRules = Map<string, AppliedRule[]>;

/**
 * Holds rules against the catalog: types, lengths, NOT NULL, keys of every kind, foreign keys and partition keys. What can be known of
 * CHECK constraints and domains only by trying is left to `tryMasks`.
 */
export function resolveRules(
  rules: readonly ColumnRule[],
  catalog: MaskingCatalog,
): { applied: AppliedRules; problems: RuleProblem[]; warnings: string[] } {
  const problems: RuleProblem[] = [];
  const applied: AppliedRules = new Map();
  const columns = new Map(catalog.columns.map((column) => [keyOf(column.table, column.column), column]));
  if (catalog.encoding !== 'UTF8') {
    problems.push({
      rule: 0,
      message: `the database is encoded in ${catalog.encoding}; rules are made for UTF8 alone`,
    });
  }
  for (const [rule, { schema, table, column, mask }] of rules.entries()) {
    const family = catalog.families.get(rule);
    const reason = !family
      ? `there is no table ${quoteQualified(schema, table)}`
      : family.is_partition
        ? 'it is a partition: give the rule to the partitioned table above all'
        : !columns.has(keyOf(family.oid, column))
          ? `the table has no column ${column}`
          : null;
    if (reason !== null) problems.push({ rule, message: reason });
    for (const member of reason === null && family ? family.members : []) {
      const found = columns.get(keyOf(member, column));
      if (!found) continue;
      const others = applied.get(member) ?? [];
      if (others.some((other) => other.column.column === column)) {
        const message = `the column has another rule already${where(found, { schema, table })}`;
        problems.push({ rule, message });
        continue;
      }
      const planned = { column, mask, facts: factsOf(found, catalog) };
      applied.set(member, [...others, { rule, column: found, planned }]);
    }
  }
  for (const [table, each] of applied) {
    const keys = catalog.keys.filter((key) => key.table === table);
    for (const one of each) {
      const message = problemOf(one, keys);
      if (message !== null) problems.push({ rule: one.rule, message: message + where(one.column, rules[one.rule]) });
    }
  }
  for (const foreignKey of catalog.foreignKeys) problems.push(...foreignKeyProblems(foreignKey, applied));
  return { applied, problems: distinct(problems), warnings: warningsOf(applied) };
}

const keyOf = (table: string, column: string): string => JSON.stringify([table, column]);

/** Names the table where it is another one than the rule's own. */
const where = ({ schema, name }: CatalogColumn, rule: Pick<ColumnRule, 'schema' | 'table'> | undefined): string =>
  rule && rule.schema === schema && rule.table === name ? '' : ` (in ${quoteQualified(schema, name)})`;

function factsOf(column: CatalogColumn, { keys, foreignKeys }: MaskingCatalog): ColumnFacts {
  const own = keys.filter((key) => key.table === column.table);
  const isReferred = foreignKeys.some(
    ({ to, to_columns: columns }) => to === column.table && columns.includes(column.column),
  );
  const isFolded = own.some((key) => foldedColumn(key, column.column));
  return factsOfType(
    { name: column.base_name, modifier: column.modifier, schema: column.base_schema, element: column.element },
    {
      ignoresCase: column.ignores_case || isFolded,
      isKey: isReferred || isFolded || own.some(({ columns }) => columns.includes(column.column)),
      isNullable: column.is_nullable,
    },
  );
}

/** `lower(x)` and `upper(x)`, as the server writes them. */
const FOLDED = /^(?:lower|upper)\(\(?("(?:[^"]|"")+"|[a-z_][a-z0-9_$]*)\)?(?:::text)?\)$/;

/** Whether a unique index is on the column in small letters, or in capitals, and on nothing else that is made of it. */
function foldedColumn({ others, expressions, has_condition, is_exclusion }: Key, column: string): boolean {
  if (!others.includes(column) || has_condition || is_exclusion) return false;
  const folded = expressions.map((text) => FOLDED.exec(text)?.[1]);
  return folded.every((name) => name !== undefined) && folded.some((name) => unquoted(name ?? '') === column);
}

const unquoted = (name: string): string => (name.startsWith('"') ? name.slice(1, -1).replaceAll('""', '"') : name);

/** Why the column's own type and keys do not allow the rule; null: they do. */
function problemOf({ column, planned: { mask, facts } }: AppliedRule, keys: readonly Key[]): string | null {
  if (column.is_generated) return 'the column is generated; mask what it is made of';
  if (column.is_partition_key) return 'the table is partitioned by the column: its rows would belong elsewhere';
  const refusal = refusalOf(mask, facts);
  if (refusal !== null) return refusal;
  for (const key of keys) {
    const generated = column.generates.filter((name) => [...key.columns, ...key.others].includes(name));
    if (generated.length > 0) return `${generated[0]}, which is made of it, is part of the key ${key.name}`;
    if (key.others.includes(column.column) && !foldedColumn(key, column.column)) {
      return `the key ${key.name} is made of it by an expression or a condition`;
    }
    if (!key.columns.includes(column.column)) continue;
    if (key.is_exclusion) return `it is part of the exclusion constraint ${key.name}`;
    if (mask.rule === 'null' && key.nulls_are_equal) return `to the key ${key.name}, one NULL is the same as another`;
  }
  if (mask.rule === 'null' || !facts.isKey || keepsDistinct(mask, facts)) return null;
  const key = keys.find(({ columns, others }) => [...columns, ...others].includes(column.column));
  const part = key ? `it is part of the key ${key.name}` : 'a foreign key refers to it';
  return `different values may become the same one by the rule ${mask.rule}, and ${part}: use one that keeps them different, such as hash or keep_format`;
}

/** What must be the same of two columns, so that the same value becomes the same one in both. */
const shapeOf = ({ mask, facts }: PlannedMask) => {
  const shape = ({ kind, maxCharacters, isPadded, largest }: ColumnFacts) => ({
    kind,
    maxCharacters,
    isPadded,
    largest,
  });
  return { mask, ...shape(facts), element: facts.element && shape(facts.element) };
};

function foreignKeyProblems(foreignKey: ForeignKey, applied: AppliedRules): RuleProblem[] {
  const { name, from, to, from_columns, to_columns } = foreignKey;
  const fromName = quoteQualified(foreignKey.from_schema, foreignKey.from_name);
  const toName = quoteQualified(foreignKey.to_schema, foreignKey.to_name);
  return from_columns.flatMap((fromColumn, index): RuleProblem[] => {
    const toColumn = to_columns[index] ?? '';
    const referring = applied.get(from)?.find(({ column }) => column.column === fromColumn);
    const referred = applied.get(to)?.find(({ column }) => column.column === toColumn);
    if (!referring && !referred) return [];
    if (referring?.planned.mask.rule === 'null') {
      const message = `the foreign key ${name} is MATCH FULL: its columns are NULL together or not at all`;
      return foreignKey.is_full && from_columns.length > 1 ? [{ rule: referring.rule, message }] : [];
    }
    if (!referring || !referred) {
      const [has, lacks] = referring ? [referring, `${toName}.${toColumn}`] : [referred, `${fromName}.${fromColumn}`];
      const message = `the foreign key ${name} joins it with ${lacks}, which needs the same rule`;
      return [{ rule: (has as AppliedRule).rule, message }];
    }
    if (isShuffle(referring.planned.mask)) {
      return [{ rule: referring.rule, message: `the foreign key ${name} would join other rows` }];
    }
    if (isDeepStrictEqual(shapeOf(referring.planned), shapeOf(referred.planned))) return [];
    const message = isDeepStrictEqual(referring.planned.mask, referred.planned.mask)
      ? `the foreign key ${name} joins it with ${toName}.${toColumn}, which has another type or length: the same value would not become the same one`
      : `the foreign key ${name} joins it with ${toName}.${toColumn}, which has another rule`;
    return [{ rule: referring.rule, message }];
  });
}

function warningsOf(applied: AppliedRules): string[] {
  const named = [...applied.values()]
    .flat()
    .filter(({ column }) => column.default_has_text)
    .map(({ column: { schema, name, column } }) => `${quoteQualified(schema, name)}.${column}`);
  if (named.length === 0) return [];
  return [
    `Definitions are kept as they are, among them the DEFAULT of masked columns with text in it: ${listed(named)}`,
  ];
}

/** Each problem once, by the rules: those of a partitioned table are those of its partitions. */
function distinct(problems: readonly RuleProblem[]): RuleProblem[] {
  const seen = new Set<string>();
  return problems
    .filter(({ rule, message }) => {
      const key = JSON.stringify([rule, message]);
      return !seen.has(key) && seen.add(key);
    })
    .sort((a, b) => a.rule - b.rule);
}
