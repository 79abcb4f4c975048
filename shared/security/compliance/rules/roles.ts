import { platformOf } from '../../../platforms/platforms.ts';
import { quoteIdentifier } from '../../../postgres/identifiers.ts';
import { controlsOf } from '../controls.ts';
import type { SqlSections } from '../readings/sql-sections.ts';
import { type Context, listRule, type Mend, type Rule, type RuleLevel, sql, unknown } from '../rule.ts';

type Role = SqlSections['roles'][number];
type Membership = SqlSections['memberships'][number];

const alter = (name: string, what: string): Mend[] => sql(`ALTER ROLE ${quoteIdentifier(name)} ${what};`);
/** Whether a role is the platform's own. */
export const isAws = (name: string, { database }: Context): boolean => platformOf(database).privileges.isOwnRole(name);

/** Whether a role is none that may be changed: the platform's own, the administrators', or the login of this system. */
export const isSpared = (role: Role, { database, instance }: Context): boolean => {
  const { privileges } = platformOf(database);
  return role.own || privileges.isOwnRole(role.name) || privileges.isAdministrator(role, instance);
};

interface AttributeRule {
  id: string;
  title: string;
  level: RuleLevel;
  expected: string;
  cis: string;
  has(role: Role): boolean;
  without: string;
}

/** A rule that no role but the first superuser and the login of this system has an attribute. */
const attributeRule = ({ cis, has, without, ...rule }: AttributeRule): Rule<'roles'> =>
  listRule({
    ...rule,
    reads: 'roles',
    controls: controlsOf('privilege', cis),
    offenders: (roles, context) => roles.filter((role) => has(role) && !role.bootstrap && !isSpared(role, context)),
    name: ({ name }) => name,
    mend: ({ name }) => alter(name, without),
  });

export const revoke = ({ role, member, grantor }: Membership, what = ''): Mend[] => {
  const by = grantor === null ? '' : ` GRANTED BY ${quoteIdentifier(grantor)}`;
  return sql(`REVOKE ${what}${quoteIdentifier(role)} FROM ${quoteIdentifier(member)}${by};`);
};

interface MembershipRule {
  id: string;
  title: string;
  level: RuleLevel;
  expected: string;
  cis: string;
  isWrong(membership: Membership): boolean;
  option?: string;
}

const membershipRule = ({ cis, isWrong, option, ...rule }: MembershipRule): Rule<'memberships'> =>
  listRule({
    ...rule,
    reads: 'memberships',
    controls: controlsOf('privilege', cis),
    offenders: (memberships, context) =>
      memberships.filter(
        (membership) =>
          isWrong(membership) &&
          !membership.own &&
          !isAws(membership.member, context) &&
          membership.member !== context.instance?.masterUser,
      ),
    name: ({ role, member }) => `${member} (${role})`,
    mend: (membership) => revoke(membership, option),
  });

const onFiles = ['pg_read_server_files', 'pg_write_server_files', 'pg_execute_server_program'];
const onAllData = ['pg_read_all_data', 'pg_write_all_data'];
const onServer = ['pg_create_subscription', 'pg_maintain', 'pg_signal_backend', 'pg_checkpoint', 'pg_database_owner'];
/** Settings of a role or a database that take a protection away. */
const lowering: Readonly<Record<string, RegExp>> = {
  row_security: /^off$/,
  session_replication_role: /^replica$/,
  log_statement: /^none$/,
  'pgaudit.log': /^none$/,
  zero_damaged_pages: /^on$/,
  password_encryption: /^md5$/,
};

/** PCI DSS 8.2.6. */
const UNUSED_MS = 90 * 86_400_000;

/** What logins may do to the server as a whole. */
export const roleRules = [
  attributeRule({
    id: 'superusers',
    title: 'There are no superusers beside the first',
    level: 'critical',
    expected: 'SUPERUSER has only the role that initdb made, and the login of this system where it is given so',
    cis: '4.3',
    has: ({ superuser }) => superuser,
    without: 'NOSUPERUSER',
  }),
  attributeRule({
    id: 'bypassrls',
    title: 'Nobody passes by row-level security',
    level: 'high',
    expected: 'No role has BYPASSRLS',
    cis: '4.7',
    has: ({ bypassrls, superuser }) => bypassrls && !superuser,
    without: 'NOBYPASSRLS',
  }),
  attributeRule({
    id: 'createrole',
    title: 'Roles are made by superusers alone',
    level: 'medium',
    expected: 'No other role has CREATEROLE',
    cis: '4.3',
    has: ({ createrole, superuser }) => createrole && !superuser,
    without: 'NOCREATEROLE',
  }),
  attributeRule({
    id: 'createdb',
    title: 'Databases are made by superusers and this system alone',
    level: 'low',
    expected: 'No other role has CREATEDB',
    cis: '4.3',
    has: ({ createdb, superuser }) => createdb && !superuser,
    without: 'NOCREATEDB',
  }),
  attributeRule({
    id: 'replication',
    title: 'No role that can log in for other work may replicate',
    level: 'medium',
    expected: 'REPLICATION has only the login of this system. A login of a replica is waived by hand',
    cis: '7.1',
    has: ({ replication, superuser, login }) => replication && login && !superuser,
    without: 'NOREPLICATION',
  }),
  membershipRule({
    id: 'members_of_superusers',
    title: 'Nobody may become a superuser',
    level: 'critical',
    expected: 'No role is a member of a superuser',
    cis: '4.3',
    isWrong: ({ role_is_superuser, member_is_superuser }) => role_is_superuser && !member_is_superuser,
  }),
  membershipRule({
    id: 'server_files',
    title: 'Nobody reaches the server’s files or programs',
    level: 'critical',
    expected: `No role is a member of ${onFiles.join(', ')}`,
    cis: '4.9',
    isWrong: ({ role, member_is_superuser }) => onFiles.includes(role) && !member_is_superuser,
  }),
  membershipRule({
    id: 'all_data',
    title: 'Nobody but this system reads or writes all data',
    level: 'high',
    expected: `Only the login of this system is a member of ${onAllData.join(', ')}`,
    cis: '4.9',
    isWrong: ({ role, member_is_superuser }) => onAllData.includes(role) && !member_is_superuser,
  }),
  membershipRule({
    id: 'predefined_roles',
    title: 'Predefined roles over the whole server are not given out',
    level: 'low',
    expected: `Only the login of this system is a member of ${onServer.join(', ')}`,
    cis: '4.9',
    isWrong: ({ role, member_is_superuser }) => onServer.includes(role) && !member_is_superuser,
  }),
  membershipRule({
    id: 'admin_option',
    title: 'Memberships are given on by superusers alone',
    level: 'medium',
    expected: 'No other role holds a membership WITH ADMIN OPTION',
    cis: '4.3',
    isWrong: ({ admin, member_is_superuser, member_creates_roles }) =>
      admin && !member_is_superuser && !member_creates_roles,
    option: 'ADMIN OPTION FOR ',
  }),
  listRule({
    id: 'connection_limits',
    title: 'Every login has a connection limit',
    level: 'low',
    reads: 'roles',
    expected: 'Every login but superusers has a CONNECTION LIMIT',
    controls: controlsOf('sessions', '5.5'),
    offenders: (roles, context) =>
      roles.filter((role) => role.login && !role.superuser && role.connection_limit < 0 && !isSpared(role, context)),
    name: ({ name }) => name,
    mend: ({ name }) => alter(name, 'CONNECTION LIMIT 50'),
  }),
  listRule({
    id: 'owners_log_in',
    title: 'Who owns tables does not log in',
    level: 'low',
    reads: 'roles',
    expected: 'Tables are owned by roles without LOGIN, of which logins may be members',
    controls: controlsOf('privilege', '4.6'),
    offenders: (roles, context) =>
      roles.filter((role) => role.login && role.owns_tables && !role.superuser && !isSpared(role, context)),
    name: ({ name }) => name,
    mend: ({ name }) => {
      const owner = quoteIdentifier(`${[...name].slice(0, 15).join('')}_owner`);
      return sql(
        `CREATE ROLE ${owner} NOLOGIN;`,
        `GRANT ${owner} TO ${quoteIdentifier(name)};`,
        `REASSIGN OWNED BY ${quoteIdentifier(name)} TO ${owner};`,
      );
    },
  }),
  listRule({
    id: 'lowered_settings',
    title: 'No role or database has a setting that takes protection away',
    level: 'medium',
    reads: 'ownSettings',
    expected: `None of ${Object.keys(lowering).join(', ')} is lowered for a role or a database`,
    controls: controlsOf('settings', '6.2', '6.6'),
    offenders: (settings) => settings.filter(({ name, value }) => lowering[name]?.test(value) === true),
    name: ({ role, database, name, value }) => `${name} = ${value} (${role ?? database ?? 'all'})`,
    mend: ({ role, database, name }) => {
      const setting = name.split('.').map(quoteIdentifier).join('.');
      const within = database === null ? '' : ` IN DATABASE ${quoteIdentifier(database)}`;
      if (role !== null) return sql(`ALTER ROLE ${quoteIdentifier(role)}${within} RESET ${setting};`);
      if (database === null) return sql(`ALTER ROLE ALL RESET ${setting};`);
      return sql(`ALTER DATABASE ${quoteIdentifier(database)} RESET ${setting};`);
    },
  }),
  listRule({
    id: 'unused_logins',
    title: 'No login is kept that nobody uses',
    level: 'medium',
    reads: 'sightings',
    expected: 'Every login was seen with a session in the last 90 days; others are NOLOGIN',
    controls: controlsOf('unused', '4.4'),
    offenders: ({ since, last_seen, known_since, roles }, context) => {
      const { now } = context;
      const before = now - UNUSED_MS;
      if (since > before) return unknown(`Looked at since ${new Date(since).toISOString()}, which is not yet 90 days`);
      return roles.filter(
        (role) =>
          role.login &&
          !role.bootstrap &&
          !isSpared(role, context) &&
          (role.valid_until === null || role.valid_until > now) &&
          (last_seen[role.name] ?? known_since[role.name] ?? now) < before,
      );
    },
    name: ({ name }) => name,
    mend: ({ name }) => alter(name, 'NOLOGIN'),
  }),
];
