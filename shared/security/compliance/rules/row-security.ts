import { quoteIdentifier } from '../../../postgres/identifiers.ts';
import { controlsOf } from '../controls.ts';
import { listRule, sql } from '../rule.ts';
import { isOn, settingRule } from './settings.ts';

/** Row-level security. */
export const rowSecurityRules = [
  listRule({
    id: 'rls_off',
    title: 'Where there are policies, they hold',
    level: 'high',
    reads: 'rowSecurity',
    expected: 'Every table with policies has ROW LEVEL SECURITY enabled',
    controls: controlsOf('privilege', '4.7'),
    offenders: (tables) => tables.filter(({ enabled, policies }) => !enabled && policies > 0),
    name: ({ table }) => table,
    mend: ({ table }) => sql(`ALTER TABLE ${table} ENABLE ROW LEVEL SECURITY;`),
  }),
  listRule({
    id: 'rls_without_policy',
    title: 'Where row-level security is on, there are policies',
    level: 'medium',
    reads: 'rowSecurity',
    expected:
      'Every table with ROW LEVEL SECURITY has a policy: without one nobody but its owner sees a row, which is seldom meant',
    controls: controlsOf('privilege', '4.7'),
    offenders: (tables) => tables.filter(({ enabled, policies }) => enabled && policies === 0),
    name: ({ table }) => table,
    mend: ({ table, owner }) => sql(`CREATE POLICY owner_alone ON ${table} TO ${quoteIdentifier(owner)} USING (true);`),
  }),
  listRule({
    id: 'rls_open_policy',
    title: 'No policy lets everybody see everything',
    level: 'high',
    reads: 'rowSecurity',
    expected: 'No permissive policy for PUBLIC is USING (true)',
    controls: controlsOf('privilege', '4.7'),
    offenders: (tables) => tables.filter(({ open_policies }) => open_policies.length > 0),
    name: ({ table, open_policies }) => `${table} (${open_policies.join(', ')})`,
    mend: ({ table, open_policies }) =>
      open_policies.flatMap((policy) => sql(`DROP POLICY ${quoteIdentifier(policy)} ON ${table};`)),
  }),
  listRule({
    id: 'rls_not_forced',
    title: 'Policies hold for owners who log in, too',
    level: 'medium',
    reads: 'rowSecurity',
    expected: 'FORCE ROW LEVEL SECURITY where the owner of a table is a login',
    controls: controlsOf('privilege', '4.7'),
    offenders: (tables) => tables.filter(({ enabled, forced, owner_logs_in }) => enabled && !forced && owner_logs_in),
    name: ({ table, owner }) => `${table} of ${owner}`,
    mend: ({ table }) => sql(`ALTER TABLE ${table} FORCE ROW LEVEL SECURITY;`),
  }),
  listRule({
    id: 'rls_views',
    title: 'No view goes past row-level security',
    level: 'high',
    reads: 'bypassingViews',
    expected:
      'Views over tables with ROW LEVEL SECURITY, owned by who is not held by it, are security_invoker, or before PostgreSQL 15 have an owner who is held',
    controls: controlsOf('privilege', '4.7'),
    offenders: (views) => views,
    name: ({ view }) => view,
    mend: ({ view, tables, takes_invoker }) => {
      if (takes_invoker) return sql(`ALTER VIEW ${view} SET (security_invoker = true);`);
      const role = quoteIdentifier(`owner of ${view}`.slice(0, 60));
      return sql(
        `CREATE ROLE ${role} NOLOGIN;`,
        `GRANT SELECT ON ${tables.join(', ')} TO ${role};`,
        `ALTER VIEW ${view} OWNER TO ${role};`,
      );
    },
  }),
  settingRule({
    id: 'row_security',
    title: 'The setting row_security is on',
    level: 'low',
    setting: 'row_security',
    isRight: isOn,
    right: 'on',
    expected: 'row_security = on',
    controls: controlsOf('privilege', '4.7'),
  }),
];
