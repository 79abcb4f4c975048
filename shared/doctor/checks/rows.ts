import { listed } from '../../listed.ts';
import { type AnyCheck, type Context, defineCheck, sql } from '../check.ts';
import type { Facts } from '../facts/facts.ts';
import { quoteForPaste, quoteForReading } from '../quote-for-paste.ts';
import { type Grantee, grantRole, SHARED_OWNER, shareOwnership } from '../remediate.ts';

const READ_ALL_SINCE = 140_000;

type NamedObject = { schema: string; name: string | null };
const reading = ({ schema, name }: NamedObject): string =>
  quoteForReading(name === null ? schema : `${schema}.${name}`);
const pasting = ({ schema, name }: NamedObject): string =>
  name === null ? quoteForPaste(schema) : `${quoteForPaste(schema)}.${quoteForPaste(name)}`;

/** What lets the login read rows. */
export const rowChecks: readonly AnyCheck[] = [
  defineCheck({
    id: 'rows_not_readable',
    title: 'Tables cannot be read',
    needs: '`pg_read_all_data`; on PostgreSQL 13 SELECT on all tables and sequences, and USAGE of their schemas',
    affects: { stops: ['backup'], limits: ['masking', 'recovery'] },
    reads: ['unreadable', 'login', 'server'],
    find({ unreadable, login, server }, context) {
      const [first] = unreadable;
      if (!first) return null;
      return {
        message: `The login may not read ${first.total} schemas, tables and sequences: ${listed(
          unreadable.map((each) => `${each.kind} ${reading(each)}`),
          first,
        )}`,
        remediation:
          server.version >= READ_ALL_SINCE
            ? sql(context, grantRole('pg_read_all_data', { login, version: server.version }))
            : sql(context, ...grantsFor(unreadable, login.name)),
      };
    },
  }),
  defineCheck({
    id: 'rows_hidden_by_policies',
    title: 'Row security hides rows',
    needs: '`BYPASSRLS` or, where nobody may give it, membership of the owners of tables with row security',
    affects: { stops: ['backup'], limits: ['masking'] },
    reads: ['hidden_rows', 'login', 'server'],
    find({ hidden_rows: tables, login, server }, context) {
      const [first] = tables;
      if (!first) return null;
      return {
        message: `Policies hide rows from the login, so that a backup is refused, in ${first.total} ${first.total === 1 ? 'table' : 'tables'}: ${listed(tables.map(reading), first)}`,
        remediation: showRows(tables, { login, version: server.version }, context),
      };
    },
  }),
  defineCheck({
    id: 'large_objects_not_readable',
    title: 'Large objects cannot be read',
    needs: 'membership of the owners of large objects, or SELECT on each',
    affects: { stops: ['backup'] },
    reads: ['large_objects', 'login', 'server'],
    find({ large_objects: owners, login, server }, context) {
      if (owners.length === 0) return null;
      const total = owners.reduce((sum, { objects }) => sum + objects, 0);
      const granted = owners.filter(({ owner_administers }) => !owner_administers);
      const others = owners.filter(({ owner_administers }) => owner_administers);
      return {
        message: `The login may not read ${total} large objects of ${owners.map(({ owner }) => quoteForReading(owner)).join(', ')}`,
        remediation: sql(
          context,
          ...granted.map(({ owner }) => grantRole(owner, { login, version: server.version })),
          // An administrator's own rights are not to be the login's.
          ...(others.length === 0 ? [] : [grantLargeObjects(login.name)]),
        ),
      };
    },
  }),
];

function grantsFor(unreadable: Facts['unreadable'], login: string): string[] {
  const to = quoteForPaste(login);
  return unreadable.map((each) => {
    if (each.kind === 'schema') return `GRANT USAGE ON SCHEMA ${pasting(each)} TO ${to};`;
    return `GRANT SELECT ON ${each.kind === 'table' ? 'TABLE' : 'SEQUENCE'} ${pasting(each)} TO ${to};`;
  });
}

/** Run by their owner: what belongs to somebody else is left as it is. */
function grantLargeObjects(login: string): string {
  return `DO $$ DECLARE o oid; BEGIN FOR o IN SELECT m.oid FROM pg_largeobject_metadata m WHERE pg_has_role(m.lomowner, 'USAGE') LOOP EXECUTE format('GRANT SELECT ON LARGE OBJECT %s TO %s', o, $login$${quoteForPaste(login)}$login$); END LOOP; END $$;`;
}

function showRows(tables: Facts['hidden_rows'], grantee: Grantee, context: Context) {
  if (context.platform.privileges.administrators === null)
    return sql(context, `ALTER ROLE ${quoteForPaste(grantee.login.name)} BYPASSRLS;`);
  const forced = tables.filter(({ forced }) => forced);
  const owners = new Set(
    tables.filter(({ owned, owner_administers }) => !owned && !owner_administers).map(({ owner }) => owner),
  );
  const administered = tables.filter(({ owned, owner_administers }) => !owned && owner_administers);
  const schemas = new Set(administered.map(({ schema }) => schema));
  return [
    ...sql(
      context,
      ...[...owners].map((owner) => grantRole(owner, grantee)),
      ...forced.map((table) => `ALTER TABLE ${pasting(table)} NO FORCE ROW LEVEL SECURITY;`),
    ),
    ...(administered.length === 0
      ? []
      : [
          ...shareOwnership([], grantee, context),
          ...sql(
            context,
            ...[...schemas].map(
              (schema) => `GRANT CREATE, USAGE ON SCHEMA ${quoteForPaste(schema)} TO ${SHARED_OWNER};`,
            ),
            ...administered.map((table) => `ALTER TABLE ${pasting(table)} OWNER TO ${SHARED_OWNER};`),
          ),
        ]),
  ];
}
