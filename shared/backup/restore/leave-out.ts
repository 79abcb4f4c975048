import { CHANGES_SCHEMA, RUN_SCHEMA } from '../../postgres/own-schema.ts';
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
 * A schema without what this system put into the database: what follows its changes belongs to the replication slot of that database,
 * and a copy would write into the log of another one for nobody; what creates logins of drills, to whoever created it there.
 */
export function withoutOwnSchemas(schema: SchemaDump): SchemaDump {
  const own = schema.entries.filter(
    ({ type, schema: place, name }) =>
      place === CHANGES_SCHEMA ||
      (place === RUN_SCHEMA && (type === 'FUNCTION' || REMARKS.has(type))) ||
      (type === 'SCHEMA' && (name === CHANGES_SCHEMA || name === RUN_SCHEMA)),
  );
  const ids = new Set(own.map(({ dump_id }) => dump_id));
  const triggers = schema.entries.filter(
    ({ type, depends_on }) => type === 'EVENT TRIGGER' && depends_on.some((each) => ids.has(each)),
  );
  return leaveOut(schema, [...own, ...triggers]);
}
