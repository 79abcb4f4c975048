import { DecryptCommand, GenerateMacCommand, type KMSClient } from '@aws-sdk/client-kms';
import { OperationError } from '../../errors.ts';
import { readWrappedKey } from '../../state/masking.ts';
import type { StateTable } from '../../state/table.ts';

export interface KeyDependencies {
  table: StateTable;
  kms: KMSClient;
  /** Of the KMS key that it is derived from, which makes MACs and nothing else. */
  keyArn: string;
  /** Of the KMS key of the backups, which encrypts the masking key of deployments that keep one. */
  backupKeyArn: string;
}

/** KMS decrypts it for who says the same alone. */
export const MASKING_CONTEXT = { purpose: 'masking' };

/** What the masking key is the MAC of. Another text would be another key, and all masked values others. */
const DERIVED_FROM = Buffer.from('masking key');

/**
 * The deployment's masking key: 32 bytes that KMS derives, in plain text in the memory of what masks alone. Nobody writes it anywhere, so
 * nobody can put another in its place. A deployment that was made when the key was stored, encrypted, in the State table goes on with that
 * one: with another, masked values of later backups would be others.
 *
 * @throws OperationError `masking_key_unavailable`
 */
export async function loadMaskingKey({ table, kms, keyArn, backupKeyArn }: KeyDependencies): Promise<Uint8Array> {
  try {
    const wrapped = await readWrappedKey(table);
    const key =
      wrapped === null
        ? (
            await kms.send(
              new GenerateMacCommand({ KeyId: keyArn, MacAlgorithm: 'HMAC_SHA_256', Message: DERIVED_FROM }),
            )
          ).Mac
        : (
            await kms.send(
              new DecryptCommand({
                KeyId: backupKeyArn,
                CiphertextBlob: Buffer.from(wrapped, 'base64'),
                EncryptionContext: MASKING_CONTEXT,
              }),
            )
          ).Plaintext;
    if (!key) throw new Error('KMS answered without a key');
    return key;
  } catch (cause) {
    throw new OperationError(
      'masking_key_unavailable',
      `The masking key could not be had: ${(cause as Error).name}`,
      'Try again; if it persists, check that the KMS key of masking is enabled and that the function may use it.',
      { cause },
    );
  }
}
