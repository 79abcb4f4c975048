import type { KeyObject } from 'node:crypto';
import { GetObjectCommand } from '@aws-sdk/client-s3';
import * as z from 'zod';
import type { ObjectStore } from '../../backup/objects/object-store.ts';
import { listObjects } from './archive.ts';
import { digestsPrefix, placeOfDigest } from './layout.ts';
import { ALGORITHM, isSigned } from './signature.ts';

/** Says that a chain ended with this record at this time; signed each day in former times, before there were seals (seal.ts). */
const digestSchema = z.object({
  version: z.literal(1),
  chain: z.string(),
  sequence: z.int(),
  hash: z.string(),
  at: z.string(),
  signed_at: z.iso.datetime(),
  key_arn: z.string(),
  algorithm: z.literal(ALGORITHM),
  signature: z.base64(),
});

type Digest = z.output<typeof digestSchema>;

/** A digest of the bucket: the record that it is about, and what it says of that; null when the key has not signed it. */
export interface ReadDigest {
  name: string;
  sequence: number;
  digest: Digest | null;
}

/** Objects that are fetched at a time. */
const FETCHED_AT_A_TIME = 16;

/** Fetches some objects, several at a time, in their order. @throws the SDK's errors */
export async function fetchAll(
  { s3, bucket }: Pick<ObjectStore, 's3' | 'bucket'>,
  names: readonly string[],
  signal: AbortSignal,
): Promise<string[]> {
  const texts: string[] = [];
  const fetchOne = async (name: string): Promise<string> => {
    const { Body } = await s3.send(new GetObjectCommand({ Bucket: bucket, Key: name }), { abortSignal: signal });
    return (await Body?.transformToString()) ?? '';
  };
  for (let start = 0; start < names.length; start += FETCHED_AT_A_TIME) {
    texts.push(...(await Promise.all(names.slice(start, start + FETCHED_AT_A_TIME).map(fetchOne))));
  }
  return texts;
}

/**
 * The digests of a chain, in their order.
 *
 * @param wanted - by when they were signed
 * @throws the SDK's errors
 */
export async function readDigests(
  store: Pick<ObjectStore, 's3' | 'bucket'>,
  key: KeyObject,
  chain: string,
  wanted: { from?: string | undefined; last?: number },
  signal: AbortSignal,
): Promise<ReadDigest[]> {
  const { from, last = Number.POSITIVE_INFINITY } = wanted;
  const keys = await listObjects(store, digestsPrefix(chain), signal);
  const places = keys.flatMap(({ key: name }) => {
    const digest = placeOfDigest(name);
    return digest && (from === undefined || Date.parse(digest.signed_at) >= Date.parse(from))
      ? [{ name, sequence: digest.sequence }]
      : [];
  });
  const asked = places.slice(-last);
  const texts = await fetchAll(
    store,
    asked.map(({ name }) => name),
    signal,
  );
  return asked.map(({ name, sequence }, index) => ({
    name,
    sequence,
    digest: readDigest(texts[index] ?? '', key, { chain, sequence }),
  }));
}

function readDigest(text: string, key: KeyObject, about: { chain: string; sequence: number }): Digest | null {
  try {
    const digest = digestSchema.parse(JSON.parse(text));
    const { signature, ...signed } = digest;
    const isAbout = digest.chain === about.chain && digest.sequence === about.sequence;
    return isAbout && isSigned(signed, signature, key) ? digest : null;
  } catch {
    return null;
  }
}
