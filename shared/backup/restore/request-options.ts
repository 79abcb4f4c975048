import type { RestoreOptionFields } from '../../contract/schemas/restore.ts';
import type { TableName } from './select-entries.ts';
import type { RestoreOptions } from './tailor.ts';

/** The options of a request in the words of the restore. */
export function restoreOptionsOf(fields: RestoreOptionFields): RestoreOptions & {
  missingRoles: 'create' | 'skip';
  connections: number | undefined;
  analyze: boolean | undefined;
} {
  const { schemas, tables } = fields;
  return {
    selection: schemas || tables ? { schemas: schemas ?? [], tables: (tables ?? []).map(tableName) } : undefined,
    ownerMapping: fields.owner_mapping,
    withoutOwners: fields.without_owners,
    withoutPrivileges: fields.without_privileges,
    missingRoles: fields.missing_roles ?? 'create',
    connections: fields.connections,
    analyze: fields.analyze,
  };
}

/** A relation that a request names as `schema.table`, or by both. */
export function tableName(table: string | TableName): TableName {
  if (typeof table !== 'string') return table;
  const dot = table.indexOf('.');
  return { schema: table.slice(0, dot), table: table.slice(dot + 1) };
}
