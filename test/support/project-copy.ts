import { execFile } from 'node:child_process';
import { cp, mkdir, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import './function-bundles.ts';

const run = promisify(execFile);
const project = fileURLToPath(new URL('../..', import.meta.url));
const leftOut = new Set(['.git', '.local', 'cdk.out', 'coverage', 'node_modules']);

/** A clone as `npm ci` leaves it, in a folder that its owner alone can enter. */
export async function copyProject(to: string, owner: { uid: number; gid: number } | null): Promise<void> {
  await mkdir(to, { recursive: true, mode: 0o700 });
  await cp(project, to, {
    recursive: true,
    filter: (path) =>
      dirname(path) !== join(project, '.').replace(/\/$/, '') || !leftOut.has(path.slice(project.length)),
  });
  const [from, modules] = [join(project, 'node_modules'), join(to, 'node_modules')];
  // Linked where that goes: hundreds of megabytes.
  await run('cp', ['-al', from, modules]).catch(async () => {
    await rm(modules, { recursive: true, force: true });
    await run('cp', ['-a', from, modules]);
  });
  // The functions' bundles stay for the project's own user, to save the time; another one makes them, as after `npm ci`.
  for (const cache of ['.vite', '.vite-temp', ...(owner ? ['.cache'] : [])])
    await rm(join(modules, cache), { recursive: true, force: true });
  if (!owner) return;
  const user = `${owner.uid}:${owner.gid}`;
  // A linked file is the project's own still: the folders alone change hands.
  await run('find', [to, '-path', modules, '-prune', '-o', '-exec', 'chown', user, '{}', '+']);
  await run('find', [modules, '-type', 'd', '-exec', 'chown', user, '{}', '+']);
}
