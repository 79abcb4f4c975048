import { createPublicKey, type KeyObject, verify } from 'node:crypto';
import { GetPublicKeyCommand, type KMSClient, SignCommand } from '@aws-sdk/client-kms';
import canonicalize from 'canonicalize';

export const ALGORITHM = 'ECDSA_SHA_256';

export interface Signing {
  kms: KMSClient;
  /** Of an asymmetric key (ECC_NIST_P256) whose private half never leaves KMS. */
  keyArn: string;
}

/** What is signed of a statement: its canonical JSON (RFC 8785). */
export const messageOf = (statement: object): Buffer => Buffer.from(canonicalize(statement) ?? '');

/** @returns the signature, in base64. @throws the SDK's errors */
export async function signStatement({ kms, keyArn }: Signing, statement: object): Promise<string> {
  const { Signature = new Uint8Array() } = await kms.send(
    new SignCommand({
      KeyId: keyArn,
      Message: messageOf(statement),
      MessageType: 'RAW',
      SigningAlgorithm: ALGORITHM,
    }),
  );
  return Buffer.from(Signature).toString('base64');
}

/** Whether the key has signed a statement. */
export const isSigned = (statement: object, signature: string, key: KeyObject): boolean =>
  verify('sha256', messageOf(statement), key, Buffer.from(signature, 'base64'));

/** The public half of the key. @throws the SDK's errors */
export async function readPublicKey({ kms, keyArn }: Signing): Promise<KeyObject> {
  const { PublicKey = new Uint8Array() } = await kms.send(new GetPublicKeyCommand({ KeyId: keyArn }));
  return createPublicKey({ key: Buffer.from(PublicKey), format: 'der', type: 'spki' });
}
