import { readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { closeFolder } from './private-folder.ts';

/** Folders this process holds itself: a file with its own process number may also stem from before a reboot. */
const held = new Set<string>();

/** The time of boot is in whole seconds, and the clock may have been set since. */
const CLOCK_TOLERANCE_SECONDS = 5;

const pathIn = (stateFolder: string): string => join(stateFolder, 'running.pid');

/** @throws Error when a running process has the state folder. */
export function refuseSecond(stateFolder: string): void {
  const path = pathIn(stateFolder);
  const holder = held.has(path) ? process.pid : runningHolder(path);
  if (holder === null) return;
  throw new Error(
    `A local system already runs on ${stateFolder} (process ${holder}). Stop it with Ctrl-C in its terminal, or: kill ${holder}`,
  );
}

/**
 * Takes the state folder for this process.
 *
 * @returns what gives it back.
 * @throws Error when a running process has it.
 */
export function lockStateFolder(stateFolder: string): () => void {
  refuseSecond(stateFolder);
  closeFolder(stateFolder);
  const path = pathIn(stateFolder);
  rmSync(path, { force: true });
  writeFileSync(path, String(process.pid), { flag: 'wx', mode: 0o600 });
  held.add(path);
  return () => {
    held.delete(path);
    rmSync(path, { force: true });
  };
}

/**
 * Whether a process began after the file that names it was written: then its number is that of a former one, which was killed, or which a
 * restart of the machine or the container ended. Only Linux says when a process began; elsewhere false.
 */
function isYounger(pid: number, path: string): boolean {
  try {
    const [, ticks] = /\) (?:\S+ ){19}(\d+) /.exec(readFileSync(`/proc/${pid}/stat`, 'utf8')) ?? [];
    const [, boot] = /^btime (\d+)$/m.exec(readFileSync('/proc/stat', 'utf8')) ?? [];
    if (ticks === undefined || boot === undefined) return false;
    const TICKS_PER_SECOND = 100;
    return Number(boot) + Number(ticks) / TICKS_PER_SECOND > statSync(path).mtimeMs / 1000 + CLOCK_TOLERANCE_SECONDS;
  } catch {
    return false;
  }
}

function runningHolder(path: string): number | null {
  try {
    const pid = Number(readFileSync(path, 'utf8'));
    if (!Number.isInteger(pid) || pid <= 0 || pid === process.pid) return null;
    process.kill(pid, 0);
    return isYounger(pid, path) ? null : pid;
  } catch (error) {
    // A process of another user exists, though it may not be signalled.
    return error instanceof Error && 'code' in error && error.code === 'EPERM'
      ? Number(readFileSync(path, 'utf8'))
      : null;
  }
}
