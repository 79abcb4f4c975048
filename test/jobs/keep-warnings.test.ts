import { expect, test } from 'vitest';
import { keepWarnings } from '../../shared/jobs/keep-warnings.ts';

const refused = 'must be member of role "postgres"';
const largeObjects = (count: number) => Array.from({ length: count }, (_, i) => `LARGE OBJECT ${i + 1}: ${refused}`);

test('few warnings stay as they are', () => {
  const warnings = [...largeObjects(5), 'EXTENSION x: permission denied', 'Large objects are left out: nobody knows'];
  expect(keepWarnings(warnings)).toEqual(warnings);
});

test('what is said of many objects is one warning, and hides no other', () => {
  const warnings = [
    'EXTENSION x: permission denied',
    'TABLE public.a: b',
    ...largeObjects(1000),
    'COMMENT EXTENSION x: gone',
  ];
  expect(keepWarnings(warnings)).toEqual([
    'EXTENSION x: permission denied',
    'TABLE public.a: b',
    `1000 objects: ${refused} (LARGE OBJECT 1, LARGE OBJECT 2, LARGE OBJECT 3, LARGE OBJECT 4, LARGE OBJECT 5 and 995 more)`,
    'COMMENT EXTENSION x: gone',
  ]);
});

test('of more than a hundred different ones the first are kept, with the number of the others', () => {
  const warnings = Array.from({ length: 130 }, (_, i) => `TABLE public.t${i}: cause ${i}`);
  expect(keepWarnings(warnings)).toEqual([...warnings.slice(0, 100), '... and 30 more warnings']);
});
