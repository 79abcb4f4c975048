import fc from 'fast-check';
import { inject } from 'vitest';
import './made-once.setup.ts';

/**
 * Property tests run all their cases or fail: one that is interrupted has shown less than it says. `interruptAfterTimeLimit`, which
 * ends a run that hangs before the test's own limit does and tells its seed, is no measure of speed.
 */
fc.configureGlobal({
  seed: inject('propertySeed'),
  interruptAfterTimeLimit: 200_000,
  markInterruptAsFailure: true,
});
