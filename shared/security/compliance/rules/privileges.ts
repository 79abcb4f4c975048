import { quoteIdentifier } from '../../../postgres/identifiers.ts';
import { controlsOf } from '../controls.ts';
import type { SqlSections } from '../readings/sql-sections.ts';
import { type Context, listRule, type Mend, type Rule, type RuleLevel, sql } from '../rule.ts';
import { isAws } from './roles.ts';

type Grant = SqlSections['grants'][number];

/** The text of a grantee: PUBLIC, or a role. */
const grantee = (name: string | null): string => (name === null ? 'PUBLIC' : quoteIdentifier(name));
const columns = ({ col }: Grant): string => (col === null ? '' : ` (${col})`);
/** Views are written as tables are. */
const revoke = (grant: Grant, option = ''): Mend[] =>
  sql(
    `REVOKE ${option}${grant.privilege}${columns(grant)} ON ${grant.kind} ${grant.object} FROM ${grantee(grant.grantee)}${option === '' ? '' : ' CASCADE'};`,
  );

interface GrantRule {
  id: string;
  title: string;
  level: RuleLevel;
  expected: string;
  cis: string;
  isWrong(grant: Grant): boolean;
  mend?(grant: Grant, context: Context): Mend[];
}

const publicRule = ({ cis, isWrong, mend = (grant) => revoke(grant), ...rule }: GrantRule): Rule<'grants'> =>
  listRule({
    ...rule,
    reads: 'grants',
    controls: controlsOf('privilege', cis),
    offenders: (grants) => grants.filter((grant) => grant.grantee === null && isWrong(grant)),
    name: ({ privilege, shown }) => `${privilege} on ${shown}`,
    mend: (grant, context) => mend(grant, context),
  });

/** Whoever needs what everybody had gets it first: nobody is locked out by the mending. */
const keepLogins = (grant: Grant, context: Context): Mend[] => [
  ...(grant.logins ?? [])
    .filter((login) => !isAws(login, context))
    .flatMap((login) => sql(`GRANT ${grant.privilege} ON ${grant.kind} ${grant.object} TO ${quoteIdentifier(login)};`)),
  ...revoke(grant),
];

/** What everybody may do, and what is passed on. */
export const privilegeRules = [
  publicRule({
    id: 'public_schema_create',
    title: 'Not everybody may create in the schema public',
    level: 'high',
    expected: 'PUBLIC has no CREATE on the schema public (CVE-2018-1058)',
    cis: '4.10',
    isWrong: ({ kind, object, privilege }) => kind === 'SCHEMA' && object === 'public' && privilege === 'CREATE',
  }),
  publicRule({
    id: 'schemas_create',
    title: 'Not everybody may create in any other schema',
    level: 'high',
    expected: 'PUBLIC has CREATE on no schema',
    cis: '4.10',
    isWrong: ({ kind, object, privilege }) => kind === 'SCHEMA' && object !== 'public' && privilege === 'CREATE',
  }),
  publicRule({
    id: 'database_connect',
    title: 'Not everybody may connect',
    level: 'medium',
    expected: 'PUBLIC has no CONNECT on the database; logins have it by name',
    cis: '5.10',
    isWrong: ({ kind, privilege }) => kind === 'DATABASE' && privilege === 'CONNECT',
    mend: keepLogins,
  }),
  publicRule({
    id: 'database_temporary',
    title: 'Not everybody may fill the disk with temporary tables',
    level: 'low',
    expected: 'PUBLIC has no TEMPORARY on the database; logins have it by name',
    cis: '4.6',
    isWrong: ({ kind, privilege }) => kind === 'DATABASE' && privilege === 'TEMPORARY',
    mend: keepLogins,
  }),
  publicRule({
    id: 'database_create',
    title: 'Not everybody may create schemas',
    level: 'high',
    expected: 'PUBLIC has no CREATE on the database',
    cis: '4.6',
    isWrong: ({ kind, privilege }) => kind === 'DATABASE' && privilege === 'CREATE',
  }),
  publicRule({
    id: 'tables_public',
    title: 'No table or column is open to everybody',
    level: 'high',
    expected: 'PUBLIC has no privilege on tables, views, or columns',
    cis: '4.6',
    isWrong: ({ kind }) => kind === 'TABLE',
  }),
  publicRule({
    id: 'sequences_public',
    title: 'No sequence is open to everybody',
    level: 'low',
    expected: 'PUBLIC has no privilege on sequences',
    cis: '4.6',
    isWrong: ({ kind }) => kind === 'SEQUENCE',
  }),
  publicRule({
    id: 'foreign_servers_public',
    title: 'No foreign server is open to everybody',
    level: 'medium',
    expected: 'PUBLIC has no USAGE on foreign servers',
    cis: '4.6',
    isWrong: ({ kind }) => kind === 'FOREIGN SERVER',
  }),
  listRule({
    id: 'grant_options',
    title: 'Privileges are given on by owners alone',
    level: 'medium',
    reads: 'grants',
    expected: 'Nobody but an owner holds a privilege WITH GRANT OPTION',
    controls: controlsOf('privilege', '4.6'),
    offenders: (grants) => grants.filter(({ grantee: name, grantable }) => name !== null && grantable),
    name: ({ privilege, shown, grantee: name }) => `${privilege} on ${shown} to ${name}`,
    mend: (grant) => revoke(grant, 'GRANT OPTION FOR '),
  }),
  listRule({
    id: 'default_privileges',
    title: 'New objects are not open to everybody',
    level: 'high',
    reads: 'defaults',
    expected: 'No default privilege gives to PUBLIC',
    controls: controlsOf('privilege', '4.6'),
    offenders: (defaults) => defaults,
    name: ({ role, schema, privilege, kind }) =>
      `${privilege} on ${kind.toLowerCase()} of ${role}${schema === null ? '' : ` in ${schema}`}`,
    mend: ({ role, schema, privilege, kind }) => {
      const within = schema === null ? '' : ` IN SCHEMA ${quoteIdentifier(schema)}`;
      return sql(
        `ALTER DEFAULT PRIVILEGES FOR ROLE ${quoteIdentifier(role)}${within} REVOKE ${privilege} ON ${kind} FROM PUBLIC;`,
      );
    },
  }),
  listRule({
    id: 'default_functions',
    title: 'New functions of the database’s owner are not run by everybody',
    level: 'low',
    reads: 'openFunctions',
    expected: 'ALTER DEFAULT PRIVILEGES takes EXECUTE on functions from PUBLIC for the owner of the database',
    controls: controlsOf('privilege', '4.5'),
    offenders: (owners) => owners,
    name: ({ role }) => role,
    mend: ({ role }) =>
      sql(`ALTER DEFAULT PRIVILEGES FOR ROLE ${quoteIdentifier(role)} REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;`),
  }),
  listRule({
    id: 'file_functions',
    title: 'Functions that reach the server’s files are for superusers',
    level: 'critical',
    reads: 'fileFunctions',
    expected: 'Nobody else has EXECUTE on pg_read_file, pg_ls_dir, lo_import, lo_export and their like',
    controls: controlsOf('privilege', '4.5'),
    offenders: (functions, context) => functions.filter(({ grantee: name }) => name === null || !isAws(name, context)),
    name: ({ object, grantee: name }) => `${object} to ${name ?? 'PUBLIC'}`,
    mend: ({ object, grantee: name }) => sql(`REVOKE EXECUTE ON FUNCTION ${object} FROM ${grantee(name)};`),
  }),
];
