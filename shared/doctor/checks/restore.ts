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
    needs: 'extensions that an ordinary login may create, or an administrator who creates them after a restore',
    affects: { notes: ['restore', 'swap'] },
    reads: ['extensions', 'login'],
    find({ extensions, login }, context) {
      const { administrators } = context.platform.privileges;
      const mayCreate = login.superuser || (administrators !== null && login.has_roles.includes(administrators));
      const [first] = extensions;
      if (mayCreate || !first) return null;
      const inUse = extensions.filter(({ in_use }) => in_use);
      const names = extensions.map(({ name }) => quoteForReading(name)).join(', ');
      return {
        message: `Only an administrator creates ${names}: a restore leaves them out${
          inUse.length === 0
            ? ''
            : `, and cannot create what uses ${inUse.map(({ name }) => quoteForReading(name)).join(', ')}`
        }. Run this in the restored database`,
        remediation: sql(context, ...extensions.map(({ name }) => `CREATE EXTENSION ${quoteForPaste(name)};`)),
        ...(inUse.length > 0 ? { affects: { limits: ['restore', 'swap'] } } : {}),
      };
    },
  }),
];
