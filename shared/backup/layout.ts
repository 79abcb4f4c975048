/** Format version of the backups written by this system; a reader refuses a higher one. */
export const FORMAT_VERSION = 1;

/** Where a backup's objects lie in the bucket. The database's id and the backup's id come from the contract's schemas. */
export function backupPrefix(database: string, backupId: string): string {
  return `databases/${database}/backups/${backupId}/`;
}

/** The object whose presence makes a backup; see {@link backupPrefix}. */
export const MANIFEST = 'manifest.json.enc';

export const SCHEMA = 'schema.json.zst.enc';

/**
 * Path of one chunk of a table's rows, below the backup's prefix. Names are percent-encoded so that any legal identifier gives
 * a legal, unambiguous key; the table's number keeps keys apart and short when names are long.
 */
export function tableChunk(table: { number: number; schema: string; name: string }, chunk: number): string {
  const readable = `${encodeName(table.schema)}.${encodeName(table.name)}`.slice(0, 400);
  return `data/${readable}.${table.number}/${String(chunk).padStart(6, '0')}.copy.zst.enc`;
}

export function largeObjectChunk(chunk: number): string {
  return `large-objects/${String(chunk).padStart(6, '0')}.copy.zst.enc`;
}

function encodeName(name: string): string {
  return encodeURIComponent(name).replace(/[!'()*.~%]/g, (character) =>
    character === '%' ? '_' : `_${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}
