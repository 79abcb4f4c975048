import * as z from 'zod';
import type { StoredObjectsPage } from '../../contract/schemas/download.ts';
import { decodePosition, encodePosition } from '../../state/pages.ts';
import { MANIFEST } from '../layout.ts';
import { backupLocation } from '../location.ts';
import { type Manifest, parseManifest } from '../manifest.ts';
import { type ObjectStore, readWhole, type StoredObject } from '../objects/object-store.ts';
import { signAddress } from './presign.ts';

/**
 * A page of the encrypted objects of a backup, as its manifest names them, each with an address that is signed for it.
 *
 * @throws OperationError `invalid_cursor`, and as `readObject`
 */
export async function listObjects(
  store: ObjectStore,
  { database, backupId }: { database: string; backupId: string },
  {
    limit,
    cursor,
    seconds,
    signal,
  }: { limit: number; cursor?: string | undefined; seconds: number; signal: AbortSignal },
): Promise<StoredObjectsPage> {
  const location = backupLocation(database, backupId);
  const manifest = parseManifest(await readWhole(store, location, MANIFEST, { compressed: false, signal }));
  const objects = objectsOf(manifest);
  const from = cursor === undefined ? 0 : decodePosition(cursor, z.int().min(0).max(objects.length));
  const items = await Promise.all(
    objects.slice(from, from + limit).map(async ({ path, stored_bytes: bytes, sha256 }) => {
      const key = location.prefix + path;
      return { key, bytes, sha256, ...(await signAddress(store, key, seconds)) };
    }),
  );
  const next = from + items.length;
  return { format: 'objects', items, next_cursor: next < objects.length ? encodePosition(next) : null };
}

function objectsOf({ schema, tables, large_objects: largeObjects }: Manifest): ({ path: string } & {
  [Field in Exclude<keyof StoredObject, 'path'>]: StoredObject[Field] | null;
})[] {
  return [
    { path: MANIFEST, stored_bytes: null, sha256: null },
    schema,
    ...tables.flatMap(({ chunks }) => chunks),
    ...largeObjects.chunks,
  ];
}
