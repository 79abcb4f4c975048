import { createHash, randomUUID } from 'node:crypto';
import { mkdir, readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { AwsError } from '../errors.ts';
import { removeUnfinished, writeWhole } from '../state-file.ts';

/** A file of bytes; an object consists of one, or of one per part of its multipart upload, so that completing copies nothing. */
export type Piece = { file: string; size: number };

export type StoredObject = {
  key: string;
  pieces: Piece[];
  size: number;
  /** With its quotes. */
  etag: string;
  /** Milliseconds since 1970. */
  modifiedAt: number;
  /** Headers to give back: content type, user metadata, encryption. */
  headers: Record<string, string>;
  checksum: { name: string; value: string } | null;
  /** In a bucket with versions; what was stored before it had any has none, which S3 calls `null`. */
  versionId?: string;
  /** Stands for the deletion of what came before. Never the current object. */
  isDeleteMarker?: true;
};

export type Part = Piece & { number: number; etag: string; modifiedAt: number };

export type Upload = {
  id: string;
  key: string;
  startedAt: number;
  headers: Record<string, string>;
  parts: Map<number, Part>;
};

export type Bucket = {
  name: string;
  createdAt: number;
  /** XML documents by sub-resource, e.g. `encryption`; kept and given back. */
  configurations: Record<string, string>;
  objects: Map<string, StoredObject>;
  /** Former versions and delete markers, by {@link versionName}. */
  former: Map<string, StoredObject>;
  uploads: Map<string, Upload>;
};

export type Store = {
  buckets: ReadonlyMap<string, Bucket>;
  createBucket(name: string): Promise<void>;
  deleteBucket(bucket: Bucket): Promise<void>;
  configure(bucket: Bucket, subresource: string, document: string | null): Promise<void>;
  /** A path for new bytes in a bucket; they stay only if an object or a part takes the file's name. */
  newFile(bucket: Bucket): { file: string; path: string };
  pathOf(bucket: Bucket, file: string): string;
  putObject(bucket: Bucket, object: StoredObject): Promise<void>;
  /**
   * Deletes a version for good, by its id. Without an id it deletes the object, of which a bucket with versions keeps what there was,
   * and adds a delete marker.
   */
  deleteObject(bucket: Bucket, key: string, version?: string | null): Promise<void>;
  /** Changes the headers of what is current. */
  setHeaders(bucket: Bucket, key: string, headers: Record<string, string>): Promise<void>;
  createUpload(bucket: Bucket, key: string, headers: Record<string, string>): Promise<Upload>;
  putPart(bucket: Bucket, upload: Upload, part: Part): Promise<void>;
  /** Turns the parts into an object and forgets the upload; bytes of parts left out are removed. */
  completeUpload(bucket: Bucket, upload: Upload, object: StoredObject): Promise<void>;
  abortUpload(bucket: Bucket, upload: Upload): Promise<void>;
};

type BucketFile = Pick<Bucket, 'name' | 'createdAt' | 'configurations'>;

/*
 * <root>/<bucket>/bucket.json              name, creation, configurations
 *                /objects/<sha256>.json    one object's description, named after the key's hash: keys may be longer than file names
 *                /versions/<sha256>.json   the same of a former version or a delete marker
 *                /uploads/<id>/upload.json, <part number>.json
 *                /data/<uuid>              bytes
 */
export async function openStore(root: string): Promise<Store> {
  await mkdir(root, { recursive: true, mode: 0o700 });
  const buckets = new Map<string, Bucket>();
  for (const name of await readdir(root)) {
    const path = join(root, name);
    // The description is written last, so without it the bucket was never made.
    if ((await readdir(path)).includes('bucket.json')) buckets.set(name, await loadBucket(path));
    else await rm(path, { recursive: true });
  }

  /** Descriptions are written one after the other, so the last one on disk is the last one in memory. */
  let writing = Promise.resolve();
  function inOrder(write: () => Promise<void>): Promise<void> {
    const written = writing.then(write);
    writing = written.catch(() => undefined);
    return written;
  }

  const folder = (bucket: Bucket, ...rest: string[]) => join(root, bucket.name, ...rest);
  const pathOf = (bucket: Bucket, file: string) => folder(bucket, 'data', file);
  const objectFile = (bucket: Bucket, key: string) =>
    folder(bucket, 'objects', `${createHash('sha256').update(key).digest('hex')}.json`);

  async function removePieces(bucket: Bucket, pieces: Iterable<Piece>): Promise<void> {
    for (const { file } of pieces) await rm(pathOf(bucket, file), { force: true });
  }

  async function writeBucket({ name, createdAt, configurations }: Bucket): Promise<void> {
    const description: BucketFile = { name, createdAt, configurations };
    await writeWhole(join(root, name, 'bucket.json'), JSON.stringify(description));
  }

  async function putCurrent(bucket: Bucket, object: StoredObject): Promise<void> {
    const before = bucket.objects.get(object.key);
    bucket.objects.set(object.key, object);
    try {
      await inOrder(() => writeWhole(objectFile(bucket, object.key), JSON.stringify(object)));
    } catch (error) {
      // What is not on disk must not be answered with.
      if (bucket.objects.get(object.key) === object) {
        if (before) bucket.objects.set(object.key, before);
        else bucket.objects.delete(object.key);
      }
      throw error;
    }
  }

  async function putObject(bucket: Bucket, object: StoredObject): Promise<void> {
    const before = bucket.objects.get(object.key);
    const keepsVersions = hasVersions(bucket);
    await putCurrent(bucket, keepsVersions ? { ...object, versionId: newVersionId() } : object);
    if (!before) return;
    if (keepsVersions) await keepFormer(bucket, before);
    else await removePieces(bucket, before.pieces);
  }

  const formerFile = (bucket: Bucket, object: StoredObject) =>
    folder(bucket, 'versions', `${createHash('sha256').update(versionName(object)).digest('hex')}.json`);

  async function keepFormer(bucket: Bucket, object: StoredObject): Promise<void> {
    bucket.former.set(versionName(object), object);
    await inOrder(async () => {
      await mkdir(folder(bucket, 'versions'), { recursive: true, mode: 0o700 });
      await writeWhole(formerFile(bucket, object), JSON.stringify(object));
    });
  }

  async function forgetFormer(bucket: Bucket, object: StoredObject): Promise<void> {
    bucket.former.delete(versionName(object));
    await inOrder(() => rm(formerFile(bucket, object), { force: true }));
  }

  async function forgetCurrent(bucket: Bucket, object: StoredObject): Promise<void> {
    bucket.objects.delete(object.key);
    await inOrder(() => rm(objectFile(bucket, object.key), { force: true }));
  }

  async function deleteObject(bucket: Bucket, key: string, version: string | null = null): Promise<void> {
    const current = bucket.objects.get(key);
    if (version === null && hasVersions(bucket)) {
      if (current) {
        await keepFormer(bucket, current);
        await forgetCurrent(bucket, current);
      }
      return keepFormer(bucket, newDeleteMarker(key));
    }
    const isCurrent = current && (version === null || version === (current.versionId ?? NO_VERSION));
    const found = isCurrent ? current : bucket.former.get(versionName({ key, versionId: version ?? NO_VERSION }));
    if (!found) return;
    if (isCurrent) await forgetCurrent(bucket, found);
    else await forgetFormer(bucket, found);
    await removePieces(bucket, found.pieces);
    if (bucket.former.size === 0) return;
    // What came before is current again, unless it is a deletion.
    const [latest] = versionsOf(bucket, key);
    if (!latest || latest.isDeleteMarker || bucket.objects.has(key)) return;
    await putCurrent(bucket, latest);
    await forgetFormer(bucket, latest);
  }

  async function forgetUpload(bucket: Bucket, upload: Upload): Promise<void> {
    bucket.uploads.delete(upload.id);
    await rm(folder(bucket, 'uploads', upload.id), { recursive: true, force: true });
  }

  return {
    buckets,
    pathOf,
    createBucket: async (name) => {
      const bucket: Bucket = {
        name,
        createdAt: Date.now(),
        configurations: {},
        objects: new Map(),
        former: new Map(),
        uploads: new Map(),
      };
      for (const part of ['objects', 'uploads', 'data'])
        await mkdir(folder(bucket, part), { recursive: true, mode: 0o700 });
      await writeBucket(bucket);
      buckets.set(name, bucket);
    },
    deleteBucket: async (bucket) => {
      buckets.delete(bucket.name);
      await rm(folder(bucket), { recursive: true, force: true });
    },
    configure: async (bucket, subresource, document) => {
      if (document === null) delete bucket.configurations[subresource];
      else bucket.configurations[subresource] = document;
      await inOrder(() => writeBucket(bucket));
    },
    newFile: (bucket) => {
      const file = randomUUID();
      return { file, path: pathOf(bucket, file) };
    },
    putObject,
    deleteObject,
    setHeaders: async (bucket, key, headers) => {
      const object = bucket.objects.get(key);
      if (object) await putCurrent(bucket, { ...object, headers: { ...object.headers, ...headers } });
    },
    createUpload: async (bucket, key, headers) => {
      const upload: Upload = { id: randomUUID(), key, startedAt: Date.now(), headers, parts: new Map() };
      await mkdir(folder(bucket, 'uploads', upload.id), { mode: 0o700 });
      await writeWhole(
        folder(bucket, 'uploads', upload.id, 'upload.json'),
        JSON.stringify({ ...upload, parts: undefined }),
      );
      bucket.uploads.set(upload.id, upload);
      return upload;
    },
    putPart: async (bucket, upload, part) => {
      if (!bucket.uploads.has(upload.id)) {
        await removePieces(bucket, [part]);
        throw new AwsError('NoSuchUpload', 'The upload was ended while this part arrived.', 404);
      }
      const before = upload.parts.get(part.number);
      upload.parts.set(part.number, part);
      await writeWhole(folder(bucket, 'uploads', upload.id, `${part.number}.json`), JSON.stringify(part));
      if (before) await removePieces(bucket, [before]);
    },
    completeUpload: async (bucket, upload, object) => {
      const used = new Set(object.pieces.map(({ file }) => file));
      await putObject(bucket, object);
      await forgetUpload(bucket, upload);
      await removePieces(
        bucket,
        [...upload.parts.values()].filter(({ file }) => !used.has(file)),
      );
    },
    abortUpload: async (bucket, upload) => {
      await forgetUpload(bucket, upload);
      await removePieces(bucket, upload.parts.values());
    },
  };
}

/** The id of what has none. */
export const NO_VERSION = 'null';

const versionName = ({ key, versionId = NO_VERSION }: Pick<StoredObject, 'key' | 'versionId'>): string =>
  JSON.stringify([key, versionId]);

const hasVersions = ({ configurations: { versioning = '' } }: Bucket): boolean =>
  versioning.includes('<Status>Enabled</Status>');

let versionsMade = 0;

/** Later ids come after earlier ones, also after a restart. */
function newVersionId(): string {
  versionsMade += 1;
  return `${Date.now().toString(36).padStart(9, '0')}.${versionsMade.toString(36).padStart(7, '0')}`;
}

const newDeleteMarker = (key: string): StoredObject => ({
  key,
  pieces: [],
  size: 0,
  etag: '',
  modifiedAt: Date.now(),
  headers: {},
  checksum: null,
  versionId: newVersionId(),
  isDeleteMarker: true,
});

/** All versions, of one object or of all, by their keys and from the latest to the first; the current one comes first. */
export function versionsOf({ objects, former }: Bucket, key?: string): StoredObject[] {
  const place = ({ versionId = '' }: StoredObject): string => versionId;
  return [...objects.values(), ...former.values()]
    .filter((each) => key === undefined || each.key === key)
    .sort((a, b) => (a.key === b.key ? (place(a) > place(b) ? -1 : 1) : a.key < b.key ? -1 : 1));
}

async function readJson<T>(path: string): Promise<T> {
  return JSON.parse(await readFile(path, 'utf8')) as T;
}

/** Reads a bucket's descriptions and removes bytes that none of them names: what a crash left behind. */
async function loadBucket(path: string): Promise<Bucket> {
  const bucket: Bucket = {
    ...(await readJson<BucketFile>(join(path, 'bucket.json'))),
    objects: new Map(),
    former: new Map(),
    uploads: new Map(),
  };
  await removeUnfinished(path);
  await removeUnfinished(join(path, 'objects'));
  // Made with the first of them.
  for (const name of await readdir(join(path, 'versions')).catch(() => [])) {
    if (!name.endsWith('.json')) continue;
    const object = await readJson<StoredObject>(join(path, 'versions', name));
    bucket.former.set(versionName(object), object);
  }
  for (const name of await readdir(join(path, 'objects'))) {
    if (!name.endsWith('.json')) continue;
    const object = await readJson<StoredObject>(join(path, 'objects', name));
    bucket.objects.set(object.key, object);
  }
  for (const id of await readdir(join(path, 'uploads'))) {
    const names = await readdir(join(path, 'uploads', id));
    if (!names.includes('upload.json')) continue;
    const upload = {
      ...(await readJson<Omit<Upload, 'parts'>>(join(path, 'uploads', id, 'upload.json'))),
      parts: new Map<number, Part>(),
    };
    for (const name of names.filter((one) => /^\d+\.json$/.test(one))) {
      const part = await readJson<Part>(join(path, 'uploads', id, name));
      upload.parts.set(part.number, part);
    }
    bucket.uploads.set(id, upload);
  }
  const pieces = [...bucket.objects.values(), ...bucket.former.values()].flatMap((object) => object.pieces);
  const parts = [...bucket.uploads.values()].flatMap((upload) => [...upload.parts.values()]);
  const named = new Set([...pieces, ...parts].map(({ file }) => file));
  for (const file of await readdir(join(path, 'data'))) {
    if (!named.has(file)) await rm(join(path, 'data', file), { force: true });
  }
  return bucket;
}
