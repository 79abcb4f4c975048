import fc from 'fast-check';
import { expect, test } from 'vitest';
import { propertySeed } from './support/property-seed.ts';

const quiet = () => undefined;

test('property tests make the same cases in each run, and run all of them or fail', () => {
  const given = fc.readConfigureGlobal();
  expect(given).toMatchObject({ markInterruptAsFailure: true, seed: expect.any(Number) });
  const cases = () => fc.sample(fc.string(), 20);
  expect(cases()).toEqual(cases());
  const slow = fc.property(fc.nat(), () => {
    for (const end = Date.now() + 5; Date.now() < end; );
  });
  expect(() => fc.assert(slow, { interruptAfterTimeLimit: 20 })).toThrow(/Property interrupted after \d+ tests/);
});

test('a random seed is printed, and makes the same cases when it is given', () => {
  const printed: string[] = [];
  const seed = propertySeed('random', (line) => printed.push(line));
  expect(printed).toEqual([`Property tests run with PROPERTY_SEED=${seed}`]);
  expect(propertySeed(String(seed), quiet)).toBe(seed);
  expect(propertySeed('', quiet)).toBe(propertySeed(undefined, quiet));
});

test.each(['soon', '1.5', '4294967296'])('a seed that is none is refused: %s', (text) => {
  expect(() => propertySeed(text, quiet)).toThrow(`PROPERTY_SEED is "${text}"`);
});
