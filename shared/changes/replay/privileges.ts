import type pg from 'pg';
import { quoteIdentifier } from '../../postgres/identifiers.ts';
import type { AclChange } from '../definitions/message.ts';
import { presentRolesSql, privilegesSql } from './privileges.sql.ts';

interface Entry {
  grantee: string;
  privilege: string;
  grantable: boolean;
  grantor: string;
}

export interface PrivilegeOptions {
  decodeText: (bytes: string) => Promise<string>;
  /** Another name for a role of the original, as owners have here. */
  roleOf: (role: string) => string;
  /** Whether all objects are the login's here, and none a role's. */
  ownersLeftOut: boolean;
}

/**
 * Gives objects the privileges that they had after a GRANT or REVOKE, whoever ran it and from where: what they have too many is revoked,
 * what they lack is granted, each by who gave it where the session may act as that role, or else by the owner.
 *
 * @param client - in a transaction. None of the statements runs anybody's code
 * @returns what could not be given
 * @throws the server's error, as undefined_object for an object that is not there
 */
export async function givePrivileges(
  client: pg.Client,
  acls: readonly AclChange[],
  { decodeText, roleOf, ownersLeftOut }: PrivilegeOptions,
): Promise<string[]> {
  const warnings: string[] = [];
  for (const each of acls) {
    const name = await decodeText(each.name);
    const column = each.column === null ? null : await decodeText(each.column);
    const { owner, entries: present } = await readPrivileges(client, each.kind, name, column);
    const original = await decodeText(each.owner);
    const nameOf = async (bytes: string): Promise<string> => {
      const role = await decodeText(bytes);
      return role === original ? owner : roleOf(role);
    };
    const wanted: Entry[] = [];
    for (const [grantee, privilege, grantable, grantor] of each.acl) {
      const to = grantee === '' ? '' : await nameOf(grantee);
      wanted.push({ grantee: to, privilege, grantable, grantor: ownersLeftOut ? owner : await nameOf(grantor) });
    }
    const on = `ON ${each.kind} ${name}`;
    const about = ({ privilege }: Entry): string =>
      column === null ? privilege : `${privilege} (${quoteIdentifier(column)})`;
    const extra = without(present, wanted);
    for (const entry of extra) {
      await runAs(client, entry.grantor, owner, `REVOKE ${about(entry)} ${on} FROM ${roleName(entry.grantee)} CASCADE`);
    }
    // A privilege that hung on one that was revoked is gone with it.
    const left = extra.length === 0 ? present : (await readPrivileges(client, each.kind, name, column)).entries;
    const lacking = without(wanted, left);
    const roles = await presentRoles(client, [...new Set(lacking.map(({ grantee }) => grantee))]);
    for (const entry of lacking) {
      if (!roles.has(entry.grantee)) {
        warnings.push(`Privileges on ${name} were not given to ${entry.grantee}, which is not on this server`);
        continue;
      }
      const option = entry.grantable && entry.grantee !== '' ? ' WITH GRANT OPTION' : '';
      await runAs(client, entry.grantor, owner, `GRANT ${about(entry)} ${on} TO ${roleName(entry.grantee)}${option}`);
    }
  }
  return [...new Set(warnings)];
}

const roleName = (grantee: string): string => (grantee === '' ? 'PUBLIC' : quoteIdentifier(grantee));
const keyOf = ({ grantee, privilege, grantable, grantor }: Entry): string =>
  JSON.stringify([grantee, privilege, grantable, grantor]);

function without(entries: readonly Entry[], others: readonly Entry[]): Entry[] {
  const keys = new Set(others.map(keyOf));
  return entries.filter((entry) => !keys.has(keyOf(entry)));
}

async function readPrivileges(
  client: pg.Client,
  kind: AclChange['kind'],
  name: string,
  column: string | null,
): Promise<{ owner: string; entries: Entry[] }> {
  const { rows } = await client.query<Entry & { owner: string; grantee_id: string | null }>(privilegesSql(kind), [
    name,
    column,
  ]);
  const [first] = rows;
  if (!first) throw Object.assign(new Error(`${kind} ${name} does not exist`), { code: '42704' });
  const entries = rows
    .filter(({ grantee_id: id }) => id !== null)
    .map(({ grantee, privilege, grantable, grantor }) => ({ grantee, privilege, grantable, grantor }));
  return { owner: first.owner, entries };
}

async function presentRoles(client: pg.Client, names: readonly string[]): Promise<ReadonlySet<string>> {
  const { rows } = await client.query<{ name: string }>(presentRolesSql, [names]);
  return new Set(['', ...rows.map(({ name }) => name)]);
}

/** insufficient_privilege, undefined_object: the session may not act as the role, or it is not there. */
const NOT_AS: ReadonlySet<string> = new Set(['42501', '22023', '42704']);

/** Runs a statement as a role, so that it is who gave a privilege; as the session where that is the owner, or cannot be. */
async function runAs(client: pg.Client, role: string, owner: string, statement: string): Promise<void> {
  if (role !== owner) {
    await client.query('SAVEPOINT granting');
    try {
      await client.query(`SET LOCAL ROLE ${quoteIdentifier(role)}`);
      await client.query(statement);
      await client.query('RESET ROLE');
      await client.query('RELEASE SAVEPOINT granting');
      return;
    } catch (error) {
      await client.query('ROLLBACK TO SAVEPOINT granting');
      if (!NOT_AS.has((error as { code?: string }).code ?? '')) throw error;
    }
  }
  await client.query(statement);
}
