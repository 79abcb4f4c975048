import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { leftOutOnManaged } from '../test/support/managed-limits.ts';

const usage = `npm run managed [-- rds|aurora... <test file>...]

Runs the end-to-end tests, and with them the tour of the README, on servers that behave as Amazon RDS and as Amazon Aurora do, with the
login of the guide; see docs/managed-servers.md. Without names it takes both kinds, without files all of test/e2e. For example

  npm run managed -- aurora test/e2e/recovery.test.ts`;

/** What each profile stands for. */
const titles = { rds: 'Amazon RDS', aurora: 'Amazon Aurora' } as const;
type Kind = keyof typeof titles;
const kinds = Object.keys(titles) as Kind[];
const folder = join(import.meta.dirname, '..');

/** @returns whether the tests passed */
function runTests(kind: Kind, files: readonly string[]): boolean {
  const { status } = spawnSync('npx', ['vitest', 'run', '--project', 'e2e', ...files], {
    cwd: folder,
    stdio: 'inherit',
    env: { ...process.env, MANAGED_PROFILE: kind },
  });
  return status === 0;
}

try {
  const { values, positionals } = parseArgs({ allowPositionals: true, options: { help: { type: 'boolean' } } });
  if (values.help) throw new Error(usage);
  const named = kinds.filter((kind) => positionals.includes(kind));
  const files = positionals.filter((word) => !kinds.some((kind) => kind === word));
  const failed = (named.length > 0 ? named : kinds).filter((kind) => {
    console.log(`\nAs ${titles[kind]}`);
    return !runTests(kind, files);
  });
  const leftOut = Object.entries(leftOutOnManaged).map(([what, why]) => `  ${what}: ${why}`);
  console.log(`\nNot part of it, as it cannot be there:\n${leftOut.join('\n')}`);
  if (failed.length > 0) console.error(`\nTests failed on ${failed.join(' and ')}`);
  process.exitCode = failed.length > 0 ? 1 : 0;
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 2;
}
