import { GetSecretValueCommand, type SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { Signer, type SignerConfig } from '@aws-sdk/rds-signer';
import * as z from 'zod';
import type { Database } from '../configuration/runtime.ts';
import { OperationError } from '../errors.ts';
import type { Credentials, CredentialsSource } from './connect.ts';

export interface CredentialsClients {
  secretsManager: SecretsManagerClient;
  /** Region and AWS credentials for IAM logins; by default the function's own. */
  rdsSigner?: Pick<SignerConfig, 'region' | 'credentials'>;
}

/** A secret is read again after this long, in milliseconds, so that a rotation is noticed without a refused login. */
const SECRET_MAX_AGE_MS = 300_000;

/** The form that RDS writes and rotates; it holds more, which the configuration knows better. */
const secretSchema = z
  .looseObject({
    username: z.string().min(1),
    password: z.string().min(1).optional(),
    client_certificate: z.string().min(1).optional(),
    client_key: z.string().min(1).optional(),
  })
  .refine(
    ({ password, client_certificate, client_key }) =>
      (client_certificate === undefined) === (client_key === undefined) &&
      (password !== undefined || client_certificate !== undefined),
  );

/** Whom to log in as, and where: a token is for one address. */
export type LoginPlace = Pick<Database, 'host' | 'port' | 'login'>;

/**
 * How to log in to a database: by its Secrets Manager secret, kept for up to five minutes, by an IAM token, made for each
 * connection (making one needs no call), or as a user whom the server asks for no password.
 *
 * The source rejects with an OperationError: `secret_unreadable`, `secret_malformed` or `iam_token_failed`.
 */
export function credentialsFor(database: LoginPlace, clients: CredentialsClients): CredentialsSource {
  const { login } = database;
  switch (login.type) {
    case 'secret':
      return secretSource(login.secret_arn, clients);
    case 'iam':
      return iamSource(database, login.user, clients);
    case 'passwordless':
      return async () => ({ user: login.user, password: null });
  }
}

function secretSource(arn: string, { secretsManager }: CredentialsClients): CredentialsSource {
  let kept: { credentials: Promise<Credentials>; readAt: number } | undefined;
  return ({ refused } = {}) => {
    if (kept && !refused && Date.now() - kept.readAt < SECRET_MAX_AGE_MS) return kept.credentials;
    const credentials = refused ? readOther(arn, secretsManager, refused) : readLogin(arn, secretsManager);
    const reading = { credentials, readAt: Date.now() };
    kept = reading;
    reading.credentials.catch(() => {
      if (kept === reading) kept = undefined;
    });
    return reading.credentials;
  };
}

/**
 * The secret as it is, when it is another than what the server refused. If not, a rotation may be under way, which has given the login
 * its new password already and has not made it the current one yet: then the pending one. When there is none, it may have become
 * the current one meanwhile.
 */
async function readOther(arn: string, client: SecretsManagerClient, refused: Credentials): Promise<Credentials> {
  const current = await readLogin(arn, client);
  if (current.user !== refused.user || current.password !== refused.password) return current;
  return readLogin(arn, client, 'AWSPENDING').catch(() => readLogin(arn, client));
}

async function readLogin(arn: string, client: SecretsManagerClient, stage = 'AWSCURRENT'): Promise<Credentials> {
  const { secret: _secret, ...credentials } = await readSecret(arn, client, { VersionStage: stage });
  return credentials;
}

/**
 * Reads a version of a secret; by default the current one.
 *
 * @returns the login, and all that the secret holds
 * @throws OperationError `secret_unreadable` or `secret_malformed`
 */
export async function readSecret(
  arn: string,
  client: SecretsManagerClient,
  version: { VersionId?: string; VersionStage?: string } = {},
): Promise<Credentials & { secret: Readonly<Record<string, unknown>> }> {
  const text = await client.send(new GetSecretValueCommand({ SecretId: arn, ...version })).then(
    ({ SecretString }) => SecretString ?? '',
    (error: Error) => {
      throw new OperationError(
        'secret_unreadable',
        `The secret ${arn} could not be read: ${error.name}: ${error.message}`,
        "Check that it exists and that the function's role may read and decrypt it.",
        { cause: error },
      );
    },
  );
  const parsed = secretSchema.safeParse(parseJson(text));
  if (!parsed.success) {
    // Neither the text nor the parser's message may be passed on: both can hold the password.
    throw new OperationError(
      'secret_malformed',
      `The secret ${arn} is not in the RDS form`,
      'Store it as JSON with at least "username" and "password", or "client_certificate" and "client_key" in place of the password.',
    );
  }
  const { username, password = null, client_certificate, client_key } = parsed.data;
  return {
    user: username,
    password,
    secret: parsed.data,
    ...(client_certificate !== undefined && client_key !== undefined
      ? { certificate: { certificate: client_certificate, key: client_key } }
      : {}),
  };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function iamSource(
  { host, port }: LoginPlace,
  user: string,
  { rdsSigner = {} }: CredentialsClients,
): CredentialsSource {
  const signer = new Signer({ hostname: host, port, username: user, ...rdsSigner });
  return async () => {
    try {
      return { user, password: await signer.getAuthToken() };
    } catch (error) {
      throw new OperationError(
        'iam_token_failed',
        `No IAM token could be made for ${user} at ${host}: ${(error as Error).message}`,
        'Check that the function has AWS credentials and a region.',
        { cause: error },
      );
    }
  };
}
