import { randomBytes } from 'node:crypto';
import {
  DescribeSecretCommand,
  PutSecretValueCommand,
  type SecretsManagerClient,
  UpdateSecretVersionStageCommand,
} from '@aws-sdk/client-secrets-manager';
import * as z from 'zod';
import type { ConnectionLimits, Database } from '../../configuration/runtime.ts';
import { OperationError } from '../../errors.ts';
import type { ConnectionTarget, Credentials } from '../../postgres/connect.ts';
import { readSecret } from '../../postgres/credentials.ts';
import { scramVerifier } from '../../postgres/scram-verifier.ts';
import { connectionTarget } from '../../postgres/target.ts';
import { withConnection } from '../../postgres/with-connection.ts';
import { changeOwnPassword } from './change-password.ts';

/** What Secrets Manager sends to the function of a rotation: four steps, each of which may come again. */
export const rotationEventSchema = z.looseObject({
  Step: z.enum(['createSecret', 'setSecret', 'testSecret', 'finishSecret']),
  SecretId: z.string().min(1),
  ClientRequestToken: z.string().min(1),
});

export type RotationEvent = z.output<typeof rotationEventSchema>;

export interface RotationDependencies {
  databases: readonly Database[];
  limits: ConnectionLimits;
  secretsManager: SecretsManagerClient;
}

/** Of characters that no shell, address or secret's JSON has to quote; 192 bits. */
const newPassword = (): string => randomBytes(24).toString('base64url');

/**
 * One step of a rotation. The login changes its own password, which every role may. From then until the last step, logins with the
 * former password are refused, and `credentialsFor` takes the pending one.
 *
 * @see https://docs.aws.amazon.com/secretsmanager/latest/userguide/rotate-secrets_lambda-functions.html
 * @throws OperationError `rotation_not_configured` or `rotation_not_begun`; the SDK's and the driver's errors
 */
export async function rotatePassword(
  { Step, SecretId: arn, ClientRequestToken: version }: RotationEvent,
  { databases, limits, secretsManager }: RotationDependencies,
): Promise<void> {
  const database = databases.find(({ login }) => login.type === 'secret' && login.secret_arn === arn);
  if (!database) {
    throw new OperationError('rotation_not_configured', `No configured database logs in with ${arn}`, 'Deploy again.');
  }
  const { VersionIdsToStages: stages = {} } = await secretsManager.send(new DescribeSecretCommand({ SecretId: arn }));
  if (stages[version]?.includes('AWSCURRENT')) return;
  if (!stages[version]?.includes('AWSPENDING')) {
    throw new OperationError('rotation_not_begun', `${version} is no pending version of ${arn}`, 'Start the rotation.');
  }
  const pending = () => readSecret(arn, secretsManager, { VersionId: version, VersionStage: 'AWSPENDING' });
  const as = (credentials: Credentials): ConnectionTarget => ({
    ...connectionTarget(database, limits, { secretsManager }, 'dbms rotation'),
    credentials: async () => credentials,
  });
  switch (Step) {
    case 'createSecret': {
      if (await isThere(pending)) return;
      const current = await readSecret(arn, secretsManager);
      const SecretString = JSON.stringify({ ...current.secret, password: newPassword() });
      const value = { SecretId: arn, ClientRequestToken: version, SecretString, VersionStages: ['AWSPENDING'] };
      await secretsManager.send(new PutSecretValueCommand(value));
      return;
    }
    case 'setSecret': {
      const [current, next] = [await readSecret(arn, secretsManager), await pending()];
      if (current.user !== next.user) {
        throw new OperationError('rotation_of_another', `${arn} has another user now`, 'Start the rotation again.');
      }
      if (await logsIn(as(next))) return;
      const verifier = await scramVerifier(passwordOf(next, arn));
      await withConnection(as(current), { kind: 'administering' }, (client) =>
        changeOwnPassword(client, next.user, verifier),
      );
      return;
    }
    case 'testSecret':
      await withConnection(as(await pending()), { kind: 'administering' }, (client) => client.query('SELECT 1'));
      return;
    case 'finishSecret': {
      const [former] = Object.entries(stages).find(([, labels]) => labels.includes('AWSCURRENT')) ?? [];
      const move = { SecretId: arn, VersionStage: 'AWSCURRENT', MoveToVersionId: version };
      await secretsManager.send(new UpdateSecretVersionStageCommand({ ...move, RemoveFromVersionId: former }));
    }
  }
}

function passwordOf({ password }: Credentials, arn: string): string {
  if (password !== null) return password;
  throw new OperationError(
    'secret_malformed',
    `The pending version of the secret ${arn} has no password`,
    'Start the rotation again.',
  );
}

/** A version is there before it has a value. */
async function isThere(read: () => Promise<unknown>): Promise<boolean> {
  return read().then(
    () => true,
    (error: unknown) => {
      const { name } = (error as { cause?: { name?: string } }).cause ?? {};
      if (name === 'ResourceNotFoundException') return false;
      throw error;
    },
  );
}

async function logsIn(target: ConnectionTarget): Promise<boolean> {
  return withConnection(target, { kind: 'administering' }, async () => true).catch((error: unknown) => {
    if (error instanceof OperationError && error.code === 'login_refused') return false;
    throw error;
  });
}
