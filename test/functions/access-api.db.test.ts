import type pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Login } from '../../shared/contract/schemas/access.ts';
import { quoteIdentifier } from '../../shared/postgres/identifiers.ts';
import { anyServer, createScratchDatabase, type ScratchDatabase } from '../support/servers.ts';
import { startApi, type TestApi } from './api.ts';

let database: ScratchDatabase;
let client: pg.Client;
let api: TestApi;
/** With everything that a name can have. */
const APP = `an "App"; DROP ROLE x -- ü\\'%s`;
const BOSS = 'access_boss';
const roles = [APP, BOSS, 'access_group', 'access_dbms'];

beforeAll(async () => {
  database = await createScratchDatabase(anyServer());
  client = await database.connect();
  await client.query(`CREATE ROLE ${quoteIdentifier(APP)} LOGIN PASSWORD 'x'; CREATE ROLE ${BOSS} LOGIN SUPERUSER;
    CREATE ROLE access_group; GRANT access_group TO ${quoteIdentifier(APP)};
    CREATE ROLE access_dbms LOGIN PASSWORD 'weak';
    ALTER ROLE ${quoteIdentifier(APP)} SET search_path = 'a secret one'`);
  const { host, port, user, password } = database.server;
  api = await startApi(undefined, { host, port, user, password, name: database.name });
});
afterAll(async () => {
  for (const role of roles) await client?.query(`DROP ROLE IF EXISTS ${quoteIdentifier(role)}`);
  await client?.end();
  await api?.close();
  await database?.drop();
});

const show = async () => (await api.call({ method: 'GET', path: '/security/access', as: ['auditor'] })).body;
const loginOf = async (name: string): Promise<Login | undefined> =>
  (await show()).logins.find((login: Login) => login.name === name);
const change = (role: string, body: unknown) =>
  api.call({ method: 'PUT', path: '/security/access/x', body, raw: { pathParameters: { role } } });

describe('who can do what', () => {
  test('in this system, by the contract and the settings', async () => {
    const { roles: known, limits } = await show();
    const routesOf = (role: string) => known.find((one: { role: string }) => one.role === role)?.routes;
    expect(routesOf('viewer')).not.toContain('GET /security/access');
    expect(routesOf('auditor')).toContain('GET /security/access');
    expect(routesOf('admin')).toContain('PUT /security/access/{role}');
    expect(limits).toMatchObject({ allowed_address_ranges: ['10.0.0.0/8'], session_max_age_minutes: 720 });
  });

  test('on the server: its logins, with no setting that could be secret', async () => {
    const session = await database.connect();
    expect(await loginOf(database.server.user)).toMatchObject({
      attributes: expect.arrayContaining(['superuser']),
      is_own: true,
      sessions: expect.any(Number),
      last_seen: expect.any(String),
    });
    await session.end();
    expect(await loginOf(APP)).toEqual({
      name: APP,
      attributes: [],
      member_of: ['access_group'],
      connection_limit: null,
      valid_until: null,
      settings: {},
      sessions: 0,
      last_seen: null,
      is_own: false,
    });
    expect(await loginOf('access_group')).toBeUndefined();
  });
});

describe('a login', () => {
  test('gets limits, which its next session has, and loses them again', async () => {
    // idle_session_timeout came with 14.
    const idle = database.server.version >= 14 ? 'idle_session_timeout' : 'idle_in_transaction_session_timeout';
    const timeouts = { statement_timeout: 1234, [idle]: 60_000, lock_timeout: 0 };
    const { status, body } = await change(APP, {
      connection_limit: 2,
      valid_until: '2030-01-02T03:04:05+01:00',
      timeouts,
    });
    expect(status).toBe(200);
    expect(body.before).toMatchObject({ connection_limit: null, valid_until: null, settings: {} });
    const settings = { statement_timeout: '1234', [idle]: '60000', lock_timeout: '0' };
    expect(body.after).toMatchObject({ connection_limit: 2, valid_until: '2030-01-02T02:04:05.000Z', settings });
    const { rows } = await client.query(
      'SELECT rolconnlimit, rolvaliduntil FROM pg_roles WHERE rolname = $1 AND 2 = rolconnlimit',
      [APP],
    );
    expect(rows).toEqual([{ rolconnlimit: 2, rolvaliduntil: new Date('2030-01-02T02:04:05Z') }]);
    const undone = await change(APP, {
      ...{ connection_limit: null, valid_until: null },
      timeouts: { statement_timeout: null, [idle]: null, lock_timeout: null },
    });
    expect(undone.body.after).toEqual(body.before);
  });

  test.each<[string, string, unknown, number, string]>([
    ['that is not there', 'nobody', { connection_limit: 1 }, 404, 'unknown_login'],
    ['that may not log in', 'access_group', { connection_limit: 1 }, 404, 'unknown_login'],
    ['that is a superuser', BOSS, { connection_limit: 1 }, 409, 'login_protected'],
    ['with nothing to change', APP, {}, 400, 'invalid_request'],
    ['with a limit that is none', APP, { connection_limit: -1 }, 400, 'invalid_request'],
    ['with a setting of another kind', APP, { timeouts: { search_path: 1 } }, 400, 'invalid_request'],
    ['with an end that is no moment', APP, { valid_until: "x'; DROP ROLE" }, 400, 'invalid_request'],
  ])('%s is refused', async (_, role, body, status, code) => {
    const answer = await change(role, body);
    expect([answer.status, answer.problem.code]).toEqual([status, code]);
  });

  test('of a superuser, and that of this system, is changed only when told', async () => {
    const own = database.server.user;
    expect((await change(own, { connection_limit: 100 })).problem.code).toBe('login_protected');
    const { body } = await change(BOSS, { connection_limit: 1, privileged: true });
    expect(body.after.connection_limit).toBe(1);
  });

  test('that this system may not change stays as it is, with what it takes said', async () => {
    const secret = { username: 'access_dbms', password: 'weak' };
    await api.services.putSecret('databases/real', JSON.stringify(secret));
    const answer = await change(APP, { connection_limit: 5, timeouts: { lock_timeout: 5 } });
    expect([answer.status, answer.problem.code]).toEqual([409, 'login_not_changeable']);
    expect(answer.problem.next_step).toContain('CREATEROLE');
    const { user: username, password } = database.server;
    await api.services.putSecret('databases/real', JSON.stringify({ username, password }));
    expect((await loginOf(APP))?.connection_limit).toBeNull();
  });
});
