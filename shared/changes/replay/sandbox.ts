import { randomBytes } from 'node:crypto';
import type pg from 'pg';
import { quoteIdentifier } from '../../postgres/identifiers.ts';
import { REPLAY_SCHEMA } from '../../postgres/own-schema.ts';
import type { CommandSettings } from '../definitions/command-settings.ts';
import { type ChosenExecutor, chooseExecutor, readExecutorFacts } from './executor.ts';
import { ownPathSql, ownSettingsSql, restoreSettingsSql, setKnownSql } from './sandbox.sql.ts';

/** Who runs a command, and how it is to be repeated. */
export interface CommandContext {
  role: string;
  /** Those of the role that reached beyond its own objects when it ran the command. */
  rights: readonly string[];
  /** Who owned the database then, and has it until the command is over; null: nobody is known. */
  databaseOwner: string | null;
  settings: CommandSettings;
}

/** Runs commands of others, which may run any function of theirs, without the rights of the session's login. */
export interface Sandbox {
  /**
   * Runs commands as the role that ran them, or as the login where that has no more rights. In a transaction; where it fails, the caller
   * rolls back.
   *
   * @throws {@link TooManyRights}, or the error of a command
   */
  run(context: CommandContext, commands: readonly string[]): Promise<void>;
  readonly warnings: readonly string[];
}

/** Whoever could run a command here has more rights than who ran it. */
export class TooManyRights extends Error {}

export interface SandboxOptions {
  client: pg.Client;
  /** Another name for a role of the original, as owners have here. */
  roleOf: (role: string) => string;
  /** Whether all objects are the login's here, and none a role's. */
  ownersLeftOut: boolean;
}

/** insufficient_privilege: the login may not act as the role. */
const REFUSED = '42501';

/**
 * Commands run in a function that belongs to the role and runs as its owner (SECURITY DEFINER). From there nothing leads back to the
 * login: the server refuses to set the role or the session's authorization. What code may leave behind to be run later, as the login,
 * is cleared away at once: deferred triggers fire in the function, cursors are closed, settings are as before.
 */
export function openSandbox({ client, roleOf, ownersLeftOut }: SandboxOptions): Sandbox {
  const executors = new Map<string, Promise<Executor>>();
  const warnings: string[] = [];
  const warn = (warning: string): void => {
    if (!warnings.includes(warning)) warnings.push(warning);
  };

  const choose = async (role: string, rights: readonly string[]): Promise<Executor> => {
    const facts = await readExecutorFacts(client, role);
    const isSuperuser = facts.loginRights.includes('superuser');
    const isMember = facts.isMember && (role === facts.login || (await mayBe(client, role, isSuperuser)));
    const choice = chooseExecutor({ ...facts, isMember }, { rights, ownersLeftOut });
    if ('refusal' in choice) throw new TooManyRights(choice.refusal);
    return { ...choice, isSuperuser };
  };

  return {
    warnings,
    async run({ role: original, rights, databaseOwner, settings }, commands) {
      const role = roleOf(original);
      const key = JSON.stringify([role, rights]);
      const known = executors.get(key) ?? choose(role, rights);
      executors.set(key, known);
      const executor = await known;
      if (executor.warning !== null) {
        warn(`What the role ${original} defined belongs to the login of the restore: ${executor.warning}`);
      }
      const before = (await client.query<{ name: string; value: string }>(ownSettingsSql)).rows;
      const giveBack = ownersLeftOut ? null : await lendDatabase(client, databaseOwner && roleOf(databaseOwner));
      const call = await createFunction(client, executor);
      for (const [name, value] of Object.entries(settings)) {
        await client.query(setKnownSql, [name, value]);
      }
      for (const command of commands) await client.query(`SELECT ${call}($1)`, [command]);
      await client.query('CLOSE ALL');
      await client.query(ownPathSql);
      await client.query(restoreSettingsSql, [before.map(({ name }) => name), before.map(({ value }) => value)]);
      await client.query(`DROP FUNCTION ${call}`);
      await giveBack?.();
    },
  };
}

interface Executor extends ChosenExecutor {
  /** Whether the login is one. */
  isSuperuser: boolean;
}

/** Whether the login may make the role the owner of a function. */
async function mayBe(client: pg.Client, role: string, isSuperuser: boolean): Promise<boolean> {
  await client.query('SAVEPOINT executor');
  try {
    await client.query(`DROP FUNCTION ${await createFunction(client, { role, isSuperuser })}`);
  } catch (error) {
    await client.query('ROLLBACK TO SAVEPOINT executor');
    if ((error as { code?: string }).code === REFUSED) return false;
    throw error;
  }
  await client.query('RELEASE SAVEPOINT executor');
  return true;
}

/**
 * Makes a role the owner of the database, which it becomes for others when the restore is complete: it has rights by that, as in the
 * schema public. Where it cannot be, commands that need these rights fail.
 *
 * @returns makes the login the owner again, in the same transaction
 */
async function lendDatabase(client: pg.Client, owner: string | null): Promise<(() => Promise<void>) | null> {
  const { rows } = await client.query<{ name: string; current: string; exists: boolean }>(
    `SELECT datname AS name, pg_get_userbyid(datdba) AS current, EXISTS (SELECT FROM pg_roles WHERE rolname = $1) AS exists
       FROM pg_database WHERE datname = current_database()`,
    [owner],
  );
  const [database] = rows;
  if (!database?.exists || owner === null || owner === database.current) return null;
  const give = (to: string): string =>
    `ALTER DATABASE ${quoteIdentifier(database.name)} OWNER TO ${quoteIdentifier(to)}`;
  await client.query('SAVEPOINT lending');
  try {
    await client.query(give(owner));
  } catch (error) {
    await client.query('ROLLBACK TO SAVEPOINT lending');
    if ((error as { code?: string }).code !== REFUSED) throw error;
    return null;
  }
  await client.query('RELEASE SAVEPOINT lending');
  return async () => {
    await client.query(give(database.current));
  };
}

/** Creates a function of a role that runs what it is given as its owner; no two have the same name. */
async function createFunction(
  client: pg.Client,
  { role, isSuperuser }: Pick<Executor, 'role' | 'isSuperuser'>,
): Promise<string> {
  const name = `${REPLAY_SCHEMA}.run_${randomBytes(8).toString('hex')}`;
  await client.query(
    `CREATE FUNCTION ${name}(command pg_catalog.text) RETURNS pg_catalog.void LANGUAGE plpgsql SECURITY DEFINER AS $function$
     BEGIN
       EXECUTE command;
       SET CONSTRAINTS ALL IMMEDIATE;
       SET CONSTRAINTS ALL DEFERRED;
     END
     $function$`,
  );
  if (role === null) return name;
  const owner = quoteIdentifier(role);
  // A superuser may give a function to anybody; else the new owner must be able to create functions there.
  if (!isSuperuser) await client.query(`GRANT CREATE ON SCHEMA ${REPLAY_SCHEMA} TO ${owner}`);
  await client.query(`ALTER FUNCTION ${name} OWNER TO ${owner}`);
  if (!isSuperuser) await client.query(`REVOKE CREATE ON SCHEMA ${REPLAY_SCHEMA} FROM ${owner}`);
  return name;
}
