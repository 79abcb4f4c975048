import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect } from 'vitest';
import type { ConnectionTarget } from '../../shared/postgres/connect.ts';
import { withConnection } from '../../shared/postgres/with-connection.ts';
import {
  createScratchDatabase,
  type ScratchDatabase,
  type TestServer,
  targetFor,
  withClient,
} from '../support/servers.ts';
import { eventTriggersSql, forgedMessages, hostileSettings, hostileSql } from './hostile-database.sql.ts';
import { closeTripwire, openTripwire, ranAs, type Trip, tripsDuring } from './tripwire.ts';

/** The login of docs/logins. */
export const LOGIN = 'dbms';
/** Who owns the database and is against us. */
export const OWNER = 'mallory';
export const PASSWORD = 'of the login';

const script = (name: string): string =>
  readFileSync(join(import.meta.dirname, `../../docs/logins/${name}.sql`), 'utf8');

export const ofOurs = (trips: readonly Trip[]): Trip[] => trips.filter((trip) => ranAs(LOGIN, trip));
export const kindsOf = (trips: readonly Trip[]): Set<string> => new Set(trips.map(({ kind }) => kind));

export interface HostileServer {
  /** The database. */
  readonly name: string;
  /** As the documented login. */
  target(database?: string): ConnectionTarget;
  asOwner<Result>(work: Parameters<typeof withConnection<Result>>[2], database?: string): Promise<Result>;
  /** As superuser. */
  run(sql: string, database?: string): Promise<Record<string, unknown>[]>;
  /** What ran while `work` did, of code of the hostile database. */
  trips(work: () => Promise<unknown>): Promise<Trip[]>;
  /** Expects that none of it ran with the rights of our login, or could have taken them. */
  nothingRuns(work: () => Promise<unknown>): Promise<void>;
}

/** A database whose owner is against us, on a server with the login that docs/logins tells to create. For the tests of one file. */
export function useHostileServer(server: TestServer): HostileServer {
  let hostile: ScratchDatabase;
  const run = (sql: string, database = 'postgres') =>
    withClient(server, database, async (client) => {
      const results: unknown = await client.query(sql);
      return (Array.isArray(results) ? [] : (results as { rows: Record<string, unknown>[] }).rows) ?? [];
    });
  const as = (user: string, name: string): ConnectionTarget =>
    targetFor(server, name, { credentials: async () => ({ user, password: PASSWORD }) });
  const asOwner: HostileServer['asOwner'] = (work, name = hostile.name) =>
    withConnection(as(OWNER, name), { kind: 'administering' }, work);
  // A file of the log that is used again may still hold what ran in the database of another test.
  const trips = async (work: () => Promise<unknown>) =>
    (await tripsDuring(server, work)).filter(
      ({ database }) => database === hostile.name || !database.startsWith('scratch_'),
    );

  beforeAll(async () => {
    hostile = await createScratchDatabase(server);
    await run(`CREATE ROLE ${OWNER} LOGIN PASSWORD '${PASSWORD}'; ALTER DATABASE ${hostile.name} OWNER TO ${OWNER}`);
    await asOwner((client) => client.query(hostileSql(server.version)));
    for (const name of ['self-managed', ...(server.version < 14 ? ['read-13'] : [])])
      await run(script(name), hostile.name);
    await run(script('drills'));
    await run(`ALTER ROLE ${LOGIN} PASSWORD '${PASSWORD}'`);
    await asOwner(async (client) => {
      for (const setting of hostileSettings(hostile.name, OWNER)) await client.query(setting);
    }, 'postgres');
    // Whoever administers the server is as careless.
    await run(`ALTER ROLE ${LOGIN} SET search_path = evil, pg_catalog`);
    // A setting of the database has made its owner even of a superuser.
    await run(`SET ROLE none; ${eventTriggersSql(server.version)}`, hostile.name);
    await openTripwire(server);
    await asOwner(async (client) => {
      for (const message of forgedMessages) await client.query(message);
    });
  });
  afterAll(async () => {
    await closeTripwire(server);
    await hostile?.drop();
    await run(`DROP SCHEMA IF EXISTS dbms_run CASCADE; DROP OWNED BY ${LOGIN}; DROP ROLE ${LOGIN}; DROP ROLE ${OWNER}`);
  });
  return {
    get name() {
      return hostile.name;
    },
    target: (name = hostile.name) => as(LOGIN, name),
    asOwner,
    run,
    trips,
    async nothingRuns(work) {
      expect(ofOurs(await trips(work))).toEqual([]);
    },
  };
}
