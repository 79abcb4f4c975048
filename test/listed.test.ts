import { expect, test } from 'vitest';
import { listed } from '../shared/listed.ts';

const names = Array.from({ length: 25 }, (_, at) => `t${at}`);

test('names the first ones of many, and how many more there are', () => {
  expect(listed(['a', 'b'])).toBe('a, b');
  expect(listed(names)).toMatch(/^t0, .+, t19 and 5 more$/);
  expect(listed(['a', 'b'], { separator: '; ' })).toBe('a; b');
});

test('counts what was cut before', () => {
  expect(listed(names, { total: 1000 })).toMatch(/t19 and 980 more$/);
  expect(listed(['a'], { total: 3 })).toBe('a and 2 more');
});
