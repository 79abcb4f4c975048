import { appendFileSync, mkdirSync, renameSync, statSync } from 'node:fs';
import { dirname } from 'node:path';

/** Takes text of a log, which ends up in a file. */
export type LogFile = (text: string) => void;

/**
 * A log file that holds at most `maximumBytes` and its predecessor `<path>.1`, so that a system left running does not fill the disk.
 * A log that cannot be written is dropped: the function goes on.
 */
export function openLogFile(path: string, maximumBytes = 5_000_000): LogFile {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  let size = sizeOf(path);
  return (text) => {
    try {
      if (size > maximumBytes) {
        renameSync(path, `${path}.1`);
        size = 0;
      }
      appendFileSync(path, text, { mode: 0o600 });
      size += Buffer.byteLength(text);
    } catch {
      size = 0;
    }
  };
}

function sizeOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0;
}
