import { DecryptCommand, GenerateDataKeyCommand, type KMSClient } from '@aws-sdk/client-kms';
import { OperationError } from '../../errors.ts';
import { readWrappedKey, writeWrappedKey } from '../../state/masking.ts';
import type { StateTable } from '../../state/table.ts';

export interface KeyDependencies {
  table: StateTable;
  kms: KMSClient;
  /** Of the KMS key that encrypts it. */
  keyArn: string;
}

/** KMS decrypts it for who says the same alone. */
const CONTEXT = { purpose: 'masking' };

/**
 * The deployment's masking key: 32 bytes that KMS made once. The State table keeps it as KMS has encrypted it; in plain text it is
 * in the memory of what masks alone. Without it, masked values of later backups would be others.
 *
 * @throws OperationError `masking_key_unavailable`
 */
export async function loadMaskingKey({ table, kms, keyArn }: KeyDependencies): Promise<Uint8Array> {
  try {
    const known = await readWrappedKey(table);
    if (known === null) {
      const made = await kms.send(
        new GenerateDataKeyCommand({ KeyId: keyArn, KeySpec: 'AES_256', EncryptionContext: CONTEXT }),
      );
      const isFirst = await writeWrappedKey(table, Buffer.from(made.CiphertextBlob ?? []).toString('base64'));
      if (isFirst && made.Plaintext) return made.Plaintext;
    }
    // Also when another was first: there is one key.
    const wrapped = known ?? (await readWrappedKey(table)) ?? '';
    const opened = await kms.send(
      new DecryptCommand({
        KeyId: keyArn,
        CiphertextBlob: Buffer.from(wrapped, 'base64'),
        EncryptionContext: CONTEXT,
      }),
    );
    if (!opened.Plaintext) throw new Error('KMS answered without a key');
    return opened.Plaintext;
  } catch (cause) {
    throw new OperationError(
      'masking_key_unavailable',
      `The masking key could not be had: ${(cause as Error).name}`,
      'Try again; if it persists, check that the KMS key of the backups is enabled and that the function may use it.',
      { cause },
    );
  }
}
