import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { guardSlot } from '../../shared/changes/guard/decide.ts';
import { bytesToLsn, compareLsn, laterLsn, lsnDigits, lsnOfDigits, lsnToBytes } from '../../shared/changes/lsn.ts';
import { descriptionPath, rangeOfDescription, segmentPath } from '../../shared/changes/segments/layout.ts';
import { fullTransactionId, isSeen, parseSnapshot } from '../../shared/changes/transaction-ids.ts';
import { countLeading, followSegments } from '../../shared/changes/window/chain.ts';
import { toMicroseconds } from '../../shared/changes/window/recovery-target.ts';

test('positions in the log are numbers of bytes, and names sort as they do', () => {
  expect(lsnToBytes('16/B374D848')).toBe(0x16_b374_d848n);
  expect(compareLsn('9/FFFFFFFF', 'A/0')).toBe(-1);
  expect(laterLsn('0/A', '0/9')).toBe('0/A');
  expect(() => lsnToBytes('x')).toThrow();
  fc.assert(
    fc.property(fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), (bytes) => {
      const lsn = bytesToLsn(bytes);
      expect(lsnToBytes(lsn)).toBe(bytes);
      expect(lsnOfDigits(lsnDigits(lsn))).toBe(lsn);
    }),
  );
  const range = { firstLsn: '0/1B81D70', lastLsn: '1/0' };
  expect(segmentPath(range)).toBe('0000000001B81D70-0000000100000000.zst.enc');
  expect(rangeOfDescription(descriptionPath(range))).toEqual(range);
  expect(rangeOfDescription('slot.json.enc')).toBeNull();
});

describe('numbers of transactions', () => {
  test('a snapshot tells which transactions it saw', () => {
    const snapshot = parseSnapshot('10:20:10,15');
    const seen = [5n, 10n, 11n, 15n, 19n, 20n, 21n].filter((xid) => isSeen(snapshot, xid));
    expect(seen).toEqual([5n, 11n, 19n]);
    expect(parseSnapshot('7:7:').running.size).toBe(0);
    expect(() => parseSnapshot('7')).toThrow();
  });

  test('their lower 32 bits are enough, over any number of epochs', () => {
    const epoch = 2n ** 32n;
    expect(fullTransactionId(5, 3n * epoch + 10n)).toBe(3n * epoch + 5n);
    expect(fullTransactionId(4_294_967_290, 3n * epoch + 10n)).toBe(3n * epoch - 6n);
    fc.assert(
      fc.property(
        fc.bigInt({ min: 2n ** 31n, max: 2n ** 60n }),
        fc.bigInt({ min: 1n, max: 2n ** 31n - 1n }),
        (next, age) => {
          const xid = next - age;
          expect(fullTransactionId(Number(xid % epoch), next)).toBe(xid);
        },
      ),
    );
  });
});

describe('segments', () => {
  const range = (firstLsn: string, lastLsn: string) => ({ firstLsn, lastLsn });

  test('follow each other without a gap', () => {
    const all = [range('0/1', '0/5'), range('0/5', '0/9'), range('0/A', '0/C')];
    expect(followSegments(all, '0/1')).toEqual(all.slice(0, 2));
    expect(followSegments(all, '0/A')).toEqual(all.slice(2));
    expect(followSegments(all, '0/0')).toEqual([]);
  });

  test('that overlap are passed over for the one that reaches furthest', () => {
    const all = [range('0/1', '0/5'), range('0/1', '0/7'), range('0/5', '0/6'), range('0/6', '0/9')];
    expect(followSegments(all, '0/1')).toEqual([range('0/1', '0/7'), range('0/6', '0/9')]);
  });

  test('are searched by halves', async () => {
    fc.assert(
      fc.asyncProperty(fc.nat(50), fc.nat(50), async (length, leading) => {
        const items = Array.from({ length }, (_, index) => index);
        expect(await countLeading(items, async (item) => item < leading)).toBe(Math.min(length, leading));
      }),
    );
  });
});

test('times are compared to the microsecond', () => {
  expect(toMicroseconds('2026-11-25T02:00:00.5+01:00')).toBe('2026-11-25T01:00:00.500000Z');
  expect(toMicroseconds('2026-11-25T02:00:00.1234567Z')).toBe('2026-11-25T02:00:00.123456Z');
  expect(() => toMicroseconds('yesterday')).toThrow();
});

describe('the guard', () => {
  const MB = 1_048_576;
  const limits = { mostRetainedBytes: 1000 * MB, warnAt: 0.5 };
  test.each([
    [{ walStatus: 'reserved', retainedBytes: 10 * MB, safeBytes: null }, 'keep', null],
    [{ walStatus: 'extended', retainedBytes: 499 * MB, safeBytes: 900 * MB }, 'keep', null],
    [{ walStatus: 'extended', retainedBytes: 501 * MB, safeBytes: null }, 'warn', 'WARNING'],
    [{ walStatus: 'extended', retainedBytes: 10 * MB, safeBytes: 100 * MB }, 'warn', 'ERROR'],
    [{ walStatus: 'unreserved', retainedBytes: 10 * MB, safeBytes: -1 }, 'warn', 'ERROR'],
    [{ walStatus: 'unreserved', retainedBytes: 1001 * MB, safeBytes: -1 }, 'drop', 'CRITICAL'],
    [{ walStatus: 'reserved', retainedBytes: 1001 * MB, safeBytes: null }, 'drop', 'CRITICAL'],
    [{ walStatus: 'lost', retainedBytes: 0, safeBytes: null }, 'lost', 'CRITICAL'],
    [{ walStatus: null, retainedBytes: 0, safeBytes: null }, 'missing', 'CRITICAL'],
    [{ walStatus: 'reserved', retainedBytes: null, safeBytes: null }, 'warn', 'WARNING'],
    [{ walStatus: 'unreserved', retainedBytes: null, safeBytes: -1 }, 'warn', 'ERROR'],
  ] as const)('%j: %s, %s', (health, action, level) => {
    const decision = guardSlot(health, limits);
    expect(decision).toMatchObject({ action, level });
    expect(decision.reason === null).toBe(action === 'keep');
  });
});
