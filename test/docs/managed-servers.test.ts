import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { leftOutOnManaged } from '../support/managed-limits.ts';

const root = join(import.meta.dirname, '../..');
const text = readFileSync(join(root, 'docs/managed-servers.md'), 'utf8');
const rows = (heading: string): string[][] => {
  const [section = ''] = (text.split(`## ${heading}\n`)[1] ?? '').split('\n## ');
  const lines = section.split('\n').filter((line) => line.startsWith('| '));
  return lines.slice(1).map((line) =>
    line
      .split(/(?<!\\)\|/)
      .slice(1, -1)
      .map((cell) => cell.trim()),
  );
};

/** A cell that names a file and the title of a test in it. */
function expectTest(named: string): void {
  const [, file = '', title = ''] = /^`(test\/[^`]+)`: (.+)$/.exec(named) ?? [];
  expect(existsSync(join(root, file)), `${named} names no file`).toBe(true);
  expect(readFileSync(join(root, file), 'utf8'), `${file} has no such test`).toContain(`'${title}'`);
}

describe('the table of what would break', () => {
  const points = rows('What would break on the first day');

  test.each(points)('has a test that exists: %s', (point, named = '') => {
    expect(point).not.toBe('');
    expectTest(named);
  });

  test('has many', () => {
    expect(points.length).toBeGreaterThan(40);
  });
});

describe('the table of assumptions', () => {
  const assumptions = rows('What is assumed');

  test.each(assumptions)('has a test that exists: %s', (fact, source, how, named = '') => {
    for (const cell of [fact, source, how]) expect(cell).not.toBe('');
    expect(source).toMatch(/\b[DRA]\b/);
    if (named !== 'the same test') expectTest(named);
  });

  test('begins with a test of its own', () => {
    expect(assumptions.length).toBeGreaterThan(20);
    expect(assumptions[0]?.[3]).toMatch(/^`test\//);
  });
});

test('what only a real server can tell has something to run', () => {
  const questions = rows('What only a real server can tell');
  expect(questions.length).toBeGreaterThan(5);
  for (const [question, command] of questions) expect(command, question).not.toBe('');
});

test('what the tests leave out is what the document says', () => {
  expect(rows('What the tests leave out there')).toEqual(Object.entries(leftOutOnManaged));
});
