import type { RestoreOptionFields } from '../../contract/schemas/restore.ts';
import type { TableName } from './select-entries.ts';
import type { RestoreOptions } from './tailor.ts';

/**
 * The options of a request in the words of the restore.
 *
 * @param isLessTrusted - whether the target is trusted less than what the backup is of
 */
export function restoreOptionsOf(
  fields: RestoreOptionFields,
  isLessTrusted: boolean,
): RestoreOptions & {
  missingRoles: 'create' | 'skip';
  connections: number | undefined;
  analyze: boolean | undefined;
  suffix: string | undefined;
} {
  const { schemas, tables } = fields;
  return {
    selection: schemas || tables ? { schemas: schemas ?? [], tables: (tables ?? []).map(tableName) } : undefined,
    ownerMapping: fields.owner_mapping,
    withoutOwners: fields.without_owners,
    withoutPrivileges: fields.without_privileges,
    leaveOut: fields.leave_out,
    expect: fields.expect,
    refuseUnmasked: isLessTrusted && fields.allow_unmasked !== true,
    missingRoles: fields.missing_roles ?? 'create',
    connections: fields.connections,
    analyze: fields.analyze,
    suffix: fields.suffix,
  };
}

/** A relation that a request names as `schema.table`, or by both. */
export function tableName(table: string | TableName): TableName {
  if (typeof table !== 'string') return table;
  const dot = table.indexOf('.');
  return { schema: table.slice(0, dot), table: table.slice(dot + 1) };
}
