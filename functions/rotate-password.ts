import { secretsManagerClient } from '../shared/aws/clients.ts';
import { loadConfiguration } from '../shared/configuration/load.ts';
import { createLogger } from '../shared/http/log.ts';
import { rotatePassword, rotationEventSchema } from '../shared/security/rotation/rotate-password.ts';

const { databases, connections } = loadConfiguration();
const logger = createLogger('rotate-password');

/**
 * Rotates the password of a configured login, step by step, as Secrets Manager asks.
 *
 * @throws OperationError and others, upon which Secrets Manager tries again later; the former password holds until then
 */
export async function handler(event: unknown): Promise<void> {
  const step = rotationEventSchema.parse(event);
  await rotatePassword(step, { databases, limits: connections, secretsManager: secretsManagerClient() });
  logger.info('A step of a rotation is done', { step: step.Step, secret: step.SecretId });
}
