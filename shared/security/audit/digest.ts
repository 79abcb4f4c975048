import { createPublicKey, type KeyObject, verify } from 'node:crypto';
import { GetPublicKeyCommand, type KMSClient, SignCommand } from '@aws-sdk/client-kms';
import { GetObjectCommand, PutObjectCommand } from '@aws-sdk/client-s3';
import canonicalize from 'canonicalize';
import * as z from 'zod';
import type { ObjectStore } from '../../backup/objects/object-store.ts';
import { listKeys } from './archive.ts';
import { auditLocation, digestPath, digestsPrefix, placeOfDigest } from './layout.ts';
import type { ChainHead } from './record.ts';

const ALGORITHM = 'ECDSA_SHA_256';

const digestSchema = z.object({
  version: z.literal(1),
  chain: z.string(),
  sequence: z.int(),
  hash: z.string(),
  at: z.string(),
  signed_at: z.iso.datetime(),
  key_arn: z.string(),
  algorithm: z.literal(ALGORITHM),
});
const signedSchema = digestSchema.extend({ signature: z.base64() });

/** Says that a chain ended with this record at this time. */
export type Digest = z.output<typeof digestSchema>;

export interface Signing {
  kms: KMSClient;
  /** Of an asymmetric key (ECC_NIST_P256) whose private half never leaves KMS. */
  keyArn: string;
}

const messageOf = (digest: Digest): Buffer => Buffer.from(canonicalize(digest) ?? '');

/**
 * Signs the head of a chain and stores that beside its archive, in plain JSON: nothing in it is secret, and who proves the chain
 * needs no key but the public one.
 *
 * @throws the SDK's errors
 */
export async function signHead(
  store: ObjectStore,
  { kms, keyArn }: Signing,
  chain: string,
  { sequence, hash, at }: ChainHead,
  now: Date,
): Promise<Digest> {
  const digest: Digest = {
    version: 1,
    chain,
    sequence,
    hash,
    at,
    signed_at: now.toISOString(),
    key_arn: keyArn,
    algorithm: ALGORITHM,
  };
  const { Signature = new Uint8Array() } = await kms.send(
    new SignCommand({ KeyId: keyArn, Message: messageOf(digest), MessageType: 'RAW', SigningAlgorithm: ALGORITHM }),
  );
  await store.s3.send(
    new PutObjectCommand({
      Bucket: store.bucket,
      Key: auditLocation(chain).prefix + digestPath(digest),
      Body: `${JSON.stringify({ ...digest, signature: Buffer.from(Signature).toString('base64') }, null, 2)}\n`,
      ContentType: 'application/json',
      ServerSideEncryption: 'aws:kms',
      SSEKMSKeyId: store.keyArn,
      BucketKeyEnabled: true,
      // A bucket with a lock asks for it; it also keeps half a digest from being stored.
      ChecksumAlgorithm: 'SHA256',
    }),
  );
  return digest;
}

/** The public half of the key. @throws the SDK's errors */
export async function readPublicKey({ kms, keyArn }: Signing): Promise<KeyObject> {
  const { PublicKey = new Uint8Array() } = await kms.send(new GetPublicKeyCommand({ KeyId: keyArn }));
  return createPublicKey({ key: Buffer.from(PublicKey), format: 'der', type: 'spki' });
}

/** A digest of the bucket: what it says of a record, or that its signature is not that of the key. */
export type ReadDigest = { sequence: number; hash: string | null };

/** Digests that are fetched at a time. */
const FETCHED_AT_A_TIME = 16;

/**
 * The digests of a chain, in their order.
 *
 * @param from - only those signed at this time or later
 * @throws the SDK's errors
 */
export async function readDigests(
  store: Pick<ObjectStore, 's3' | 'bucket'>,
  key: KeyObject,
  chain: string,
  from: string | undefined,
  signal: AbortSignal,
): Promise<ReadDigest[]> {
  const keys = await listKeys(store, digestsPrefix(chain), signal);
  const wanted = keys.flatMap((name) => {
    const digest = placeOfDigest(name);
    return digest && (from === undefined || Date.parse(digest.signed_at) >= Date.parse(from))
      ? [{ name, sequence: digest.sequence }]
      : [];
  });
  const found: ReadDigest[] = [];
  const read = async ({ name, sequence }: (typeof wanted)[number]): Promise<ReadDigest> => {
    const get = new GetObjectCommand({ Bucket: store.bucket, Key: name });
    const { Body } = await store.s3.send(get, { abortSignal: signal });
    return { sequence, hash: hashSigned((await Body?.transformToString()) ?? '', key, { chain, sequence }) };
  };
  for (let start = 0; start < wanted.length; start += FETCHED_AT_A_TIME) {
    found.push(...(await Promise.all(wanted.slice(start, start + FETCHED_AT_A_TIME).map(read))));
  }
  return found;
}

/** The hash that a stored digest names for its record; null when the key has not signed it. */
function hashSigned(text: string, key: KeyObject, about: { chain: string; sequence: number }): string | null {
  try {
    const { signature, ...digest } = signedSchema.parse(JSON.parse(text));
    const isSigned = verify('sha256', messageOf(digest), key, Buffer.from(signature, 'base64'));
    const isAbout = digest.chain === about.chain && digest.sequence === about.sequence;
    return isSigned && isAbout ? digest.hash : null;
  } catch {
    return null;
  }
}
