import { randomInt } from 'node:crypto';

/** So that a change fails for what it changed. */
const FIXED = 20_260_101;

/**
 * The seed of all property tests of a run: PROPERTY_SEED, a number or `random`, or else always the same. One that is random is
 * printed, for `PROPERTY_SEED=<number>` makes the same cases again.
 *
 * @throws Error when PROPERTY_SEED is neither
 */
export function propertySeed(given = process.env.PROPERTY_SEED, print = printLine): number {
  if (given === undefined || given === '') return FIXED;
  if (given !== 'random') return wholeNumber(given);
  const seed = randomInt(2 ** 31);
  print(`Property tests run with PROPERTY_SEED=${seed}`);
  return seed;
}

function wholeNumber(text: string): number {
  const seed = Number(text);
  if (!Number.isInteger(seed) || Math.abs(seed) >= 2 ** 31)
    throw new Error(`PROPERTY_SEED is "${text}": it is a whole number below 2147483648, or random`);
  return seed;
}

function printLine(text: string): void {
  process.stdout.write(`${text}\n`);
}
