import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { satisfies, subset } from 'semver';
import { describe, expect, test } from 'vitest';

interface LockEntry {
  version?: string;
  link?: boolean;
  optional?: boolean;
  engines?: { node?: string };
  hasInstallScript?: boolean;
  os?: string[];
}
interface Package {
  version: string;
  engines?: { node?: string };
}

const folder = join(import.meta.dirname, '../..');
const lockPath = join(folder, 'package-lock.json');
const read = <Content>(path: string): Content => JSON.parse(readFileSync(join(folder, path), 'utf8')) as Content;

/**
 * Packages that ask for a newer Node.js than `npm ci` may run on. They are bundled into functions and run on Node 24 alone, which
 * `npm ci` brings. npm holds what it reads in package-lock.json against the Node.js that runs npm itself and would warn of each one, so
 * the lock says nothing of their engines; the test below asks the packages themselves. See docs/decisions/0050.
 */
const ONLY_ON_NODE_24 = [
  '@aws/durable-execution-sdk-js',
  '@middy/core',
  '@middy/http-header-normalizer',
  '@middy/http-security-headers',
  '@middy/util',
  'canonicalize',
];

const named = read<Package>('package.json').engines?.node ?? '';
const lock = read<{ packages: Record<string, LockEntry> }>('package-lock.json');
const entries = Object.entries(lock.packages).filter(([path]) => path !== '');
const nameOf = (path: string): string => path.slice(path.lastIndexOf('node_modules/') + 'node_modules/'.length);

describe('npm ci on every Node.js that package.json names', () => {
  test('warns of no package: each one accepts them all', () => {
    const refusing = entries
      .filter(([, { engines }]) => engines?.node !== undefined && !subset(named, engines.node))
      .map(([path, { version, engines }]) => `${nameOf(path)}@${version} needs ${engines?.node}`);
    expect(refusing).toEqual([]);
  });

  /** `npx vitest run --update test/packages/engines.test.ts` takes the engines out of the lock after one of them was updated. */
  test('asks nothing of packages that run on Node 24 alone', async () => {
    const packages = Object.entries(lock.packages).map(([path, entry]) => {
      const { engines: _, ...rest } = entry;
      return [path, ONLY_ON_NODE_24.includes(nameOf(path)) ? rest : entry];
    });
    const relaxed = { ...lock, packages: Object.fromEntries(packages) };
    await expect(`${JSON.stringify(relaxed, null, 2)}\n`).toMatchFileSnapshot(lockPath);
  });

  test('is what the README says', () => {
    const readme = readFileSync(join(folder, 'README.md'), 'utf8');
    const [, versions = ''] = /need Node\.js (.+?) or newer/s.exec(readme) ?? [];
    const lowest = named.split('||').map((range) => range.replaceAll(/[^\d.]/g, '').replace(/(\.0)+$/, ''));
    expect(versions.split(/, | or |,\s/).map((version) => version.trim())).toEqual(lowest);
  });
});

describe('the Node.js that npm ci brings', () => {
  const { version } = read<Package>('node_modules/node/package.json');

  test('runs this suite', () => {
    expect(process.versions.node).toBe(version);
  });

  test('is accepted by every package, as the packages themselves say', () => {
    const refusing = entries.flatMap(([path, { optional, link }]) => {
      // Those of other platforms are not installed.
      if (optional || link) return [];
      const { engines } = read<Package>(`${path}/package.json`);
      return engines?.node === undefined || satisfies(version, engines.node)
        ? []
        : [`${nameOf(path)}: ${engines.node}`];
    });
    expect(refusing).toEqual([]);
  });
});

test('only packages that are known run scripts at their installation', () => {
  const { allowScripts } = read<{ allowScripts: Record<string, boolean> }>('package.json');
  const unknown = Object.entries(lock.packages)
    .filter(([, { hasInstallScript, os }]) => hasInstallScript && os?.join() !== 'win32')
    .map(([path]) => nameOf(path))
    .filter((name) => !(name in allowScripts));
  expect(unknown).toEqual([]);
});
