import { randomBytes } from 'node:crypto';
import type pg from 'pg';
import * as z from 'zod';
import { OperationError } from '../../errors.ts';
import type { ConnectionTarget } from '../connect.ts';
import { quoteIdentifier, quoteLiteral } from '../identifiers.ts';
import { scramVerifier } from '../scram-verifier.ts';
import { createByFunctionSql, dropByFunctionSql, makerSql, runLoginsSql, validUntilSql } from './run-login.sql.ts';

/**
 * A login that lives as long as one run. It has no rights but those that it is given in the run's scratch database, so that code of other
 * people, such as the function of a CHECK constraint, can do nothing with it.
 */
export interface RunLogin {
  name: string;
  /** How to log in as it, to the server on which it was made. */
  target: ConnectionTarget;
}

const PREFIX = 'dbms_run_';
/** As long as an unfinished database is kept. It is extended by every attempt of the run. */
const VALID_DAYS = 1;
/** Far more sessions than a run has; somebody who comes by the login is not to use up the server's. */
const MAX_CONNECTIONS = 100;
const MEMBERSHIP_OPTIONS_SINCE = 160_000;

const makerSchema = z.object({
  login: z.string(),
  superuser: z.boolean(),
  creates_roles: z.boolean(),
  version: z.int(),
  trusted: z.boolean().nullable(),
});
type Maker = z.output<typeof makerSchema> & { by: 'statements' | 'functions' };

/** The name of a run's login, by the job. */
export const runLoginName = (jobId: string): string => `${PREFIX}${jobId.slice(jobId.indexOf('-') + 1).toLowerCase()}`;

/** The job of a run's login. */
const jobOf = (name: string): string => `job-${name.slice(PREFIX.length).toUpperCase()}`;

/**
 * Makes the login of a run, or gives the one of an earlier attempt a new password. Nobody is told the password: the server gets its
 * verifier alone, and no log holds it.
 *
 * @param client - in the database of `target`, as the login that everything else is done with
 * @throws OperationError `run_login_refused` where that login may not create one
 */
export async function createRunLogin(client: pg.Client, target: ConnectionTarget, jobId: string): Promise<RunLogin> {
  const maker = await makerOf(client);
  const name = runLoginName(jobId);
  const password = randomBytes(32).toString('base64url');
  const verifier = await scramVerifier(password);
  const { rows } = await client.query<{ until: string }>(validUntilSql, [VALID_DAYS]);
  const until = rows[0]?.until ?? '';
  try {
    if (maker.by === 'functions') await client.query(createByFunctionSql, [name, verifier, until]);
    else await createByStatements(client, maker, { name, verifier, until });
  } catch (error) {
    const { code, message } = error as { code?: string; message: string };
    if (code === undefined) throw error;
    throw refused(maker.login, `the server refused it (SQLSTATE ${code}): ${message}`, error);
  }
  const credentials = { user: name, password };
  return { name, target: { ...target, credentials: async () => credentials } };
}

async function createByStatements(
  client: pg.Client,
  { superuser, version }: Maker,
  { name, verifier, until }: { name: string; verifier: string; until: string },
): Promise<void> {
  const role = quoteIdentifier(name);
  const valid = `PASSWORD ${quoteLiteral(verifier)} VALID UNTIL ${quoteLiteral(until)}`;
  const { rows } = await client.query('SELECT FROM pg_catalog.pg_roles WHERE rolname = $1', [name]);
  if (rows.length > 0) {
    await client.query(`ALTER ROLE ${role} ${valid}`);
    return;
  }
  await client.query(`CREATE ROLE ${role} LOGIN CONNECTION LIMIT ${MAX_CONNECTIONS} ${valid}`);
  // To end its sessions. The other way round, the login has no membership at all.
  if (superuser) return;
  const options = version >= MEMBERSHIP_OPTIONS_SINCE ? ' WITH INHERIT TRUE, SET FALSE' : '';
  await client.query(`GRANT ${role} TO CURRENT_USER${options}`);
}

/** Drops the login of a run, if it is there. Its database goes first, with all that belongs to it. */
export async function dropRunLogin(client: pg.Client, name: string): Promise<void> {
  const { rows } = await client.query('SELECT FROM pg_catalog.pg_roles WHERE rolname = $1', [name]);
  if (rows.length === 0) return;
  const { by } = await makerOf(client);
  if (by === 'functions') await client.query(dropByFunctionSql, [name]);
  else await client.query(`DROP ROLE IF EXISTS ${quoteIdentifier(name)}`);
}

/** Drops the logins that runs have left: those whose job has ended, and those whose time is over. What cannot be dropped stays. */
export async function dropLeftRunLogins(
  client: pg.Client,
  hasEnded: (jobId: string) => Promise<boolean>,
): Promise<void> {
  const { rows } = await client.query<{ name: string; expired: boolean }>(runLoginsSql);
  for (const { name, expired } of rows) {
    if (!expired && !(await hasEnded(jobOf(name)))) continue;
    await dropRunLogin(client, name).catch((error: unknown) => {
      // It has a database still, or the login may not.
      if ((error as { code?: string }).code === undefined) throw error;
    });
  }
}

async function makerOf(client: pg.Client): Promise<Maker> {
  const maker = makerSchema.parse((await client.query(makerSql)).rows[0]);
  if (maker.superuser || maker.creates_roles) return { ...maker, by: 'statements' };
  if (maker.trusted) return { ...maker, by: 'functions' };
  throw refused(maker.login, 'it has neither CREATEROLE nor the functions of docs/logins/drills.sql');
}

const refused = (login: string, why: string, cause?: unknown): OperationError =>
  new OperationError(
    'run_login_refused',
    `The login ${login} could not create a login without rights for the run: ${why}. With its own rights it would run code of the owners of tables, so nothing was restored`,
    'Run docs/logins/drills.sql on the server of the drills, in the configured database, as the one who created the login; CREATEROLE does it too.',
    cause === undefined ? {} : { cause },
  );
