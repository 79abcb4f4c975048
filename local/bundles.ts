import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
} from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const run = promisify(execFile);
const project = fileURLToPath(new URL('..', import.meta.url));
const cache = join(project, 'node_modules/.cache/function-bundles');

/** What the bundles are made of; bundle.ts says when one holds anything else. The last is npm's account of what it installed. */
const sources = ['functions', 'shared', 'infra/constructs/bundle.ts', 'node_modules/.package-lock.json'];

/** Those of the sources as they are, and the ones before, for somebody who goes back and forth between two. */
const KEPT = 2;

/** An unfinished folder this old is of a process that was ended. */
const ABANDONED_MS = 3_600_000;

const script = `
import { bundleFunctions } from './infra/constructs/bundle.ts';
bundleFunctions(process.argv[1], '');
`;

/**
 * The folder of the functions' bundles, which is made once for the same sources and packages, below `node_modules`: for starts
 * on this machine and for tests. Deployments always make their own.
 *
 * @returns null where nothing can be kept, such as in a project that belongs to somebody else
 * @throws Error when the functions cannot be bundled
 */
export async function keptBundles(signal?: AbortSignal): Promise<string | null> {
  const kept = join(cache, digest());
  if (existsSync(kept)) {
    markUsed(kept);
    return kept;
  }
  let unfinished: string;
  try {
    mkdirSync(cache, { recursive: true });
    unfinished = mkdtempSync(join(cache, 'unfinished-'));
  } catch {
    return null;
  }
  try {
    const made = join(unfinished, 'bundles');
    // In a process of its own: bundling takes seconds, and this process serves others meanwhile.
    await run(process.execPath, ['--input-type=module', '--eval', script, made], {
      cwd: project,
      ...(signal ? { signal } : {}),
    });
    rename(made, kept);
  } finally {
    rmSync(unfinished, { recursive: true, force: true });
  }
  prune();
  return kept;
}

/** Somebody else may have made the same meanwhile. */
function rename(made: string, kept: string): void {
  try {
    renameSync(made, kept);
  } catch (error) {
    if (!existsSync(kept)) throw error;
  }
}

function markUsed(kept: string): void {
  try {
    utimesSync(kept, new Date(), new Date());
  } catch {
    // It belongs to somebody else.
  }
}

function prune(): void {
  const found = readdirSync(cache)
    .map((name) => ({ name, path: join(cache, name), used: statSync(join(cache, name)).mtimeMs }))
    .sort((one, other) => other.used - one.used);
  const isUnfinished = ({ name }: { name: string }) => name.startsWith('unfinished-');
  const left = found.filter((one) => isUnfinished(one) && one.used < Date.now() - ABANDONED_MS);
  const replaced = found.filter((one) => !isUnfinished(one)).slice(KEPT);
  for (const { path } of [...left, ...replaced]) rmSync(path, { recursive: true, force: true });
}

function digest(): string {
  const hash = createHash('sha256');
  for (const source of sources) {
    for (const path of filesOf(source)) hash.update(JSON.stringify([path, readFileSync(join(project, path), 'utf8')]));
  }
  return hash.digest('hex').slice(0, 32);
}

function filesOf(source: string): string[] {
  const path = join(project, source);
  if (!statSync(path).isDirectory()) return [source];
  return readdirSync(path, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(project.length))
    .sort();
}
