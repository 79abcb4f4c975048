import { listed } from '../../../listed.ts';
import type { SchemaEntry } from '../../../postgres/pg-dump/schema-dump.ts';
import type { TailoredBackup } from '../tailor.ts';

/** What a restore that goes without an extension goes without. */
export interface ExtensionLoss {
  /** Definitions that cannot be made without it, each in words: `TABLE shop.places`. Remarks and privileges are not among them. */
  definitions: string[];
  /** Tables of the extension itself of which the backup has rows, with their number: `cron.job (3 rows)`. */
  rows: string[];
}

const REMARKS: ReadonlySet<string> = new Set(['ACL', 'COMMENT', 'DEFAULT ACL', 'SECURITY LABEL']);
/** What pg_dump writes of an extension's own tables, though the extension makes it itself. */
const PARTS: ReadonlySet<string> = new Set(['POLICY', 'ROW SECURITY']);
const PG_CLASS = 1259;

const key = ({ schema, name }: { schema: string | null; name: string }): string => JSON.stringify([schema, name]);
const inWords = ({ type, schema, name }: SchemaEntry): string =>
  `${type} ${schema === null ? '' : `${schema}.`}${name}`;

/** The extensions of the backup that are restored. */
export function extensionsOf({ schema }: Pick<TailoredBackup, 'schema'>): string[] {
  return schema.entries.filter(({ type }) => type === 'EXTENSION').map(({ name }) => name);
}

/** What would be lost without an extension. */
export function lossWithout(backup: TailoredBackup, extension: string): ExtensionLoss {
  const gone = dependents(backup, new Set([extension]));
  const tables = new Set(backup.schema.entries.filter(({ type }) => type === 'TABLE').map(({ dump_id }) => dump_id));
  const isOwn = ({ type, depends_on }: SchemaEntry): boolean =>
    PARTS.has(type) && !depends_on.some((each) => tables.has(each));
  const definitions = gone.filter((entry) => entry.type !== 'EXTENSION' && !REMARKS.has(entry.type) && !isOwn(entry));
  const isOfIt = relationsOf(backup, new Set([extension]));
  const rows = backup.manifest.tables.filter((table) => table.rows > 0 && isOfIt(table));
  return {
    definitions: definitions.map(inWords),
    rows: rows.map(({ schema, name, rows: count }) => `${schema}.${name} (${count} row${count === 1 ? '' : 's'})`),
  };
}

/** A loss in one sentence; null when nothing is lost but the extension. */
export function lossInWords({ definitions, rows }: ExtensionLoss): string | null {
  const parts = [
    ...(definitions.length > 0 ? [listed(definitions)] : []),
    ...(rows.length > 0 ? [`the rows of ${listed(rows)}`] : []),
  ];
  return parts.length === 0 ? null : parts.join(', and ');
}

/**
 * A backup without some of its extensions: without what cannot be made without them, by pg_dump's own record of what depends on what, and
 * without the rows of both. What a function's body names as text is no such record.
 *
 * @returns also what the job has to say of it
 */
export function leaveOutExtensions(backup: TailoredBackup, names: readonly string[]): TailoredBackup {
  const present = new Set(extensionsOf(backup));
  const wanted = new Set(names.filter((name) => present.has(name)));
  const unknown = names.filter((name) => !present.has(name)).map((name) => `extension ${name}`);
  if (wanted.size === 0) return { ...backup, unknown: [...backup.unknown, ...unknown] };

  const { manifest, schema } = backup;
  const gone = new Set(dependents(backup, wanted));
  const relations = new Set([...gone].filter(({ class_id }) => class_id === PG_CLASS).map(({ oid }) => oid));
  const sequences = new Set([...gone].filter(({ type }) => type === 'SEQUENCE').map(key));
  const isOfExtension = relationsOf(backup, wanted);
  const tables = manifest.tables.filter((table) => !relations.has(table.oid) && !isOfExtension(table));
  const total = (field: 'rows' | 'bytes'): number => tables.reduce((sum, table) => sum + table[field], 0);
  const said = [...wanted].map((name) => {
    const loss = lossInWords(lossWithout(backup, name));
    return `Extension ${name} is left out${loss === null ? '' : `, and with it ${loss}`}`;
  });
  return {
    schema: { ...schema, entries: schema.entries.filter((entry) => !gone.has(entry)) },
    unknown: [...backup.unknown, ...unknown],
    warnings: [...backup.warnings, ...said],
    leftOut: [
      ...(backup.leftOut ?? []),
      ...manifest.tables.filter((table) => !tables.includes(table)),
      ...ownTables(backup, wanted),
    ],
    manifest: {
      ...manifest,
      tables,
      sequences: manifest.sequences.filter((each) => !sequences.has(key(each)) && !isOfExtension(each)),
      materialized_views: manifest.materialized_views.filter(({ oid }) => !relations.has(oid)),
      totals: { ...manifest.totals, tables: tables.length, rows: total('rows'), bytes: total('bytes') },
    },
  };
}

/** A backup whose expected extensions are not created: they are there. What the backup does not have of them is unknown to it. */
export function withExpected(backup: TailoredBackup, names: readonly string[]): TailoredBackup {
  const { entries } = backup.schema;
  const there = new Set(entries.filter(({ type, name }) => type === 'EXTENSION' && names.includes(name)));
  const ids = new Set([...there].map(({ dump_id }) => dump_id));
  const isRemark = ({ type, depends_on }: SchemaEntry): boolean =>
    type === 'COMMENT' && depends_on.some((each) => ids.has(each));
  const present = new Set([...there].map(({ name }) => name));
  return {
    ...backup,
    unknown: [...backup.unknown, ...names.filter((name) => !present.has(name)).map((name) => `extension ${name}`)],
    schema: { ...backup.schema, entries: entries.filter((entry) => !there.has(entry) && !isRemark(entry)) },
  };
}

/**
 * The extensions themselves, and all that depends on them, on what depends on them, and so on. Privileges on a schema of an extension, and
 * all that is in it, depend on it without pg_dump's saying so.
 */
function dependents(
  { manifest, schema: { entries } }: Pick<TailoredBackup, 'manifest' | 'schema'>,
  extensions: ReadonlySet<string>,
): SchemaEntry[] {
  const schemas = new Set(
    (manifest.extensions ?? []).flatMap((each) => (extensions.has(each.name) ? each.schemas : [])),
  );
  const isFirst = ({ type, name, schema }: SchemaEntry): boolean =>
    (type === 'EXTENSION' && extensions.has(name)) ||
    schemas.has(schema ?? '') ||
    (REMARKS.has(type) && name.startsWith('SCHEMA ') && schemas.has(name.slice('SCHEMA '.length)));
  const gone = new Set(entries.filter(isFirst));
  const ids = new Set([...gone].map(({ dump_id }) => dump_id));
  for (let before = -1; before !== gone.size; ) {
    before = gone.size;
    for (const entry of entries) {
      if (gone.has(entry) || !entry.depends_on.some((each) => ids.has(each))) continue;
      gone.add(entry);
      ids.add(entry.dump_id);
    }
  }
  return [...gone];
}

function ownTables({ manifest }: TailoredBackup, extensions: ReadonlySet<string>): { schema: string; name: string }[] {
  return (manifest.extensions ?? []).filter(({ name }) => extensions.has(name)).flatMap(({ relations }) => relations);
}

/**
 * Whether a table or sequence belongs to one of the extensions. Older backups do not say to which: there, each that has no definition of
 * its own counts.
 */
function relationsOf(
  backup: TailoredBackup,
  extensions: ReadonlySet<string>,
): (relation: { schema: string; name: string }) => boolean {
  if (backup.manifest.extensions) {
    const own = new Set(ownTables(backup, extensions).map(key));
    return (relation) => own.has(key(relation));
  }
  const defined = new Set(
    backup.schema.entries.filter(({ type }) => type === 'TABLE' || type === 'SEQUENCE').map((entry) => key(entry)),
  );
  return (relation) => !defined.has(key(relation));
}
