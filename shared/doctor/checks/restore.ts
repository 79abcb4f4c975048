import { refusalOf } from '../../backup/restore/extensions/rules.ts';
import { type AnyCheck, defineCheck, sql } from '../check.ts';
import { quoteForPaste, quoteForReading } from '../quote-for-paste.ts';
import { grantRole, shareOwnership } from '../remediate.ts';

/** What lets the login create databases as they were. */
export const restoreChecks: readonly AnyCheck[] = [
  defineCheck({
    id: 'databases_not_created',
    title: 'The login may not create databases',
    needs: '`CREATEDB`',
    affects: { stops: ['restore', 'swap'] },
    reads: ['login'],
    find({ login }, context) {
      if (login.creates_databases) return null;
      return {
        message: `${quoteForReading(login.name)} has no CREATEDB, which a restore needs`,
        remediation: sql(context, `ALTER ROLE ${quoteForPaste(login.name)} CREATEDB;`),
      };
    },
  }),
  defineCheck({
    id: 'drill_logins_not_created',
    title: 'Drills cannot be made',
    needs: 'on the server of the drills the functions of docs/logins/drills.sql, or `CREATEROLE`',
    affects: { limits: ['restore'] },
    reads: ['login'],
    find({ login }, context) {
      if (login.creates_run_logins || context.configuration.drills.server !== context.database.id) return null;
      return {
        message: `Drills restore on this server, and ${quoteForReading(login.name)} may not create the login without rights that each of them needs: they are inconclusive`,
        remediation: sql(context, '\\i docs/logins/drills.sql'),
      };
    },
  }),
  defineCheck({
    id: 'database_not_owned',
    title: 'The login may not rename the database',
    needs: 'membership of the owner of the database',
    affects: { stops: ['swap'] },
    reads: ['database', 'login', 'server'],
    find({ database: { name, owner, owner_administers, owned }, login, server }, context) {
      if (owned) return null;
      const share = { login, version: server.version };
      return {
        message: `The database belongs to ${quoteForReading(owner)}, of which the login is no member: it cannot be renamed to make way for a restored one`,
        remediation: owner_administers
          ? shareOwnership([`DATABASE ${quoteForPaste(name)}`], share, context)
          : sql(context, grantRole(owner, { login, version: server.version })),
      };
    },
  }),
  defineCheck({
    id: 'owners_not_restored',
    title: 'Owners cannot be given their objects back',
    needs: 'membership of every role that owns something, from PostgreSQL 16 on WITH SET TRUE',
    affects: { limits: ['restore', 'swap'] },
    reads: ['foreign_owners', 'login', 'server'],
    find({ foreign_owners, login, server }, context) {
      const owners = foreign_owners.filter(({ administers }) => !administers);
      if (owners.length === 0) return null;
      const named = owners.map(({ owner, objects }) => `${quoteForReading(owner)} (${objects} objects)`).join(', ');
      const granters = [...new Set(owners.flatMap(({ granted_by }) => granted_by))];
      const by = granters.length === 0 ? '' : `. They may be granted by ${granters.map(quoteForReading).join(', ')}`;
      return {
        message: `The login may not become ${named}, or has none of their rights: in a restored database their objects belong to the login${by}`,
        remediation: sql(context, ...owners.map(({ owner }) => grantRole(owner, { login, version: server.version }))),
      };
    },
  }),
  defineCheck({
    id: 'administrators_own_objects',
    title: 'Objects of administrators come to belong to the login',
    needs: 'objects that belong to other roles than administrators, or `owner_mapping` with a restore',
    affects: { notes: ['restore', 'swap'] },
    reads: ['foreign_owners'],
    find({ foreign_owners }) {
      const owners = foreign_owners.filter(({ administers }) => administers);
      if (owners.length === 0) return null;
      const mapping = Object.fromEntries(owners.map(({ owner }) => [owner, '<another role>']));
      return {
        message: `In a restored database, what belongs to ${owners.map(({ owner }) => quoteForReading(owner)).join(', ')} belongs to the login: the login must not be a member of administrators`,
        remediation: [{ by: 'api', statement: JSON.stringify({ owner_mapping: mapping }), run_as: null }],
      };
    },
  }),
  defineCheck({
    id: 'extensions_not_created',
    title: 'Extensions are left out of restores',
    needs:
      'extensions that the server lets the login create in a new database, or an administrator who creates them after a restore',
    affects: { notes: ['restore', 'swap'] },
    reads: ['extensions', 'extension_server'],
    find({ extensions, extension_server }, context) {
      const refused = extensions.flatMap((extension) => {
        const refusal = refusalOf(extension, extension_server);
        return refusal ? [{ ...refusal, in_use: extension.in_use }] : [];
      });
      if (refused.length === 0) return null;
      const needed = refused.filter(({ in_use }) => in_use);
      const later = refused.filter(({ kind }) => kind === 'untrusted');
      const named = refused.map(({ name, reason }) => `${quoteForReading(name)} ${reason}`).join('; ');
      const without = JSON.stringify({ leave_out: { extensions: needed.map(({ name }) => name) } });
      return {
        message: `A restore cannot create these extensions: ${named}. ${
          needed.length === 0
            ? 'They are left out, and nothing else with them'
            : `Definitions need ${needed.map(({ name }) => quoteForReading(name)).join(', ')}: a restore is refused unless they are left out with what needs them`
        }${later.length === 0 ? '' : '. An administrator can create those that are not trusted in the restored database'}`,
        remediation: [
          ...(needed.length === 0 ? [] : [{ by: 'api' as const, statement: without, run_as: null }]),
          ...sql(context, ...later.map(({ name }) => `CREATE EXTENSION ${quoteForPaste(name)};`)),
        ],
        ...(needed.length > 0 ? { affects: { limits: ['restore', 'swap'] } } : {}),
      };
    },
  }),
  defineCheck({
    id: 'cron_lives_here',
    title: 'pg_cron lives in the database',
    needs: 'another database than this one in `cron.database_name`',
    affects: { stops: ['swap'] },
    reads: ['database', 'extension_server'],
    find({ database, extension_server }) {
      if (extension_server.cron_database !== database.name) return null;
      return {
        message:
          'cron.database_name is this database: the launcher of pg_cron stays connected, and its jobs would be gone with a database that is replaced. Restore into a new database, or let pg_cron live in another one',
        remediation: [],
      };
    },
  }),
];
