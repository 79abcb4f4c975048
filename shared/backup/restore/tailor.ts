import { LARGE_OBJECTS_NOT_MASKED, type MaskingRules } from '../../masking/plan/plan-masking.ts';
import type { SchemaDump, SchemaEntry } from '../../postgres/pg-dump/schema-dump.ts';
import type { Manifest, Privilege, RoleEntry } from '../manifest.ts';
import { type RenameRole, renameRoles, roleNames, withoutOwner } from './role-names.ts';
import { type Selection, selectEntries } from './select-entries.ts';

/** Extensions that an administrator has created in a database of the target server. */
export interface ExpectedExtensions {
  extensions: readonly string[];
  /** The database that they are in; the new one is a copy of it. */
  template: string;
}

/** How a restore differs from bringing everything back as it was. */
export interface RestoreOptions {
  /** Only these schemas and tables, with what they need; absent: all. */
  selection?: Selection | undefined;
  /** Other roles for those of the backup, wherever it names them. */
  ownerMapping?: Readonly<Record<string, string>> | undefined;
  /** Everything belongs to the login. */
  withoutOwners?: boolean | undefined;
  withoutPrivileges?: boolean | undefined;
  /** Extensions that the restore goes without, with all that depends on them. */
  leaveOut?: { extensions: readonly string[] } | undefined;
  /** Extensions that are in the database that the new one is copied from. */
  expect?: ExpectedExtensions | undefined;
  /** What seems to be personal data stands against the restore unless it is masked: the target is trusted less. */
  refuseUnmasked?: boolean | undefined;
  /** Rows are masked by these rules while they are loaded; absent: they are as they are. */
  masking?: MaskingRules | undefined;
}

/** A backup as it is to be restored. */
export interface TailoredBackup {
  manifest: Manifest;
  schema: SchemaDump;
  /** What of the selection the backup does not hold, in words. */
  unknown: string[];
  warnings: string[];
  /** Tables that are left out with an extension, whose changes a replay passes over; absent: none. */
  leftOut?: { schema: string; name: string }[] | undefined;
}

/** Takes from a backup what the options ask for. Its manifest's totals and roles are those of what is left. */
export function tailorBackup(whole: Manifest, schema: SchemaDump, options: RestoreOptions): TailoredBackup {
  const hasObjects = whole.large_objects.objects.length > 0;
  const manifest: Manifest = options.masking ? { ...whole, large_objects: { objects: [], chunks: [] } } : whole;
  const { ownerMapping = {}, withoutOwners = false, withoutPrivileges = false } = options;
  const rename: RenameRole = (name) => (Object.hasOwn(ownerMapping, name) ? ownerMapping[name] : undefined);
  const selected = options.selection ? applySelection(manifest, schema, options.selection) : all(manifest, schema);
  const adapt = (entry: SchemaEntry): SchemaEntry => renameRoles(withoutOwners ? withoutOwner(entry) : entry, rename);
  const entries = selected.schema.entries
    .filter(({ type }) => !(withoutPrivileges && (type === 'ACL' || type === 'DEFAULT ACL')))
    .map(adapt);

  const mapped = (name: string): string => rename(name) ?? name;
  const privileges = <Owned extends { owner: string; has_privileges: boolean; privileges: Privilege[] }>(
    of: Owned,
  ): Owned => ({
    ...of,
    owner: mapped(of.owner),
    has_privileges: of.has_privileges && !withoutPrivileges,
    privileges: of.privileges.map((each) => ({
      ...each,
      grantee: each.grantee === null ? null : mapped(each.grantee),
    })),
  });
  const { database_properties: properties, large_objects: large } = selected.manifest;
  const adapted: Manifest = {
    ...selected.manifest,
    database_properties: {
      ...privileges(properties),
      settings: properties.settings.map(({ role, setting }) => ({
        role: role === null ? null : mapped(role),
        setting,
      })),
    },
    large_objects: { ...large, objects: large.objects.map(privileges) },
  };
  const named = new Set([
    ...entries.flatMap(roleNames),
    ...[adapted.database_properties, ...adapted.large_objects.objects].flatMap(
      ({ owner, has_privileges: hasPrivileges, privileges: given }) => [
        ...(withoutOwners ? [] : [owner]),
        ...(hasPrivileges ? given.flatMap(({ grantee }) => grantee ?? []) : []),
      ],
    ),
  ]);
  const known = new Map(
    manifest.roles.map((role): [string, RoleEntry] => [
      mapped(role.name),
      {
        ...role,
        name: mapped(role.name),
        ...(role.member_of ? { member_of: role.member_of.map((of) => ({ ...of, role: mapped(of.role) })) } : {}),
      },
    ]),
  );
  // A set takes what is added while it is walked through: the roles that these belong to, and so on.
  for (const name of named) for (const { role } of known.get(name)?.member_of ?? []) named.add(role);
  const roles = [...known.values()].filter(({ name }) => named.has(name));
  return {
    manifest: { ...adapted, roles },
    schema: { ...schema, entries },
    unknown: selected.unknown,
    warnings: [...(options.masking && hasObjects ? [LARGE_OBJECTS_NOT_MASKED] : []), ...selected.warnings],
  };
}

const all = (manifest: Manifest, schema: SchemaDump): TailoredBackup => ({
  manifest,
  schema,
  unknown: [],
  warnings: [],
});

const PG_CLASS = 1259;

function applySelection(manifest: Manifest, schema: SchemaDump, selection: Selection): TailoredBackup {
  const { entries, wanted, unknown, warnings } = selectEntries(schema, selection);
  const relations = new Set([...wanted].filter(({ class_id }) => class_id === PG_CLASS).map(({ oid }) => oid));
  const sequences = new Set(
    entries.filter(({ type }) => type === 'SEQUENCE').map((entry) => JSON.stringify([entry.schema, entry.name])),
  );
  const tables = manifest.tables.filter(({ oid }) => relations.has(oid));
  const total = (field: 'rows' | 'bytes'): number => tables.reduce((sum, table) => sum + table[field], 0);
  if (manifest.large_objects.objects.length > 0) {
    warnings.push(
      'Large objects are left out: a restore of chosen schemas or tables cannot tell which ones belong to it',
    );
  }
  return {
    schema: { ...schema, entries },
    unknown,
    warnings,
    manifest: {
      ...manifest,
      tables,
      sequences: manifest.sequences.filter((each) => sequences.has(JSON.stringify([each.schema, each.name]))),
      materialized_views: manifest.materialized_views.filter(({ oid }) => relations.has(oid)),
      large_objects: { objects: [], chunks: [] },
      totals: { ...manifest.totals, tables: tables.length, rows: total('rows'), bytes: total('bytes') },
    },
  };
}
