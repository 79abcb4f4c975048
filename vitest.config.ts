import { defineConfig } from 'vitest/config';

/**
 * Three kinds of test, told apart by their names: `*.test.ts` needs nothing, `*.db.test.ts` a PostgreSQL server,
 * and `test/e2e` the whole system. Servers are started once, on free ports, by the global set-up of their project.
 */
export default defineConfig({
  test: {
    testTimeout: 120_000,
    hookTimeout: 180_000,
    projects: [
      {
        extends: true,
        test: {
          name: 'unit',
          include: ['test/**/*.test.ts'],
          exclude: ['test/**/*.db.test.ts', 'test/e2e/**'],
          globalSetup: ['test/support/bundles.setup.ts'],
        },
      },
      {
        extends: true,
        test: {
          name: 'database',
          include: ['test/**/*.db.test.ts'],
          exclude: ['test/e2e/**'],
          globalSetup: ['test/support/servers.setup.ts'],
          fileParallelism: false,
        },
      },
      {
        extends: true,
        test: {
          name: 'e2e',
          include: ['test/e2e/**/*.test.ts'],
          globalSetup: ['test/support/servers.setup.ts', 'test/support/bundles.setup.ts'],
          fileParallelism: false,
          testTimeout: 300_000,
        },
      },
    ],
  },
});
