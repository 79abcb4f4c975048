import { constants } from 'node:fs';
import { copyFile } from 'node:fs/promises';
import { elements, elementText } from '../xml.ts';
import type { Bucket, Piece, Store, StoredObject } from './store.ts';

/** Header in which S3 tells how far the copy of an object is. */
const STATUS = 'x-amz-replication-status';
const KEY_ID = 'x-amz-server-side-encryption-aws-kms-key-id';

type Rule = { prefix: string; destination: string; keyId: string | null };

/**
 * A store that copies new objects, and deletions, into the bucket that a bucket's replication names, as S3 does: a little later, and
 * never what was there before. Other regions are buckets of the same store here.
 */
export function withReplication(store: Store): Store {
  /** One after the other, so that a deletion never comes before what it deletes. */
  let work = Promise.resolve();
  const later = (task: () => Promise<void>): void => {
    work = work.then(task).catch(() => undefined);
  };

  async function copy(bucket: Bucket, { key, versionId }: StoredObject, rule: Rule): Promise<void> {
    const object = bucket.objects.get(key);
    if (!object || object.versionId !== versionId) return;
    const destination = store.buckets.get(rule.destination);
    if (!destination) return store.setHeaders(bucket, key, { [STATUS]: 'FAILED' });
    const pieces: Piece[] = [];
    for (const piece of object.pieces) {
      const { file, path } = store.newFile(destination);
      await copyFile(store.pathOf(bucket, piece.file), path, constants.COPYFILE_FICLONE);
      pieces.push({ file, size: piece.size });
    }
    const headers = { ...object.headers, [STATUS]: 'REPLICA', ...(rule.keyId ? { [KEY_ID]: rule.keyId } : {}) };
    await store.putObject(destination, { ...object, pieces, headers });
    await store.setHeaders(bucket, key, { [STATUS]: 'COMPLETED' });
  }

  async function pending(bucket: Bucket, key: string): Promise<void> {
    const rule = ruleFor(bucket, key);
    if (!rule) return;
    await store.setHeaders(bucket, key, { [STATUS]: 'PENDING' });
    const object = bucket.objects.get(key);
    if (object) later(() => copy(bucket, object, rule));
  }

  return {
    ...store,
    putObject: async (bucket, object) => {
      await store.putObject(bucket, object);
      await pending(bucket, object.key);
    },
    completeUpload: async (bucket, upload, object) => {
      await store.completeUpload(bucket, upload, object);
      await pending(bucket, object.key);
    },
    deleteObject: async (bucket, key, version = null) => {
      await store.deleteObject(bucket, key, version);
      const rule = version === null ? ruleFor(bucket, key) : undefined;
      const destination = rule && store.buckets.get(rule.destination);
      // The deletion of a version is copied by no rule.
      if (destination) later(() => store.deleteObject(destination, key));
    },
  };
}

function ruleFor({ configurations: { replication = '' } }: Bucket, key: string): Rule | undefined {
  return elements(replication, 'Rule')
    .filter((rule) => elementText(rule, 'Status') !== 'Disabled')
    .map((rule) => ({
      prefix: elementText(rule, 'Prefix') ?? '',
      destination: (elementText(rule, 'Bucket') ?? '').replace('arn:aws:s3:::', ''),
      keyId: elementText(rule, 'ReplicaKmsKeyID') ?? null,
    }))
    .find(({ prefix }) => key.startsWith(prefix));
}
