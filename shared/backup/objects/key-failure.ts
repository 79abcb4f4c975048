import { isTransientName } from '../../core/errors/kinds.ts';
import { OperationError } from '../../errors.ts';

/** What a network says on the way to KMS. */
const NETWORK = /ECONNRESET|ECONNREFUSED|EPIPE|ETIMEDOUT|EAI_AGAIN|ENOTFOUND|EHOSTUNREACH|ENETUNREACH|socket hang up/;

const REFUSALS = new Set([
  'AccessDeniedException',
  'DisabledException',
  'KMSInvalidStateException',
  'NotFoundException',
  'IncorrectKeyException',
]);

/** An error from within the encryption library while it seals: of KMS, as nothing else can fail there. */
export class KeyFailure extends Error {
  override readonly name = 'KeyFailure';
}

/**
 * Puts an error of KMS into words an administrator can act on.
 *
 * @returns `key_unavailable`, which may pass, or `key_refused`; undefined when the error is not of KMS
 */
export function explainKeyFailure(error: Error, key: string): OperationError | undefined {
  const { name, message } = reasonOf(error);
  const isOfKey = error instanceof KeyFailure || REFUSALS.has(name) || DECRYPTION.test(error.message);
  if (!isOfKey) return undefined;
  if (isTransientName(name) || NETWORK.test(`${name} ${message}`)) {
    return new OperationError(
      'key_unavailable',
      `KMS did not serve the backup key for ${key}: ${name}: ${message}`,
      "Try again; if it persists, look at the KMS request quotas of the account, and at the network's way to KMS.",
      { cause: error },
    );
  }
  return new OperationError(
    'key_refused',
    `KMS refused the backup key for ${key}: ${name}: ${message}`,
    'Check that the key is enabled and that the function may use it.',
    { cause: error },
  );
}

/** How the encryption library begins when it cannot open a data key; KMS's own words follow, with a trace. */
const DECRYPTION = /^(Unable to decrypt data key|unencryptedDataKey has not been set)/;

/** Each keyring of the library wraps the error of the one within; the innermost is KMS's own. */
function reasonOf(error: Error): { name: string; message: string } {
  const own = error instanceof KeyFailure && error.cause instanceof Error ? error.cause : error;
  const [, name, message = ''] = [...own.message.matchAll(/Error #1\s+(\w+)(?: \[\w+\])?: ([^\n]*)/g)].at(-1) ?? [];
  return name === undefined ? own : { name, message };
}
