import { quoteIdentifier } from '../../../postgres/identifiers.ts';
import { controlsOf } from '../controls.ts';
import type { SqlSections } from '../readings/sql-sections.ts';
import { type Judgement, listRule, sql, unknown } from '../rule.ts';

type Mappings = SqlSections['userMappings'];

const of = ({ server, user }: Mappings[number]): string =>
  `USER MAPPING FOR ${user === null ? 'PUBLIC' : quoteIdentifier(user)} SERVER ${quoteIdentifier(server)}`;
const nameOf = ({ server, user }: Mappings[number]): string => `${user ?? 'PUBLIC'} at ${server}`;

/** Options of others' mappings are for superusers: with such ones there is no passing. */
const whereSeen =
  (isWrong: (mapping: Mappings[number]) => boolean) =>
  (mappings: Mappings): Mappings | Judgement => {
    const wrong = mappings.filter(isWrong);
    const hidden = mappings.filter((mapping) => mapping.hidden);
    if (wrong.length > 0 || hidden.length === 0) return wrong;
    return unknown(`The login may not see the options of ${hidden.length} user mappings`);
  };

/** Other servers that this one logs in to. */
export const foreignRules = [
  listRule({
    id: 'stored_passwords',
    title: 'No password of another server is stored in plain text',
    level: 'high',
    reads: 'userMappings',
    expected: 'No user mapping has a password; certificates and the caller’s own credentials need none',
    controls: controlsOf('passwords'),
    offenders: whereSeen(({ password }) => password),
    name: nameOf,
    mend: (mapping) => sql(`ALTER ${of(mapping)} OPTIONS (DROP password);`),
  }),
  listRule({
    id: 'mapping_password_required',
    title: 'No mapping lends the server’s own identity',
    level: 'high',
    reads: 'userMappings',
    expected: 'No user mapping has password_required = false: it would log in as the server’s own user',
    controls: controlsOf('authentication'),
    offenders: whereSeen(({ password_not_required }) => password_not_required),
    name: nameOf,
    mend: (mapping) => sql(`ALTER ${of(mapping)} OPTIONS (SET password_required 'true');`),
  }),
  listRule({
    id: 'mappings_of_public',
    title: 'Not everybody logs in elsewhere as one',
    level: 'medium',
    reads: 'userMappings',
    expected: 'No user mapping is for PUBLIC',
    controls: controlsOf('privilege'),
    offenders: (mappings) => mappings.filter(({ user }) => user === null),
    name: nameOf,
    mend: (mapping) => sql(`DROP ${of(mapping)};`),
  }),
  listRule({
    id: 'foreign_tls',
    title: 'Other servers are reached over verified TLS',
    level: 'medium',
    reads: 'foreignServers',
    expected: 'sslmode is verify-ca or verify-full for every foreign server of PostgreSQL',
    controls: controlsOf('transit', '5.8'),
    offenders: (servers) => servers.filter(({ sslmode }) => !['verify-ca', 'verify-full'].includes(sslmode ?? '')),
    name: ({ name, sslmode }) => `${name} (${sslmode ?? 'prefer'})`,
    mend: ({ name, sslmode }) =>
      sql(`ALTER SERVER ${quoteIdentifier(name)} OPTIONS (${sslmode === null ? 'ADD' : 'SET'} sslmode 'verify-full');`),
  }),
];
