import type { ExportState } from '../../state/exports.ts';
import type { PreparedExport } from '../export/prepare.ts';
import { STORED_PLAN, storedResults, storedShares } from '../layout.ts';
import { listKeys } from '../listing.ts';
import { backupLocation } from '../location.ts';
import type { StoredChunk } from '../manifest.ts';
import { type BackupLocation, type ObjectStore, readWhole, writeWhole } from '../objects/object-store.ts';

/** Where the functions of one distributed backup leave what they have for each other: sealed objects beside the backup's own. */
export interface Work {
  store: ObjectStore;
  location: BackupLocation;
}

/** A chunk that is stored, with the number of its task. */
export type Result = [task: number, chunk: StoredChunk];

export function workOfExport(store: ObjectStore, { database, backup_id }: ExportState): Work {
  return { store, location: backupLocation(database, backup_id) };
}

export const writePlan = (work: Work, plan: PreparedExport, signal: AbortSignal) =>
  writeJson(work, STORED_PLAN, plan, signal);

export const readPlan = (work: Work, signal: AbortSignal) => readJson<PreparedExport>(work, STORED_PLAN, signal);

/** @param shares - numbers of tasks, for each lane */
export const writeShares = (work: Work, round: number, shares: number[][], signal: AbortSignal) =>
  writeJson(work, storedShares(round), shares, signal);

export const readShares = (work: Work, round: number, signal: AbortSignal) =>
  readJson<number[][]>(work, storedShares(round), signal);

/** Stores all that one invocation of a lane has exported, in place of what it stored before. */
export const writeResults = (
  work: Work,
  { round, lane, writer }: { round: number; lane: number; writer: string },
  results: readonly Result[],
  signal: AbortSignal,
) => writeJson(work, storedResults(round, lane, writer), results, signal);

/**
 * The chunks that are stored, by their tasks: of all rounds, of one, or of one lane in it. Of two for the same task, as after an
 * invocation that was taken for dead, it is always the same one.
 */
export async function readResults(
  work: Work,
  signal: AbortSignal,
  round?: number,
  lane?: number,
): Promise<Map<number, StoredChunk>> {
  const { store, location } = work;
  const found = new Map<number, StoredChunk>();
  for (const key of await listKeys(store, location.prefix + storedResults(round, lane))) {
    for (const [task, chunk] of await readJson<Result[]>(work, key.slice(location.prefix.length), signal)) {
      if (!found.has(task)) found.set(task, chunk);
    }
  }
  return found;
}

/** Level 1: read once or twice, and gone within hours. */
const COMPRESSION_LEVEL = 1;

async function writeJson({ store, location }: Work, path: string, value: unknown, signal: AbortSignal): Promise<void> {
  const writing = { compressionLevel: COMPRESSION_LEVEL, signal };
  await writeWhole(store, location, path, Buffer.from(JSON.stringify(value)), writing);
}

/** What it reads is authenticated with the path: it is what `writeJson` wrote there. */
async function readJson<Value>({ store, location }: Work, path: string, signal: AbortSignal): Promise<Value> {
  const bytes = await readWhole(store, location, path, { compressed: true, signal });
  return JSON.parse(bytes.toString('utf8')) as Value;
}
