import { expect, test } from 'vitest';
import { documents, readDocument } from './support/blocks.ts';

test('the README leads to every guide', () => {
  const readme = readDocument('README.md');
  const missing = documents.filter((document) => document !== 'README.md' && !readme.includes(`](${document})`));
  expect(missing).toEqual([]);
});
