import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { roleIncludes, roleSchema } from '../../shared/contract/roles.ts';
import { routes } from '../../shared/contract/routes.ts';
import { auditQuerySchema, verifyQuerySchema } from '../../shared/contract/schemas/audit-trail.ts';
import { backupRequestSchema } from '../../shared/contract/schemas/backup.ts';
import { pageQuerySchema } from '../../shared/contract/schemas/common.ts';
import { restoreRequestSchema, targetDatabaseSchema } from '../../shared/contract/schemas/restore.ts';

const bytes = (text: string): number => Buffer.byteLength(text, 'utf8');

describe('the name of a database to create', () => {
  test.each([
    'shop_copy',
    '"quoted"',
    "it's",
    'pg_like',
    'Größe 東京',
    'é'.repeat(31),
    'a'.repeat(63),
    ' ',
    '😀'.repeat(15),
  ])('may be %j', (name) => {
    expect(targetDatabaseSchema.parse(name)).toBe(name);
  });

  test.each([
    '',
    'é'.repeat(32),
    '😀'.repeat(16),
    'a'.repeat(64),
    'a\0b',
    '\ud800',
    'postgres',
    'template0',
    'template1',
    7,
    null,
  ])('may not be %j', (name) => {
    expect(targetDatabaseSchema.safeParse(name).success).toBe(false);
  });

  test('is counted in bytes, and passes as it is', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', maxLength: 70 }), (name) => {
        const legal = bytes(name) >= 1 && bytes(name) <= 63 && !name.includes('\0');
        fc.pre(!['postgres', 'template0', 'template1', 'rdsadmin'].includes(name));
        const parsed = targetDatabaseSchema.safeParse(name);
        expect(parsed.success).toBe(legal);
        if (parsed.success) expect(parsed.data).toBe(name);
      }),
      { numRuns: 500 },
    );
  });
});

describe('the limit of a page', () => {
  const limit = (text: unknown) => pageQuerySchema.safeParse({ limit: text });

  test('is 50 when absent, and whole from 1 to 200', () => {
    expect(pageQuerySchema.parse({}).limit).toBe(50);
    fc.assert(
      fc.property(fc.integer({ min: -10, max: 400 }), (value) => {
        expect(limit(String(value)).success).toBe(value >= 1 && value <= 200);
      }),
    );
  });

  test.each(['', ' 5', '1e2', '0x10', '5.0', 'NaN', '-0', '٣', [], {}])('is not %j', (text) => {
    expect(limit(text).success).toBe(false);
  });
});

test.each([auditQuerySchema, verifyQuerySchema])('a span of time does not end before it begins', (schema) => {
  const [early, late] = ['2026-01-01T00:00:00Z', '2026-06-01T00:00:00Z'];
  expect(schema.safeParse({ from: early, to: late }).success).toBe(true);
  expect(schema.safeParse({ from: early, to: early }).success).toBe(true);
  const { error } = schema.safeParse({ from: late, to: early });
  expect(error?.issues).toMatchObject([{ path: ['to'], message: 'to is before from' }]);
});

test('no field that is not in the contract passes', () => {
  fc.assert(
    fc.property(fc.string({ minLength: 1 }), fc.jsonValue(), (name, value) => {
      fc.pre(!['backup_type', 'custom_name'].includes(name));
      const body = Object.defineProperty({ backup_type: 'full' }, name, { value, enumerable: true });
      expect(backupRequestSchema.safeParse(body).success).toBe(false);
    }),
  );
});

test.each([undefined, false, 'true', 1, null])('a restore is not confirmed by %j, and says what to send', (confirm) => {
  const body = { backup_id: 'bkp-01JZ8Q4F7M3N5P6R8S9T0V1W2X', target_database: 'copy', confirm };
  expect(restoreRequestSchema.safeParse(body).error?.issues).toEqual([
    expect.objectContaining({ path: ['confirm'], message: expect.stringContaining('"confirm": true') }),
  ]);
});

test('the example of every request body is accepted by its own schema', () => {
  const withExamples = routes.flatMap((route) => ('bodyExample' in route ? [route] : []));
  expect(withExamples.length).toBeGreaterThan(0);
  for (const { body, bodyExample } of withExamples) expect(body.safeParse(bodyExample).error).toBeUndefined();
});

test('a role includes itself, and an admin every role', () => {
  for (const role of roleSchema.options) {
    expect(roleIncludes([role], role)).toBe(true);
    expect(roleIncludes(['admin'], role)).toBe(true);
    expect(roleIncludes([], role)).toBe(false);
  }
  expect(roleIncludes(['viewer', 'auditor'], 'operator')).toBe(false);
});
