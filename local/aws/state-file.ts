import { randomUUID } from 'node:crypto';
import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { StateDisk } from '../state-disk.ts';

/** A service's state: one JSON document held in memory and kept in a file that only its owner can read. */
export type StateFile<T> = {
  readonly value: T;
  /** Writes the state as it is now; resolves when it is on disk. Calls made while a write runs share the next one. */
  save(): Promise<void>;
  /** Writes within `delayMs`, for state that may be lost in a crash; a failed write is thrown by {@link StateFile.close}. */
  saveSoon(delayMs?: number): void;
  /** Ends with everything written. */
  close(): Promise<void>;
};

/**
 * Writes a file whole or not at all: to a temporary name beside it, then renamed. Mode 0600. What a write that failed has left is removed,
 * as the room may be needed.
 */
export async function writeWhole(path: string, text: string): Promise<void> {
  const temporary = `${path}.${randomUUID()}${unfinished}`;
  try {
    await writeFile(temporary, text, { mode: 0o600 });
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => undefined);
    throw error;
  }
}

const unfinished = '.tmp';

/** Removes what writes that were cut short have left in a folder. */
export async function removeUnfinished(folder: string): Promise<void> {
  for (const name of await readdir(folder)) {
    if (name.endsWith(unfinished)) await rm(join(folder, name), { force: true });
  }
}

/**
 * Opens a state file, or starts one with `initial` if there is none.
 *
 * @throws Error naming the file when it holds no JSON.
 */
export async function openStateFile<T>(path: string, initial: T, disk: StateDisk): Promise<StateFile<T>> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const value = await readState(path, initial);
  let writing = Promise.resolve();
  let next: Promise<void> | undefined;
  let timer: NodeJS.Timeout | undefined;
  let failure: unknown;

  function save(): Promise<void> {
    next ??= writing
      .catch(() => undefined)
      .then(() => {
        next = undefined;
        writing = disk.written(writeWhole(path, JSON.stringify(value)));
        return writing;
      });
    return next;
  }

  return {
    value,
    save,
    saveSoon: (delayMs = 500) => {
      timer ??= setTimeout(() => {
        timer = undefined;
        save().catch((error: unknown) => {
          failure = error;
        });
      }, delayMs);
    },
    close: async () => {
      clearTimeout(timer);
      timer = undefined;
      await save();
      if (failure) throw failure;
    },
  };
}

async function readState<T>(path: string, initial: T): Promise<T> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return initial;
    throw error;
  }
  try {
    return JSON.parse(text) as T;
  } catch (error) {
    throw new Error(`The local state file ${path} is damaged; start afresh or remove it`, { cause: error });
  }
}
