import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';
import { LongestFirst } from './test/support/longest-first.ts';
import { unitTestFiles } from './test/support/unit-test-files.ts';

const cores = availableParallelism();

/** These tests wait for servers and for the clock, and so do the systems that they start; but with more of them, all are late. */
const waitingWorkers = cores + 1;

const database = 'test/**/*.db.test.ts';
const endToEnd = 'test/e2e/**/*.test.ts';
/** Tests that measure memory or time, and are disturbed by what runs beside them. */
const alone = 'test/**/*.alone.{,db.}test.ts';

const unit = unitTestFiles();

/**
 * The kinds of test, in three groups, one after another: what computes alone, with as many workers as there are cores; what waits,
 * with more of them; and what must be alone. What files have in common is made when the first asks for it, and each worker has
 * PostgreSQL servers of its own; see CONTRIBUTING.md.
 */
export default defineConfig({
  test: {
    // Generous: it ends what hangs, and is no measure on machines where others compute too.
    testTimeout: 240_000,
    hookTimeout: 240_000,
    expect: { poll: { timeout: 120_000 } },
    globalSetup: ['test/support/made-once.setup.ts'],
    setupFiles: ['test/support/property-tests.setup.ts'],
    sequence: { sequencer: LongestFirst },
    projects: [
      {
        extends: true,
        test: { name: 'unit', include: unit, isolate: false, maxWorkers: cores, sequence: { groupOrder: 0 } },
      },
      {
        extends: true,
        test: {
          name: 'services',
          include: ['test/**/*.test.ts'],
          exclude: [...unit, database, endToEnd, alone],
          maxWorkers: waitingWorkers,
          sequence: { groupOrder: 1 },
        },
      },
      {
        extends: true,
        test: {
          name: 'database',
          include: [database],
          exclude: [alone],
          maxWorkers: waitingWorkers,
          sequence: { groupOrder: 1 },
        },
      },
      {
        extends: true,
        test: {
          name: 'e2e',
          include: [endToEnd],
          maxWorkers: waitingWorkers,
          sequence: { groupOrder: 1 },
          testTimeout: 300_000,
        },
      },
      {
        extends: true,
        test: { name: 'alone', include: [alone], maxWorkers: 1, sequence: { groupOrder: 2 } },
      },
    ],
  },
});
