import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3';
import { ListSecretsCommand, RotateSecretCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import type pg from 'pg';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { environmentNames } from '../../shared/configuration/environment.ts';
import { type Answer, type Call, startApi, type TestApi } from '../functions/api.ts';
import { clientOptions } from '../local/aws/support.ts';
import { connectTo, forEachServer } from '../support/servers.ts';
import { handlersCalled, routesCalled } from './functions.ts';
import { kindsOf, LOGIN, OWNER, ofOurs, PASSWORD, useHostileServer } from './hostile-server.ts';

const context = { getRemainingTimeInMillis: () => 60_000 } as never;

/** What the functions of schedules and events need beside what those of the API do. */
const more = {
  [environmentNames.alertLink]: 'https://alerts.example',
  [environmentNames.mailEvents]: 'alerts',
  [environmentNames.metricNamespace]: 'dbms',
  [environmentNames.publishedMetrics]: 'heartbeat',
  [environmentNames.watchedFunctions]: 'sample-health',
  [environmentNames.postgresToolsPath]: join(import.meta.dirname, '../../node_modules'),
};

forEachServer((server) => {
  const hostile = useHostileServer(server);
  let api: TestApi;
  /** A session of the owner, which a route may end. */
  let victim: pg.Client;

  beforeAll(async () => {
    // Its functions read where the databases are as they are loaded.
    vi.resetModules();
    const { host, port } = server;
    const login = { user: LOGIN, password: PASSWORD };
    api = await startApi(undefined, { host, port, ...login, name: hostile.name, kind: 'self-managed' });
    Object.assign(process.env, more);
    const s3 = new S3Client({ ...clientOptions(api.services.endpoints.s3), forcePathStyle: true });
    await s3.send(new CreateBucketCommand({ Bucket: api.bucket }));
    s3.destroy();
    victim = await connectTo({ ...server, user: OWNER, password: PASSWORD }, hostile.name);
  });
  afterAll(async () => {
    await victim?.end().catch(() => undefined);
    await api?.close();
  });

  const column = (name: string, mask: object) => ({ table: { schema: 'evil', table: 'people' }, column: name, mask });
  const rules = [
    column('email', { rule: 'email' }),
    column('note', { rule: 'fixed', value: 'x' }),
    column('mood', { rule: 'fixed', value: 'bad' }),
    column('pair', { rule: 'null' }),
  ];
  /** By operation, what is called beside its path: the requests of one in turn, with the status of each answer. */
  const calls: Readonly<
    Record<string, readonly (Partial<Call> & { status: number; after?: () => Promise<unknown> })[]>
  > = {
    getHealth: [{ status: 200 }],
    getMetricsHistory: [{ status: 200 }],
    getConnectionStats: [{ status: 200 }],
    listConnections: [{ status: 200 }],
    getLocks: [{ status: 200 }],
    closeIdleConnections: [{ body: { older_than_seconds: 3600 }, status: 200 }],
    terminateConnection: [{ status: 200 }],
    getAccess: [{ status: 200 }],
    changeLogin: [
      { path: `/security/access/${OWNER}`, body: { connection_limit: 5 }, status: 409 },
      { path: `/security/access/${LOGIN}`, body: { connection_limit: 50 }, status: 409 },
    ],
    getCompliance: [
      { status: 200 },
      { query: { format: 'html' }, status: 200 },
      { query: { format: 'csv' }, status: 200 },
    ],
    examineDatabase: [{ status: 200 }],
    getMasking: [{ status: 200 }],
    findPersonalData: [{ status: 200 }],
    changeMasking: [
      { body: { version: 0, rules: [column('id', { rule: 'null' })] }, status: 409 },
      { body: { version: 0, rules }, status: 200 },
    ],
    getRecoveryWindow: [{ status: 200 }],
    listRowChanges: [{ query: { table: 'evil.people', key: '{"id": 1}' }, status: 200 }],
    changeRecovery: [
      { body: { enabled: true }, status: 200, after: () => captured('captured') },
      { body: { status: 'paused', for: 'upgrade' }, status: 200 },
      { body: { status: 'on' }, status: 200, after: () => captured('captured') },
      { body: { status: 'off' }, status: 200, after: () => captured('off') },
    ],
  };

  const captured = async (status: string) => {
    // What the owner of the database does meanwhile, with code in it and with messages that are not ours.
    await hostile.asOwner(async (client) => {
      await client.query(
        "INSERT INTO evil.people (id, email, note, mood, span) VALUES (99, 'x', 'y', 'good', '[1,3]')",
      );
      await client.query('DELETE FROM evil.people WHERE id = 99');
    });
    const { handler } = await import('../../functions/capture-changes.ts');
    expect((await handler({}, context)).shop?.status).toBe(status);
  };

  test('the tripwire tells who runs what, also in a READ ONLY transaction that is rolled back', async () => {
    const login = { user: LOGIN, password: PASSWORD };
    const trips = await hostile.trips(async () => {
      const client = await connectTo({ ...server, ...login }, hostile.name);
      await client.query('SET ROLE none; BEGIN READ ONLY');
      await client.query('SELECT count(*) FROM evil.seen');
      await client.query(
        "SELECT evil.same('index expression', current_setting('server_version')), 1::int4 / 2::float8",
      );
      await client.query('ROLLBACK');
      await client.end();
    });
    for (const kind of ['view', 'index expression', 'function', 'operator'])
      expect(kindsOf(ofOurs(trips))).toContain(kind);
    expect(trips).toContainEqual(expect.objectContaining({ session: LOGIN, current: LOGIN, database: hostile.name }));
  });

  test.each(routesCalled)('its routes run nothing of it: $operationId', async (route) => {
    const asked = calls[route.operationId];
    expect(asked, 'how it is called').toBeDefined();
    for (const { status, after, ...call } of asked ?? []) {
      const { rows } = await victim
        .query<{ pid: number }>('SELECT pg_catalog.pg_backend_pid() AS pid')
        .catch(() => ({ rows: [] }));
      let answer: Answer | undefined;
      await hostile.nothingRuns(async () => {
        const path = route.path.replace('{pid}', String(rows[0]?.pid ?? 1));
        answer = await api.call({ method: route.method, path, ...call });
      });
      expect([answer?.status, JSON.stringify(answer?.problem).slice(0, 400)]).toEqual([status, expect.anything()]);
      if (after) await hostile.nothingRuns(after);
    }
  });

  /** How the others are called. */
  const handlers: Readonly<Record<string, () => Promise<unknown>>> = {
    'sample-health': async () => (await import('../../functions/sample-health.ts')).handler({}, context),
    'note-logins': async () => (await import('../../functions/note-logins.ts')).handler(),
    'check-compliance': async () => (await import('../../functions/check-compliance.ts')).handler(),
    'examine-databases': async () => {
      const { handler } = await import('../../functions/examine-databases.ts');
      expect((await handler()).shop).not.toBe('unknown');
    },
    'capture-changes': async () => {
      const put = (body: object) => api.call({ method: 'PUT', path: '/recovery', body });
      await put({ enabled: true });
      await captured('captured');
      await put({ enabled: false });
      // Without a database, what was stored.
      await (await import('../../functions/expire-changes.ts')).handler({}, context);
    },
    'rotate-password': async () => {
      const { handler } = await import('../../functions/rotate-password.ts');
      const secrets = new SecretsManagerClient(clientOptions(api.services.endpoints.secretsmanager));
      const { SecretList = [] } = await secrets.send(new ListSecretsCommand());
      const ClientRequestToken = randomUUID();
      const SecretId = SecretList[0]?.ARN ?? '';
      const RotationLambdaARN = 'arn:aws:lambda:us-east-1:000000000000:function:rotate';
      await secrets.send(new RotateSecretCommand({ SecretId, ClientRequestToken, RotationLambdaARN }));
      for (const Step of ['createSecret', 'setSecret', 'testSecret', 'finishSecret'])
        await handler({ Step, SecretId, ClientRequestToken });
      secrets.destroy();
    },
  };

  test.each(handlersCalled)('its handler runs nothing of it: %s', async (name) => {
    const handler = handlers[name];
    if (!handler) throw new Error(`Nobody has said how ${name} is called`);
    await hostile.nothingRuns(handler);
  });

  test('nobody has become more than they were', async () => {
    expect(
      await hostile.run(
        `SELECT rolname FROM pg_roles WHERE rolname IN ('${OWNER}', '${LOGIN}') AND (rolsuper OR rolcreaterole)`,
      ),
    ).toEqual([]);
  });
});
