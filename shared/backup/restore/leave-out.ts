import { CHANGES_SCHEMA } from '../../postgres/own-schema.ts';
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

/**
 * A schema without what this system put into the database to follow its changes: it belongs to the replication slot of the database
 * that it was in, and a copy would write into the log of another one for nobody.
 */
export function withoutChangesSchema(schema: SchemaDump): SchemaDump {
  const own = schema.entries.filter(
    (entry) => entry.schema === CHANGES_SCHEMA || (entry.type === 'SCHEMA' && entry.name === CHANGES_SCHEMA),
  );
  const ids = new Set(own.map(({ dump_id }) => dump_id));
  const triggers = schema.entries.filter(
    ({ type, depends_on }) => type === 'EVENT TRIGGER' && depends_on.some((each) => ids.has(each)),
  );
  return leaveOut(schema, [...own, ...triggers]);
}
