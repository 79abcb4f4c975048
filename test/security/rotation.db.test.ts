import { randomUUID } from 'node:crypto';
import { GetSecretValueCommand, RotateSecretCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import type pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { databaseSchema } from '../../shared/configuration/runtime.ts';
import type { ConnectionTarget } from '../../shared/postgres/connect.ts';
import { connectionTarget } from '../../shared/postgres/target.ts';
import { withConnection } from '../../shared/postgres/with-connection.ts';
import { type RotationEvent, rotatePassword } from '../../shared/security/rotation/rotate-password.ts';
import { clientOptions, useServices } from '../local/aws/support.ts';
import { anyServer, createScratchDatabase, type ScratchDatabase } from '../support/servers.ts';

const LOGIN = `rotated "login" 'x`;
const services = useServices();
let database: ScratchDatabase;
let admin: pg.Client;
let secretsManager: SecretsManagerClient;
let configured: ReturnType<typeof databaseSchema.parse>;
let limits: ConnectionTarget['limits'];

beforeAll(async () => {
  database = await createScratchDatabase(anyServer());
  admin = await database.connect();
  limits = database.target().limits;
  await admin.query(`CREATE ROLE "rotated ""login"" 'x" LOGIN PASSWORD 'the first'`);
  secretsManager = new SecretsManagerClient(clientOptions(services.current.endpoints.secretsmanager));
  const secret = { engine: 'postgres', username: LOGIN, password: 'the first' };
  const { host, port } = database.server;
  configured = databaseSchema.parse({
    ...{ id: 'shop', host, port, name: database.name, tls: { mode: 'disable' } },
    login: { type: 'secret', secret_arn: await services.current.putSecret('databases/shop', JSON.stringify(secret)) },
  });
});
afterAll(async () => {
  await admin?.query(`DROP ROLE IF EXISTS "rotated ""login"" 'x"`);
  await admin?.end();
  secretsManager?.destroy();
  await database?.drop();
});

const arn = () => (configured.login.type === 'secret' ? configured.login.secret_arn : '');
const current = async () => {
  const { SecretString = '{}' } = await secretsManager.send(new GetSecretValueCommand({ SecretId: arn() }));
  return JSON.parse(SecretString);
};
/** Begins a rotation as Secrets Manager does, whose steps the test then plays. */
async function begin(): Promise<(Step: RotationEvent['Step']) => Promise<void>> {
  const ClientRequestToken = randomUUID();
  const RotationLambdaARN = 'arn:aws:lambda:us-east-1:000000000000:function:rotate';
  await secretsManager.send(new RotateSecretCommand({ SecretId: arn(), ClientRequestToken, RotationLambdaARN }));
  return (Step) =>
    rotatePassword({ Step, SecretId: arn(), ClientRequestToken }, { databases: [configured], limits, secretsManager });
}
const steps = ['createSecret', 'setSecret', 'testSecret', 'finishSecret'] as const;

test('a client that logs in all the time is never refused, whatever step a rotation is at, each twice', async () => {
  // One has kept the secret since before, the other reads it each time.
  const kept = connectionTarget(configured, limits, { secretsManager }, 'test');
  const fresh = () => connectionTarget(configured, limits, { secretsManager }, 'test');
  let logins = 0;
  let over = false;
  const ask = async (): Promise<void> => {
    while (!over) {
      for (const target of [kept, fresh()]) {
        await withConnection(target, {}, (client) => client.query('SELECT 1'));
        logins += 1;
      }
    }
  };
  const session = await withConnection(kept, {}, async (client) => {
    const asking = [ask(), ask()];
    const more = async (): Promise<void> => {
      const enough = logins + 6;
      while (logins < enough) await Promise.race([...asking, new Promise((resolve) => setTimeout(resolve, 5))]);
    };
    for (let round = 0; round < 2; round++) {
      const before = await current();
      const step = await begin();
      for (const each of steps) {
        await step(each);
        await step(each);
        await more();
      }
      const after = await current();
      expect(after).toEqual({ ...before, password: expect.stringMatching(/^[\w-]{32}$/) });
      expect(after.password).not.toBe(before.password);
    }
    over = true;
    await Promise.all(asking);
    return client.query('SELECT current_user::text AS name');
  });
  expect(session.rows).toEqual([{ name: LOGIN }]);
  expect(logins).toBeGreaterThan(40);
});

test('the server stores what it would have made of the password, and the former one is refused', async () => {
  const { rows } = await admin.query('SELECT rolpassword FROM pg_authid WHERE rolname = $1', [LOGIN]);
  expect(rows[0].rolpassword).toMatch(
    /^SCRAM-SHA-256\$4096:[A-Za-z0-9+/]{22}==\$[A-Za-z0-9+/]{43}=:[A-Za-z0-9+/]{43}=$/,
  );
  const former = database.target({ credentials: async () => ({ user: LOGIN, password: 'the first' }) });
  await expect(withConnection(former, {}, async () => true)).rejects.toMatchObject({ code: 'login_refused' });
});

test('a rotation that nobody began, or of another secret, changes nothing', async () => {
  const before = await current();
  const event = { Step: 'setSecret' as const, SecretId: arn(), ClientRequestToken: randomUUID() };
  const dependencies = { databases: [configured], limits, secretsManager };
  await expect(rotatePassword(event, dependencies)).rejects.toMatchObject({ code: 'rotation_not_begun' });
  const other = { ...event, SecretId: 'arn:aws:secretsmanager:us-east-1:000000000000:secret:other' };
  await expect(rotatePassword(other, dependencies)).rejects.toMatchObject({ code: 'rotation_not_configured' });
  expect(await current()).toEqual(before);
});
