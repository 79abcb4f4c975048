import { expect, test } from 'vitest';
import { maskConstants } from '../../shared/postgres/mask-constants.ts';

test.each([
  [`SELECT * FROM t WHERE a = 'secret' AND b = 12 -- why`, 'SELECT * FROM t WHERE a = ? AND b = ?'],
  [`SELECT 'C:\\dir', E'it\\'s', 'x'`, 'SELECT ?, ?, ?'],
])('masks the constants of %s', (sql, shown) => {
  expect(maskConstants(sql)).toBe(shown);
});

// Where standard_conforming_strings is off, \' does not end a string.
test.each([
  [`SELECT 'a\\' , secret, '' FROM t`, 'SELECT ?…'],
  [`UPDATE t SET a = 'it\\'s secret' WHERE b = 'x'`, 'UPDATE t SET a = ?…'],
  [`SELECT 'ends\\', secret`, 'SELECT ?…'],
  [`SELECT U&'a\\' || secret || ''`, 'SELECT U&?…'],
])('shows nothing that may be a constant under another standard_conforming_strings: %s', (sql, shown) => {
  expect(maskConstants(sql)).toBe(shown);
});
