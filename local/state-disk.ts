import { statfsSync } from 'node:fs';

/** The state can no longer be written; the message says why and what becomes of it, for the person at the terminal. */
export class StateNotWritten extends Error {
  override readonly name = 'StateNotWritten';
}

/** What a disk does to those who write on it, by the error's code; and how programs without codes say it. */
const troubles = [
  { code: 'ENOSPC', said: /No space left on device/i, words: 'is full' },
  { code: 'EDQUOT', said: /Disk quota exceeded/i, words: 'has no room left for this user (the quota is used up)' },
  { code: 'EROFS', said: /Read-only file system/i, words: 'can only be read (it is mounted read-only)' },
  { code: 'EIO', said: /Input\/output error/i, words: 'fails (input/output errors)' },
] as const;

/** What a disk has to do with an error, such as "is full"; null when it is another kind of error. */
export function diskTrouble(error: unknown): string | null {
  for (let each = error; each instanceof Error; each = each.cause) {
    const { code, message } = each as NodeJS.ErrnoException;
    const found = troubles.find((trouble) => trouble.code === code || trouble.said.test(message));
    if (found) return found.words;
  }
  return null;
}

/** The words for a start or a run that ends because of its disk. */
export function describeDiskTrouble(folder: string, trouble: string): string {
  return [
    `The disk that holds ${folder} ${trouble}, so the system's state could not be written.`,
    'Everything is stopped. Jobs that were accepted are kept and go on at the next start; a request that was answered with an error was not accepted.',
    `See what the disk holds with: df -h ${folder}`,
    'Then start again: npm start',
  ].join('\n');
}

/** The disk that holds the state. Whoever writes state does it through here, so that the first failure ends the system in order. */
export type StateDisk = {
  /** Passes on how a write ends; a failure of the disk is reported first. */
  readonly written: <Result>(write: Promise<Result>) => Promise<Result>;
  /** Reports an error, if it is one of the disk. */
  readonly report: (error: unknown) => void;
};

/** For those who run services without a system around them: nobody is told. */
export const unwatchedDisk: StateDisk = { written: (write) => write, report: () => undefined };

/** Below this the system stops while there is still room to stop in order: one segment of PostgreSQL's log. Bytes. */
const LEAST_FREE = 16 * 1024 * 1024;
const WATCH_EVERY_MS = 1_000;

/**
 * Watches the disk of a folder: what its writers report, and the room that is left.
 *
 * @param failed - told once, of the first failure
 */
export function watchDisk(
  folder: string,
  failed: (error: StateNotWritten) => void,
): StateDisk & { readonly close: () => void } {
  let reported = false;
  const report = (error: unknown): void => {
    const trouble = diskTrouble(error);
    if (trouble === null || reported) return;
    reported = true;
    failed(new StateNotWritten(describeDiskTrouble(folder, trouble), { cause: error }));
  };
  const timer = setInterval(() => {
    try {
      if (freeBytes(folder) < LEAST_FREE) report(fullDisk());
    } catch (error) {
      report(error);
    }
  }, WATCH_EVERY_MS);
  timer.unref();
  return {
    report,
    written: async (write) => {
      try {
        return await write;
      } catch (error) {
        report(error);
        throw error;
      }
    },
    close: () => clearInterval(timer),
  };
}

/**
 * Refuses to start where there is no room.
 *
 * @param needed - bytes that the start will write
 * @throws StateNotWritten
 */
export function requireFreeSpace(folder: string, needed: number): void {
  const free = freeBytes(folder);
  if (free >= Math.max(needed, LEAST_FREE)) return;
  const megabytes = (bytes: number) => `${Math.floor(bytes / 1024 ** 2)} MB`;
  throw new StateNotWritten(
    `The disk that holds ${folder} has ${megabytes(free)} free; the start needs ${megabytes(Math.max(needed, LEAST_FREE))}.\nNothing was started. See what the disk holds with: df -h ${folder}`,
  );
}

function freeBytes(folder: string): number {
  const { bavail, bsize } = statfsSync(folder);
  return bavail * bsize;
}

function fullDisk(): Error {
  return Object.assign(new Error('Less is free than the system needs to stop in order'), { code: 'ENOSPC' });
}
