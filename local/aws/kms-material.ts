import {
  constants,
  createCipheriv,
  createDecipheriv,
  createHmac,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  randomBytes,
  sign,
  timingSafeEqual,
  verify,
} from 'node:crypto';
import { AwsError } from './errors.ts';

export type KeySpec =
  | 'SYMMETRIC_DEFAULT'
  | `HMAC_${224 | 256 | 384 | 512}`
  | `RSA_${2048 | 3072 | 4096}`
  | `ECC_NIST_P${256 | 384 | 521}`;

export type EncryptionContext = Readonly<Record<string, string>>;

/** Makes the secret of a new key: raw bytes, or a private key in PKCS #8 form; base64. */
export function newMaterial(spec: KeySpec): string {
  if (spec === 'SYMMETRIC_DEFAULT') return randomBytes(32).toString('base64');
  if (spec.startsWith('HMAC_')) return randomBytes(Number(spec.slice(5)) / 8).toString('base64');
  const { privateKey } = spec.startsWith('RSA_')
    ? generateKeyPairSync('rsa', { modulusLength: Number(spec.slice(4)) })
    : generateKeyPairSync('ec', { namedCurve: `P-${spec.slice(10)}` });
  return privateKey.export({ type: 'pkcs8', format: 'der' }).toString('base64');
}

/*
 * A ciphertext blob: version (1 byte), length of the key id (1 byte), key id, iv (12), tag (16), ciphertext.
 * The header and the encryption context, its names in order, are the additional data.
 */
const blobVersion = 1;

function additionalData(header: Buffer, context: EncryptionContext): Buffer {
  const pairs = Object.entries(context).sort(([a], [b]) => (a < b ? -1 : 1));
  return Buffer.concat([header, Buffer.from(JSON.stringify(pairs))]);
}

/** Encrypts with AES-256-GCM, bound to the key's id and the encryption context. */
export function seal(keyId: string, material: string, plaintext: Uint8Array, context: EncryptionContext): Buffer {
  const id = Buffer.from(keyId);
  const header = Buffer.concat([Buffer.from([blobVersion, id.length]), id]);
  const iv = randomBytes(12);
  const cipher = createCipheriv('aes-256-gcm', Buffer.from(material, 'base64'), iv);
  cipher.setAAD(additionalData(header, context));
  const ciphertext = Buffer.concat([cipher.update(plaintext), cipher.final()]);
  return Buffer.concat([header, iv, cipher.getAuthTag(), ciphertext]);
}

const invalidCiphertext = () =>
  new AwsError('InvalidCiphertextException', 'The ciphertext or its encryption context is not valid');

/** The id of the key a blob was sealed with. @throws AwsError `InvalidCiphertextException` */
export function keyIdOf(blob: Buffer): string {
  const length = blob[1];
  if (blob[0] !== blobVersion || length === undefined || blob.length < 2 + length + 28) throw invalidCiphertext();
  return blob.toString('utf8', 2, 2 + length);
}

/** Reverses {@link seal}. @throws AwsError `InvalidCiphertextException` when blob, key or context do not belong together. */
export function unseal(blob: Buffer, material: string, context: EncryptionContext): Buffer {
  const start = 2 + Buffer.byteLength(keyIdOf(blob));
  const decipher = createDecipheriv('aes-256-gcm', Buffer.from(material, 'base64'), blob.subarray(start, start + 12));
  decipher.setAAD(additionalData(blob.subarray(0, start), context));
  decipher.setAuthTag(blob.subarray(start + 12, start + 28));
  try {
    return Buffer.concat([decipher.update(blob.subarray(start + 28)), decipher.final()]);
  } catch {
    throw invalidCiphertext();
  }
}

function privateKeyOf(material: string): KeyObject {
  return createPrivateKey({ key: Buffer.from(material, 'base64'), type: 'pkcs8', format: 'der' });
}

/** The public half in SubjectPublicKeyInfo form. */
export function publicKeyOf(material: string): Buffer {
  return createPublicKey(privateKeyOf(material)).export({ type: 'spki', format: 'der' });
}

function signatureOptions(algorithm: string): { hash: string; padding?: number; saltLength?: number } {
  const hash = `sha${algorithm.slice(-3)}`;
  if (algorithm.startsWith('RSASSA_PSS')) {
    return { hash, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: constants.RSA_PSS_SALTLEN_DIGEST };
  }
  return algorithm.startsWith('RSASSA_PKCS1') ? { hash, padding: constants.RSA_PKCS1_PADDING } : { hash };
}

export function signMessage(material: string, algorithm: string, message: Uint8Array): Buffer {
  const { hash, ...options } = signatureOptions(algorithm);
  return sign(hash, message, { key: privateKeyOf(material), ...options });
}

export function signatureIsValid(
  material: string,
  algorithm: string,
  message: Uint8Array,
  signature: Uint8Array,
): boolean {
  const { hash, ...options } = signatureOptions(algorithm);
  return verify(hash, message, { key: createPublicKey(privateKeyOf(material)), ...options }, signature);
}

export function mac(material: string, algorithm: string, message: Uint8Array): Buffer {
  return createHmac(`sha${algorithm.slice(-3)}`, Buffer.from(material, 'base64'))
    .update(message)
    .digest();
}

export function macIsValid(material: string, algorithm: string, message: Uint8Array, given: Uint8Array): boolean {
  const expected = mac(material, algorithm, message);
  return expected.length === given.length && timingSafeEqual(expected, given);
}
