import { describe, expect, test } from 'vitest';
import { captureDefaults } from '../../shared/changes/capture/settings.ts';
import { guardSlot } from '../../shared/changes/guard/decide.ts';

const GIBIBYTE = 1_073_741_824;
const limits = { mostRetainedBytes: 10 * GIBIBYTE, warnAt: 0.5 };
const slot = (retained: number) => ({
  walStatus: 'extended' as const,
  retainedBytes: retained * GIBIBYTE,
  safeBytes: null,
});

describe('the guard of a slot', () => {
  test('gives it up on a small disk before the configured limit for a large one', () => {
    const disk = { allocatedBytes: 20 * GIBIBYTE, freeBytes: 12 * GIBIBYTE };
    expect(guardSlot(slot(6), limits).action).toBe('warn');
    expect(guardSlot(slot(6), { ...limits, disk }).action).toBe('drop');
    expect(guardSlot(slot(1), { ...limits, disk }).action).toBe('keep');
    const large = { allocatedBytes: 1000 * GIBIBYTE, freeBytes: 500 * GIBIBYTE };
    expect(guardSlot(slot(6), { ...limits, disk: large }).action).toBe('warn');
  });

  test('gives it up when the disk is nearly full, and says so', () => {
    const disk = { allocatedBytes: 100 * GIBIBYTE, freeBytes: GIBIBYTE };
    expect(guardSlot(slot(2), { ...limits, disk })).toMatchObject({
      action: 'drop',
      reason: expect.stringMatching(/^The disk has 1024 MB free/),
    });
    expect(guardSlot(slot(2), { ...limits, disk: { ...disk, freeBytes: null } }).action).toBe('keep');
  });

  test('an idle server of RDS, which writes a file of 64 MB every five minutes, is not streamed from', () => {
    expect(captureDefaults.streamAfterBytes).toBeGreaterThan(2 * 64 * 1_048_576);
  });
});
