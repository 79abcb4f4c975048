import { createServer, type Server } from 'node:http';
import { SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { databaseSchema } from '../../shared/configuration/runtime.ts';
import { credentialsFor } from '../../shared/postgres/credentials.ts';

const ARN = 'arn:aws:secretsmanager:eu-west-1:123456789012:secret:shop';
const AWS = { region: 'eu-west-1', credentials: { accessKeyId: 'id', secretAccessKey: 'key' } };
const database = databaseSchema.parse({
  id: 'shop',
  host: 'db.example',
  name: 'shop',
  login: { type: 'secret', secret_arn: ARN },
});

/** Answers GetSecretValue over HTTP, as Secrets Manager does. */
let server: Server;
let answer: { status: number; body: object };
let reads: unknown[];
let secretsManager: SecretsManagerClient;

beforeAll(async () => {
  server = createServer(async (request, response) => {
    reads.push(await new Response(request as never).json());
    response
      .writeHead(answer.status, { 'content-type': 'application/x-amz-json-1.1' })
      .end(JSON.stringify(answer.body));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  secretsManager = new SecretsManagerClient({ ...AWS, endpoint: `http://127.0.0.1:${port}`, maxAttempts: 1 });
});
afterAll(async () => {
  secretsManager?.destroy();
  await new Promise((resolve) => server.close(resolve));
});
beforeEach(() => {
  reads = [];
  give({ username: 'app', password: 'one', engine: 'postgres', port: 5432 });
});

function give(secret: unknown): void {
  answer = { status: 200, body: { ARN, SecretString: typeof secret === 'string' ? secret : JSON.stringify(secret) } };
}

describe('credentials from a secret', () => {
  test('are read once, also when asked for at the same time, and again when refused', async () => {
    const source = credentialsFor(database, { secretsManager });
    expect(await Promise.all([source(), source(), source()])).toEqual(Array(3).fill({ user: 'app', password: 'one' }));
    give({ username: 'app', password: 'two' });
    expect(await source()).toEqual({ user: 'app', password: 'one' });
    expect(reads).toEqual([{ SecretId: ARN, VersionStage: 'AWSCURRENT' }]);
    expect(await source({ refused: { user: 'app', password: 'one' } })).toEqual({ user: 'app', password: 'two' });
    expect(await source()).toEqual({ user: 'app', password: 'two' });
    expect(reads).toHaveLength(2);
  });

  test('are read again after five minutes', async () => {
    vi.useFakeTimers({ toFake: ['Date'] });
    try {
      const source = credentialsFor(database, { secretsManager });
      await source();
      vi.setSystemTime(Date.now() + 299_000);
      await source();
      expect(reads).toHaveLength(1);
      vi.setSystemTime(Date.now() + 2_000);
      await source();
      expect(reads).toHaveLength(2);
    } finally {
      vi.useRealTimers();
    }
  });

  test('a failure names the secret and is not kept', async () => {
    const source = credentialsFor(database, { secretsManager });
    answer = {
      status: 400,
      body: { __type: 'AccessDeniedException', message: 'not authorized to perform GetSecretValue' },
    };
    await expect(source()).rejects.toMatchObject({ code: 'secret_unreadable', message: expect.stringContaining(ARN) });
    give({ username: 'app', password: 'three' });
    expect(await source()).toEqual({ user: 'app', password: 'three' });
  });

  test('may be a client certificate, with or without a password', async () => {
    const pair = { client_certificate: 'CERTIFICATE', client_key: 'KEY' };
    const certificate = { certificate: 'CERTIFICATE', key: 'KEY' };
    give({ username: 'app', ...pair });
    expect(await credentialsFor(database, { secretsManager })()).toEqual({ user: 'app', password: null, certificate });
    give({ username: 'app', password: 'one', ...pair });
    expect(await credentialsFor(database, { secretsManager })()).toEqual({ user: 'app', password: 'one', certificate });
  });

  test.each([
    'my password',
    '{"username":"app"}',
    '{"username":"app","client_key":"my password"}',
    '{"username":"app","password":"my password","client_certificate":"CERTIFICATE"}',
    '{"username":"app","password":"my password"',
    '{"password":"my password"}',
    '["my password"]',
  ])('another form (%s) is refused without showing it', async (text) => {
    give(text);
    const failure = await credentialsFor(database, { secretsManager })().catch((error) => error);
    expect(failure).toMatchObject({ code: 'secret_malformed' });
    expect(`${failure.message} ${failure.stack} ${failure.cause}`).not.toContain('my password');
  });
});

test('credentials of a login without a password need no secret', async () => {
  const passwordless = databaseSchema.parse({ ...database, login: { type: 'passwordless', user: 'app' } });
  expect(await credentialsFor(passwordless, { secretsManager })()).toEqual({ user: 'app', password: null });
  expect(reads).toEqual([]);
});

test('credentials from IAM are a signed token for the host, port and user', async () => {
  const iam = databaseSchema.parse({
    id: 'shop',
    host: 'db.example',
    port: 6543,
    name: 'shop',
    login: { type: 'iam', user: 'app', resource_id: 'db-ABC' },
  });
  const { user, password } = await credentialsFor(iam, { secretsManager, rdsSigner: AWS })();
  expect(user).toBe('app');
  expect(password).toMatch(/^db\.example:6543\/\?.*Action=connect.*DBUser=app.*X-Amz-Signature=[0-9a-f]{64}/);
  const failing = credentialsFor(iam, {
    secretsManager,
    rdsSigner: { region: 'eu-west-1', credentials: () => Promise.reject(new Error('no role')) },
  });
  await expect(failing()).rejects.toMatchObject({
    code: 'iam_token_failed',
    message: expect.stringContaining('no role'),
  });
});
