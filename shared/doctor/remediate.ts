import { MEMBERSHIP_OPTIONS_SINCE } from '../backup/restore/check.sql.ts';
import type { Remediation } from '../contract/schemas/doctor.ts';
import type { KnownSetting as SettingOfPlatform } from '../platforms/platform.ts';
import { type Context, sql, steps } from './check.ts';
import type { Facts, KnownSetting } from './facts/facts.ts';
import { quoteForPaste } from './quote-for-paste.ts';

/** Owns what belongs to administrators, whom the login cannot be a member of. The scripts in docs/logins create it as well. */
export const SHARED_OWNER = 'dbms_owner';

/** The login that is to get a right, and `server_version_num`. */
export interface Grantee {
  login: Pick<Facts['login'], 'name' | 'inherits'>;
  version: number;
}

/** Makes the login a member of a role, so that it has the role's rights and may become it. */
export function grantRole(role: string, { login, version }: Grantee): string {
  const name = quoteForPaste(login.name);
  const grant = `GRANT ${quoteForPaste(role)} TO ${name}`;
  if (version >= MEMBERSHIP_OPTIONS_SINCE) return `${grant} WITH INHERIT TRUE, SET TRUE;`;
  return login.inherits ? `${grant};` : `${grant}; ALTER ROLE ${name} INHERIT;`;
}

/**
 * Gives something that belongs to an administrator to a role that the administrator and the login are both members of.
 *
 * @param object - as ALTER names it, quoted: `DATABASE "shop"`, `TABLE "shop"."orders"`
 */
export function shareOwnership(objects: readonly string[], grantee: Grantee, context: Context): Remediation[] {
  const members = grantee.version >= MEMBERSHIP_OPTIONS_SINCE ? ' WITH INHERIT TRUE, SET TRUE' : '';
  return sql(
    context,
    `DO $$ BEGIN IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '${SHARED_OWNER}') THEN CREATE ROLE ${SHARED_OWNER} NOLOGIN; END IF; END $$;`,
    `GRANT ${SHARED_OWNER} TO CURRENT_USER${members};`,
    grantRole(SHARED_OWNER, grantee),
    ...objects.map((object) => `ALTER ${object} OWNER TO ${SHARED_OWNER};`),
  );
}

/** Sets a setting for the whole server, by what the platform takes. */
export function changeSetting(
  name: KnownSetting,
  value: string,
  { settings }: Pick<Facts['server'], 'settings'>,
  context: Context,
): Remediation[] {
  const known: SettingOfPlatform | undefined = settings[name];
  const { platform, database, server } = context;
  const changed = platform.parameters.change(
    {
      name,
      values: [value],
      needsRestart: known === undefined || known.context === 'postmaster',
      known,
      databaseName: database.name,
      dataDirectory: null,
    },
    database,
    { server, parameters: null },
  );
  return changed.is === 'possible' ? steps(context, changed.steps) : [];
}
