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

/** Below the backup's prefix: what the functions of a distributed backup leave for each other. Gone when it is complete. */
export const WORK = 'work/';

/** What the backup holds and how it is cut. */
export const STORED_PLAN = `${WORK}plan.json.zst.enc`;

/** Which chunks each lane is given in a round. */
export function storedShares(round: number): string {
  return `${WORK}shares/${String(round).padStart(6, '0')}.json.zst.enc`;
}

/** What one invocation of a lane has stored; without a writer, the prefix of all of the lane's in that round, and so on. */
export function storedResults(round?: number, lane?: number, writer?: string): string {
  const folder = `${WORK}results/`;
  if (round === undefined) return folder;
  const ofRound = `${folder}${String(round).padStart(6, '0')}/`;
  if (lane === undefined) return ofRound;
  const ofLane = `${ofRound}${String(lane).padStart(3, '0')}-`;
  return writer === undefined ? ofLane : `${ofLane}${writer}.json.zst.enc`;
}

/**
 * A chunk's path with the name of the invocation that writes it: of two that write the same chunk, as when one was given up for
 * dead too early, neither overwrites what the other has told of.
 */
export function writtenBy(path: string, writer: string): string {
  return path.replace(/\.copy\.zst\.enc$/, `.${writer}.copy.zst.enc`);
}
