import type { Backup } from '../contract/schemas/backup.ts';
import { quoteQualified } from '../postgres/identifiers.ts';
import type { IncrementManifest } from './increment-manifest.ts';
import type { Manifest } from './manifest.ts';

const MAX_NAMED = 20;

/** What a list of backups says of one that lacks what its login could not read; null: nothing is missing. */
export function incompleteOf(manifest: Manifest | IncrementManifest): Backup['incomplete'] {
  const missing = manifest.backup_type === 'incremental' ? undefined : manifest.missing;
  if (!missing) return null;
  const names = missing.tables.map(({ schema, name }) => quoteQualified(schema, name));
  return { tables: names.slice(0, MAX_NAMED), tables_total: names.length, large_objects: missing.large_objects };
}
