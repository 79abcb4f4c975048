import type { SchemaDump, SchemaEntry } from '../../postgres/pg-dump/schema-dump.ts';

/**
 * A schema without some of its entries, and without what is only there for them, such as their comments.
 *
 * @param unwanted - entries that nothing else is made of
 */
export function leaveOut(schema: SchemaDump, unwanted: readonly SchemaEntry[]): SchemaDump {
  if (unwanted.length === 0) return schema;
  const gone = new Set(unwanted.map(({ dump_id }) => dump_id));
  const isOfThem = ({ dump_id, type, depends_on }: SchemaEntry): boolean =>
    gone.has(dump_id) || (REMARKS.has(type) && depends_on.some((each) => gone.has(each)));
  return { ...schema, entries: schema.entries.filter((entry) => !isOfThem(entry)) };
}

const REMARKS: ReadonlySet<string> = new Set(['ACL', 'COMMENT', 'SECURITY LABEL']);
