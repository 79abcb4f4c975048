import { appendFileSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';

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
export function openDeadLetters(folder: string, note: (text: string) => void): DeadLetters {
  return (targetArn, letter) => {
    const name = targetArn.split(/[:/]/).at(-1) ?? 'unknown';
    mkdirSync(folder, { recursive: true });
    appendFileSync(join(folder, `${name}.jsonl`), `${JSON.stringify({ at: new Date().toISOString(), ...letter })}\n`, {
      mode: 0o600,
    });
    note(`${letter.functionArn} failed for good (${letter.errorType}); its event is in ${name}`);
  };
}
