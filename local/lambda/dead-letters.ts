import { appendFileSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { StateDisk } from '../state-disk.ts';

/** An asynchronous event that could not be worked off. */
export type DeadLetter = {
  readonly functionArn: string;
  readonly payload: string;
  readonly errorType: string;
  readonly errorMessage: string;
};

/** Keeps what goes to dead-letter queues and on-failure destinations: a file of JSON lines for each. */
export type DeadLetters = (targetArn: string, letter: DeadLetter) => void;

/** @param folder one file per queue or topic, named after it. @param note told of each in words. */
export function openDeadLetters(folder: string, note: (text: string) => void, disk: StateDisk): DeadLetters {
  return (targetArn, letter) => {
    const name = targetArn.split(/[:/]/).at(-1) ?? 'unknown';
    const line = `${JSON.stringify({ at: new Date().toISOString(), ...letter })}\n`;
    try {
      mkdirSync(folder, { recursive: true, mode: 0o700 });
      appendFileSync(join(folder, `${name}.jsonl`), line, { mode: 0o600 });
    } catch (error) {
      disk.report(error);
      note(`An event of ${letter.functionArn} could not be kept in ${name}: ${String(error)}`);
      return;
    }
    note(`${letter.functionArn} failed for good (${letter.errorType}); its event is in ${name}`);
  };
}
