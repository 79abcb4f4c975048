import { createHash, type KeyObject } from 'node:crypto';
import { PutObjectCommand } from '@aws-sdk/client-s3';
import * as z from 'zod';
import type { ObjectStore, StoredObject } from '../../backup/objects/object-store.ts';
import { auditRecordSchema } from '../../contract/schemas/audit.ts';
import { DAY_MS } from '../../time.ts';
import { listObjects } from './archive.ts';
import { fetchAll } from './digest.ts';
import type { Heads } from './heads.ts';
import { auditLocation, type PlaceOfSeal, placeOfSeal, sealPath, sealsFrom, sealsPrefix } from './layout.ts';
import type { Shard } from './record.ts';
import { ALGORITHM, isSigned, messageOf, type Signing, signStatement } from './signature.ts';

const hashSchema = z.string().regex(/^[0-9a-f]{64}$/);
const headSchema = auditRecordSchema.pick({ sequence: true, hash: true, at: true, shard: true });

/** Says where a chain and its shards ended at this time. */
const sealSchema = z.object({
  version: z.literal(2),
  chain: z.string(),
  /** Counts the seals of a chain from 1, without gaps. */
  number: z.int().min(1),
  /** SHA-256 over the canonical JSON of the seal before, without its signature; null for the first. */
  previous: hashSchema.nullable(),
  sealed_at: z.iso.datetime(),
  /** The last record of each shard, and of the chain itself (without `shard`). */
  heads: z.array(headSchema),
  /** Records that no seal before covers, and the objects of the archive that have them. */
  records: z.int(),
  objects: z.array(z.object({ path: z.string(), sha256: hashSchema })),
  key_arn: z.string(),
  algorithm: z.literal(ALGORITHM),
});
const signedSchema = sealSchema.extend({ signature: z.base64() });

export type Seal = z.output<typeof sealSchema>;

export const hashOfSeal = (seal: Seal): string => createHash('sha256').update(messageOf(seal)).digest('hex');

export const headsOfSeal = (seal: Seal): Heads =>
  new Map(seal.heads.map(({ shard, ...head }): [Shard, typeof head] => [shard, head]));

/**
 * Signs where a chain ends and stores that beside its archive, in plain JSON: nothing in it is secret, and who verifies the chain needs no key
 * but the public one.
 *
 * @throws the SDK's errors
 */
export async function putSeal(
  store: ObjectStore,
  signing: Signing,
  chain: string,
  {
    place,
    previous,
    heads,
    records,
    objects,
  }: {
    place: PlaceOfSeal;
    previous: Seal | null;
    heads: Heads;
    records: number;
    objects: readonly StoredObject[];
  },
): Promise<Seal> {
  const seal: Seal = {
    version: 2,
    chain,
    ...place,
    previous: previous && hashOfSeal(previous),
    heads: [...heads].map(([shard, head]) => ({ ...(shard === undefined ? {} : { shard }), ...head })),
    records,
    objects: objects.map(({ path, sha256 }) => ({ path, sha256 })),
    key_arn: signing.keyArn,
    algorithm: ALGORITHM,
  };
  const signature = await signStatement(signing, seal);
  await store.s3.send(
    new PutObjectCommand({
      Bucket: store.bucket,
      Key: auditLocation(chain).prefix + sealPath(place),
      Body: `${JSON.stringify({ ...seal, signature }, null, 2)}\n`,
      ContentType: 'application/json',
      ServerSideEncryption: 'aws:kms',
      SSEKMSKeyId: store.keyArn,
      BucketKeyEnabled: true,
      // A bucket with a lock asks for it; it also keeps half a seal from being stored.
      ChecksumAlgorithm: 'SHA256',
    }),
  );
  return seal;
}

type Bucket = Pick<ObjectStore, 's3' | 'bucket'>;
export type ListedSeal = PlaceOfSeal & { name: string };

/** The seals of a chain by their number. @param after - only those from this time on, by their names */
export async function listSeals(
  store: Bucket,
  chain: string,
  signal: AbortSignal,
  after?: Date,
): Promise<ListedSeal[]> {
  const listed = await listObjects(store, sealsPrefix(chain), signal, after && sealsFrom(chain, after));
  const seals = listed.flatMap(({ key: name }) => {
    const place = placeOfSeal(name);
    return place ? [{ ...place, name }] : [];
  });
  return seals.sort((one, other) => one.number - other.number);
}

/** @returns what they say, by their order; null for one that the key has not signed, or that is another's. @throws the SDK's errors */
export async function readSeals(
  store: Bucket,
  key: KeyObject,
  chain: string,
  seals: readonly ListedSeal[],
  signal: AbortSignal,
): Promise<(Seal | null)[]> {
  const texts = await fetchAll(
    store,
    seals.map(({ name }) => name),
    signal,
  );
  return seals.map(({ number, sealed_at }, index) => {
    try {
      const { signature, ...seal } = signedSchema.parse(JSON.parse(texts[index] ?? ''));
      const isItself = seal.chain === chain && seal.number === number && seal.sealed_at === sealed_at;
      return isItself && isSigned(seal, signature, key) ? seal : null;
    } catch {
      return null;
    }
  });
}

/** A listing of the seals of these days has the latest, unless sealing has failed for so long. */
const RECENT_MS = 2 * DAY_MS;

/**
 * The latest seal of a chain.
 *
 * @returns null when there is none; `unsigned` when the key has not signed it
 * @throws the SDK's errors
 */
export async function readLastSeal(
  store: Bucket,
  key: KeyObject,
  chain: string,
  now: Date,
  signal: AbortSignal,
): Promise<Seal | 'unsigned' | null> {
  const recent = await listSeals(store, chain, signal, new Date(now.getTime() - RECENT_MS));
  const last = (recent.length > 0 ? recent : await listSeals(store, chain, signal)).at(-1);
  if (!last) return null;
  const [seal] = await readSeals(store, key, chain, [last], signal);
  return seal ?? 'unsigned';
}
