import { listed } from '../../../listed.ts';
import type { MaskingRules } from '../../../masking/plan/plan-masking.ts';
import { quoteQualified } from '../../../postgres/identifiers.ts';
import type { SchemaDump } from '../../../postgres/pg-dump/schema-dump.ts';
import type { Manifest } from '../../manifest.ts';
import type { Finding } from '../findings.ts';

/** What a restore knows of a backup: all of it, or what was chosen. The definitions are empty where there are none. */
export interface HeldTables {
  manifest: Manifest;
  schema: SchemaDump;
}

type Table = Manifest['tables'][number];
const nameOf = (schema: string, name: string): string => quoteQualified(schema, name);

/** Names of tables as {@link quoteQualified} writes them, and of those above them that have no rows themselves. */
export function tableNames({ manifest, schema }: HeldTables): Set<string> {
  return new Set([
    ...schema.entries.filter(({ type }) => type === 'TABLE').map((entry) => nameOf(entry.schema ?? '', entry.name)),
    ...manifest.tables.flatMap(({ schema: own, name, root }) => [
      nameOf(own, name),
      ...(root ? [nameOf(root.schema, root.name)] : []),
    ]),
  ]);
}

/**
 * Says what speaks against masking a backup, as far as can be said before its definitions are anywhere. A rule of a table that the
 * backup of a whole database does not hold is among it: the table may have had another name then.
 */
export function checkRules(whole: HeldTables, masking: MaskingRules, problems: Finding[]): void {
  const { manifest } = whole;
  if (manifest.masking) {
    problems.push({
      code: 'masked_already',
      message: `The backup is masked already, by version ${manifest.masking.version} of the rules`,
      nextStep: 'Restore it without "masked".',
    });
  }
  const refuse = (message: string): void => {
    problems.push({
      code: 'masking_refused',
      message: `The rules of masking do not fit the backup: ${message}`,
      nextStep: 'Correct them with PUT security/masking, or restore a newer backup.',
    });
  };
  if (manifest.encoding !== 'UTF8')
    refuse(`its rows are encoded in ${manifest.encoding}; rules are made for UTF8 alone`);
  const held = tableNames(whole);
  const isWhole = !manifest.selection?.include && !manifest.selection?.exclude;
  const missing = new Set(
    masking.rules.map(({ schema, table }) => nameOf(schema, table)).filter((name) => !held.has(name)),
  );
  if (isWhole && missing.size > 0) refuse(`it holds no table ${listed([...missing])}`);
}

/** The rules of these tables alone: a database of chosen tables has no others. */
export function rulesOfTables(masking: MaskingRules, tables: ReadonlySet<string>): MaskingRules {
  return { ...masking, rules: masking.rules.filter(({ schema, table }) => tables.has(nameOf(schema, table))) };
}

/** The rules of what was chosen. One of a partitioned table that does not come along is that of its partitions which do. */
export function rulesOfChosen(masking: MaskingRules, { manifest, schema }: HeldTables): MaskingRules {
  const defined = tableNames({ manifest: { ...manifest, tables: [] }, schema });
  const rules = masking.rules.flatMap((rule) => {
    if (defined.has(nameOf(rule.schema, rule.table))) return [rule];
    return manifest.tables
      .filter(({ root }) => root?.schema === rule.schema && root.name === rule.table)
      .map((part) => ({ ...rule, schema: part.schema, table: part.name }));
  });
  return { ...masking, rules };
}

/** Columns of a table that its rules, or those of the tables above it, are for. */
export function ruledColumns(
  { schema, name, root, columns }: Pick<Table, 'schema' | 'name' | 'root' | 'columns'>,
  { rules }: Pick<MaskingRules, 'rules'>,
  above: readonly { schema: string; name: string }[] = [],
): string[] {
  const names = new Set(
    [{ schema, name }, ...(root ? [root] : []), ...above].map((one) => nameOf(one.schema, one.name)),
  );
  const ruled = new Set(rules.filter((rule) => names.has(nameOf(rule.schema, rule.table))).map(({ column }) => column));
  return columns.filter((column) => ruled.has(column));
}

/** Says which tables each table inherits from, at any distance, as the definitions tell it. */
export function ancestorsIn({
  entries,
}: SchemaDump): (table: { schema: string; name: string }) => { schema: string; name: string }[] {
  const tables = entries.filter(({ type }) => type === 'TABLE');
  const byId = new Map(tables.map((entry) => [entry.dump_id, entry]));
  const byName = new Map(tables.map((entry) => [nameOf(entry.schema ?? '', entry.name), entry]));
  return ({ schema, name }) => {
    const found = new Set<(typeof tables)[number]>();
    // A set takes what is added while it is walked through.
    const first = byName.get(nameOf(schema, name));
    if (first) found.add(first);
    for (const { sql, depends_on } of found) {
      if (!/\bINHERITS \(/.test(sql)) continue;
      for (const parent of depends_on.flatMap((id) => byId.get(id) ?? [])) found.add(parent);
    }
    return [...found].slice(1).map((entry) => ({ schema: entry.schema ?? '', name: entry.name }));
  };
}
