import { type SchemaDump, schemaDumpSchema } from '../postgres/pg-dump/schema-dump.ts';
import type { Manifest } from './manifest.ts';
import { type BackupLocation, type ObjectStore, readWhole } from './objects/object-store.ts';

/**
 * Reads a backup's definitions.
 *
 * @throws OperationError as `readObject`
 */
export async function readSchema(
  store: ObjectStore,
  location: BackupLocation,
  manifest: Manifest,
  signal: AbortSignal,
): Promise<SchemaDump> {
  const bytes = await readWhole(store, location, manifest.schema.path, {
    compressed: true,
    expected: manifest.schema,
    signal,
  });
  return schemaDumpSchema.parse(JSON.parse(bytes.toString('utf8')));
}
